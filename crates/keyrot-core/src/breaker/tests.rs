//! The breaker by itself: when it trips, how it recovers, and that it keeps what it promises.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);
const START: u64 = 1_795_464_000_000;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(START + ms)
}

/// Numbers that look like chance, and are the same in every run.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    /// Whether something of a chance of `percent` happens.
    fn happens(&mut self, percent: u64) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % 10_000 < percent * 100
    }
}

/// How many of `samples` calls that fail at `percent`, `rate` of them a second, end before it trips.
fn trips_after(percent: u64, rate: u64, samples: u64, seed: u64) -> Option<u64> {
    let (mut breaker, mut dice) = (Breaker::default(), Dice(seed));
    // Successes by the second, as far as they have not been reported.
    let mut unreported: Vec<(u64, u32)> = Vec::new();
    for i in 0..samples {
        let now = at(i * 1_000 / rate);
        if !dice.happens(percent) {
            match unreported.last_mut() {
                Some((of, n)) if *of == second(now) => *n += 1,
                _ => unreported.push((second(now), 1)),
            }
            continue;
        }
        let failed = Sample { age: 0, succeeded: 0, failed: 1 };
        let age = |of| u8::try_from(second(now) - of).ok().filter(|age| *age < 10);
        let succeeded = unreported.drain(..).filter_map(|(of, n)| Some((age(of)?, n)));
        let succeeded = succeeded.map(|(age, succeeded)| Sample { age, succeeded, failed: 0 });
        let samples: Vec<Sample> = succeeded.chain([failed]).collect();
        breaker.report(&samples, None, i, now);
        if breaker.gate(now) != Gate::Open {
            return Some(i + 1);
        }
    }
    None
}

#[test]
fn noise_never_trips_it_and_an_outage_soon_does() {
    for (i, rate) in [2, 5, 20, 100, 1_000, 20_000].into_iter().enumerate() {
        let seed = 88_172_645_463_325_252 + i as u64;
        assert_eq!(trips_after(5, rate, 1_000_000, seed), None, "5 % at {rate} a second");
        assert_eq!(trips_after(20, rate, 1_000_000, seed), None, "20 % at {rate} a second");
        assert_eq!(trips_after(100, rate, 100, seed), Some(16), "an outage at {rate} a second");
        let partial = trips_after(80, rate, 1_000, seed);
        assert!(partial.is_some_and(|n| n <= 100), "80 % at {rate} a second: {partial:?}");
    }
    assert_eq!(trips_after(100, 1, 1_000, 1), None, "ten samples in ten seconds say nothing");
}

/// A model behind the breaker: `rate` calls a second are wanted, each takes `takes`; of those that begin
/// before `until` a share fails at once.
struct Model {
    breaker: Breaker,
    rate: u64,
    takes: u64,
    fails: u64,
    until: u64,
    seq: u64,
    dice: Dice,
    /// When each call in flight ends, its admission, whether it was a probe.
    calls: BinaryHeap<Reverse<(u64, u64, u64, bool)>>,
    /// Calls let through in each second, and those that got an answer.
    passed: Vec<u64>,
}

impl Model {
    fn new(rate: u64, takes: u64, fails: u64, until: u64) -> Self {
        let (breaker, dice) = (Breaker::default(), Dice(88_172_645_463_325_252));
        Self {
            breaker,
            rate,
            takes,
            fails,
            until,
            seq: 0,
            dice,
            calls: BinaryHeap::new(),
            passed: Vec::new(),
        }
    }

    fn run(&mut self, seconds: u64) {
        for ms in 0..seconds * 1_000 {
            if ms % 1_000 == 0 {
                self.passed.push(0);
            }
            while let Some(Reverse((end, seq, admitted, probe))) = self.calls.peek().copied() {
                if end > ms {
                    break;
                }
                self.calls.pop();
                if probe {
                    let stamp = Stamp { seq, admitted: at(admitted) };
                    self.breaker.ended(stamp, Ended::Succeeded, self.seq, at(ms));
                }
            }
            // So many calls are due in this millisecond.
            for _ in (ms * self.rate / 1_000)..((ms + 1) * self.rate / 1_000) {
                self.call(ms);
            }
        }
    }

    fn call(&mut self, ms: u64) {
        let gate = self.breaker.gate(at(ms));
        if matches!(gate, Gate::Shut { .. }) {
            return;
        }
        self.seq += 1;
        if let Some(passed) = self.passed.last_mut() {
            *passed += 1;
        }
        let (probe, stamp) = (gate == Gate::Probe, Stamp { seq: self.seq, admitted: at(ms) });
        if probe {
            self.breaker.admitted(at(ms));
        }
        if ms < self.until && self.dice.happens(self.fails) {
            self.breaker.report(&[], Some(stamp), self.seq, at(ms));
            if probe {
                self.breaker.ended(stamp, Ended::Failed, self.seq, at(ms));
            }
        } else {
            self.calls.push(Reverse((ms + self.takes, self.seq, ms, probe)));
        }
    }
}

#[test]
fn an_outage_of_a_minute_costs_few_calls_and_is_over_within_ten_seconds() {
    for (rate, takes) in [(20, 1_000), (50, 1_000), (400, 1_000), (400, 4_000), (50, 30_000)] {
        let mut model = Model::new(rate, takes, 100, 60_000);
        model.run(60);
        let burnt: u64 = model.passed.iter().sum();
        assert!(burnt * 100 <= 60 * rate * 2 + 100 * FLOOR, "{burnt} calls of {}", 60 * rate);
        let mut model = Model::new(rate, takes, 100, 60_000);
        let back = 60 + 10 + takes / 1_000;
        model.run(back + 20);
        let passed: u64 = model.passed[back as usize..].iter().sum();
        assert!(passed * 100 >= 20 * rate * 95, "{rate} calls of {takes} ms: {:?}", &model.passed[60..]);
    }
}

#[test]
fn while_calls_last_longer_than_anything_is_remembered_the_allowance_doubles_every_two_seconds() {
    let mut model = Model::new(1_000, 30_000, 100, 1_000);
    model.run(18);
    // A pause of 1 s or 2 s and one failed probe; then 1, 1, 2, 4, ... more calls, two seconds apart.
    let passed: Vec<u64> = model.passed[1..].iter().copied().filter(|n| *n > 0).collect();
    assert_eq!(passed[..6], [1, 1, 2, 4, 8, 16 + 1], "{:?}", model.passed);
}

#[test]
fn a_model_that_mostly_fails_is_not_let_through() {
    let mut model = Model::new(100, 1_000, 80, u64::MAX);
    model.run(300);
    let passed: u64 = model.passed[2..].iter().sum();
    assert!(passed < 100 * 298 / 10, "{passed}");
}

#[test]
fn a_report_from_before_a_lift_changes_nothing() {
    let mut breaker = Breaker::default();
    let stamp = Stamp { seq: 5, admitted: at(0) };
    breaker.lift(5, at(10));
    let before = breaker;
    assert_eq!(breaker.report(&[], Some(stamp), 9, at(20)), None);
    assert_eq!(breaker, before);
    assert!(!breaker.forgettable(at(599_999)) && breaker.forgettable(at(600_010)));
    assert_eq!(breaker.report(&[], Some(Stamp { seq: 6, ..stamp }), 9, at(20)), Some(at(20)));
}

#[test]
fn one_storm_is_one_strike_and_strikes_lengthen_the_pause() {
    let mut breaker = Breaker::default();
    let stamp = |seq| Some(Stamp { seq, admitted: at(0) });
    for seq in 1..=100 {
        breaker.report(&[], stamp(seq), 100, at(0));
    }
    let mut now = at(0);
    for (seq, pause) in [(100, 1), (101, 2), (102, 4), (103, 4)] {
        if seq > 100 {
            breaker.report(&[], stamp(seq), seq, now);
        }
        now = now + Duration::from_secs(pause);
        assert_eq!(breaker.gate(now.before(MS)), Gate::Shut { until: now, reason: Reason::Overloaded });
        assert_eq!(breaker.gate(now), Gate::Probe);
        breaker.admitted(now);
    }
}

#[derive(Debug, Clone)]
enum Event {
    Wait(u64),
    Back(u64),
    Pass,
    Report(usize, Vec<(u8, u32, u32)>),
    End(usize, Ended),
    Lift,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let ended = prop::sample::select(vec![Ended::Succeeded, Ended::Failed, Ended::NeverSent]);
    let samples = prop::collection::vec((0_u8..12, 0_u32..30, 0_u32..40), 0..4);
    let event = prop_oneof![
        4 => (0_u64..3_000).prop_map(Event::Wait),
        1 => (0_u64..80_000).prop_map(Event::Wait),
        1 => (0_u64..20_000).prop_map(Event::Back),
        8 => Just(Event::Pass),
        4 => (0_usize..9, samples).prop_map(|(i, samples)| Event::Report(i, samples)),
        6 => (0_usize..9, ended).prop_map(|(i, ended)| Event::End(i, ended)),
        1 => Just(Event::Lift),
    ];
    prop::collection::vec(event, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// After any events: what is shut opens within 4 s, at the instant it names and not before; no more
    /// calls are in flight than the allowance says; and what is left alone is forgotten.
    #[test]
    fn it_keeps_its_promises_after_any_events(events in events()) {
        let (mut breaker, mut now, mut seq) = (Breaker::default(), at(100_000), 0);
        // Exact promises are kept by a clock that never went back.
        let (mut newest, mut steady) = (now, true);
        let mut held: Vec<Stamp> = Vec::new();
        for event in events {
            match event {
                Event::Wait(ms) => now = now + Duration::from_millis(ms),
                Event::Back(ms) => {
                    now = now.before(Duration::from_millis(ms));
                    steady = false;
                }
                Event::Pass => match breaker.gate(now) {
                    Gate::Shut { .. } => {}
                    gate => {
                        seq += 1;
                        if gate == Gate::Probe {
                            breaker.admitted(now);
                            held.push(Stamp { seq, admitted: now });
                        }
                    }
                },
                Event::Report(i, samples) => {
                    let samples: Vec<Sample> = samples
                        .into_iter()
                        .map(|(age, succeeded, failed)| Sample { age, succeeded, failed })
                        .collect();
                    breaker.report(&samples, held.get(i).copied(), seq, now);
                }
                Event::End(i, ended) => if i < held.len() {
                    breaker.ended(held.remove(i), ended, seq, now);
                },
                Event::Lift => {
                    breaker.lift(seq, now);
                    prop_assert_eq!(breaker.gate(now), Gate::Open);
                }
            }
            if let Some(tripped) = breaker.tripped(now) {
                prop_assert!(breaker.out(now) <= u64::from(tripped.allowance(now)) || !steady);
            }
            newest = newest.max(now);
            if let Gate::Shut { until, reason } = breaker.gate(now) {
                prop_assert_eq!(reason, Reason::Overloaded);
                prop_assert!(until > now && until.since(now) <= LONGEST_PAUSE);
                if steady {
                    let early = breaker.gate(until.before(MS).max(now));
                    let shut = matches!(early, Gate::Shut { .. });
                    prop_assert!(shut, "open before {:?}", until);
                    prop_assert_eq!(breaker.gate(until), Gate::Probe);
                }
            }
            let later = newest + IDLE + LONGEST_PAUSE + MEMORY;
            prop_assert!(breaker.forgettable(later) && breaker.gate(later) == Gate::Open);
        }
    }
}
