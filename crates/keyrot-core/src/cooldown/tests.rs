//! The machine's promises: refused before, admitted at, monotone within a generation.

use proptest::prelude::*;

use super::*;

/// The first escalating cooldown of everything but an overloaded model.
const FIRST: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn start() -> Timestamp {
    at("2026-11-23T20:00:00Z")
}

fn at(text: &str) -> Timestamp {
    let ms = text.parse::<jiff::Timestamp>().expect(text).as_millisecond();
    Timestamp::from_millis(u64::try_from(ms).expect("after 1970"))
}

/// One scope with a clock and a count of admissions, as a store drives it.
#[derive(Debug, Clone)]
struct Store {
    cooldown: Cooldown,
    now: Timestamp,
    seq: u64,
}

impl Store {
    fn new() -> Self {
        Self { cooldown: Cooldown::default(), now: start(), seq: 100 }
    }

    fn gate(&self) -> Gate {
        self.cooldown.gate(self.now)
    }

    fn shut_at(&self, at: Timestamp) -> bool {
        matches!(self.cooldown.gate(at), Gate::Shut { .. })
    }

    /// An admission, whether or not the gate would have let it pass.
    fn admission(&mut self) -> Stamp {
        self.seq += 1;
        Stamp { seq: self.seq, admitted: self.now }
    }

    fn probe(&mut self) -> (PermitId, Stamp) {
        assert_eq!(self.gate(), Gate::Probe);
        let stamp = self.admission();
        let permit = PermitId(stamp.seq.into());
        self.cooldown.take_probe(permit, self.now + PROBE_TIME);
        (permit, stamp)
    }

    fn throttle(&mut self, stamp: Stamp) -> Option<Duration> {
        let cool = CoolFor::Escalating { at_least: Duration::ZERO };
        let until = self.cooldown.cool(cool, Reason::Throttled, Some(stamp), self.seq, self.now);
        until.map(|until| until.since(self.now))
    }
}

#[derive(Debug, Clone)]
enum Event {
    Wait(Duration),
    /// A report on the admission this many before the newest; `None`: an operator's.
    Cool(CoolFor, Reason, Option<u64>),
    Lift,
    /// Takes the probe's place if it is free.
    Probe,
    Cancel,
    Success,
}

fn durations() -> impl Strategy<Value = Duration> {
    prop_oneof![
        (0_u64..2_000).prop_map(Duration::from_millis),
        (0_u64..7_200).prop_map(Duration::from_secs),
        (0_u64..60).prop_map(|h| Duration::from_secs(h * 3600)),
    ]
}

fn reasons() -> impl Strategy<Value = Reason> {
    prop::sample::select(vec![
        Reason::QuotaMinute,
        Reason::QuotaDay,
        Reason::QuotaZero,
        Reason::Throttled,
        Reason::KeyRejected(KeyFault::Invalid),
        Reason::ProjectRejected(ProjectFault::Denied),
        Reason::Overloaded,
        Reason::Operator,
    ])
}

fn cools() -> impl Strategy<Value = CoolFor> {
    prop_oneof![
        4 => durations().prop_map(CoolFor::After),
        4 => durations().prop_map(|at_least| CoolFor::Escalating { at_least }),
        2 => Just(CoolFor::NextPacificMidnight),
        1 => Just(CoolFor::UntilLifted),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => durations().prop_map(Event::Wait),
        4 => (cools(), reasons(), prop::option::weighted(0.9, 0_u64..20))
            .prop_map(|(cool, reason, back)| Event::Cool(cool, reason, back)),
        1 => Just(Event::Lift),
        3 => Just(Event::Probe),
        1 => Just(Event::Cancel),
        1 => Just(Event::Success),
    ];
    prop::collection::vec(event, 1..40)
}

fn cases() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    /// After any events: what is shut stays shut until the very instant it names, is passable at
    /// it, and lets one probe through where it is half-open. Within a generation a report never
    /// brings the end nearer. What was admitted before a lift changes nothing.
    #[test]
    fn every_promise_holds_after_any_events(events in events()) {
        let mut store = Store::new();
        let mut admitted = vec![store.admission()];
        let mut probe = None;
        let mut lifted = 0;
        for event in events {
            match event {
                Event::Wait(d) => store.now = store.now + d,
                Event::Cool(cool, reason, back) => {
                    let back = back.map(|b| usize::try_from(b).expect("small"));
                    let stamp = back.map(|b| admitted[admitted.len().saturating_sub(b + 1)]);
                    let (before, seq, now) = (store.clone(), store.seq, store.now);
                    let until = store.cooldown.cool(cool, reason, stamp, seq, now);
                    if let Some(stamp) = stamp && stamp.seq <= lifted && before.cooldown.lifted.is_some() {
                        prop_assert_eq!(until, None);
                        prop_assert_eq!(store.cooldown, before.cooldown);
                        continue;
                    }
                    let old = before.cooldown.state.map_or(now, |s| s.until);
                    prop_assert!(until.is_some_and(|until| until >= old && until >= now));
                    if until.is_some_and(|until| until > now) {
                        let shut = matches!(store.gate(), Gate::Shut { until: u, .. } if Some(u) == until);
                        prop_assert!(shut, "{:?} said {:?}", store.gate(), until);
                    }
                }
                Event::Lift => {
                    lifted = store.seq;
                    store.cooldown.lift(store.seq, store.now);
                    prop_assert_eq!(store.gate(), Gate::Open);
                }
                Event::Probe => if store.gate() == Gate::Probe {
                    let (permit, stamp) = store.probe();
                    admitted.push(stamp);
                    probe = Some((permit, stamp));
                    prop_assert!(store.shut_at(store.now), "a probe was taken twice");
                } else if store.gate() == Gate::Open {
                    admitted.push(store.admission());
                },
                Event::Cancel => if let Some((permit, _)) = probe.take() {
                    store.cooldown.freed(permit);
                },
                Event::Success => if let Some((permit, stamp)) = probe.take() {
                    let was_probe = store.cooldown.probe_is(permit);
                    let lifts = store.cooldown.succeeded(permit, stamp, store.seq, store.now);
                    prop_assert!(lifts || !was_probe);
                    if lifts {
                        lifted = store.seq;
                        prop_assert_eq!(store.gate(), Gate::Open);
                        prop_assert_eq!(store.cooldown.strikes(), 0);
                    }
                },
            }
            if let Gate::Shut { until, .. } = store.gate() && until != Timestamp::NEVER {
                let half_open = store.cooldown.state.is_some_and(|s| s.half_open);
                let last = until.before(MS).max(store.now);
                prop_assert!(store.shut_at(last), "open before {:?}", until);
                let then = store.cooldown.gate(until);
                let stale = store.cooldown.state.is_some_and(|s| until >= s.until + MEMORY);
                prop_assert_eq!(then, if half_open && !stale { Gate::Probe } else { Gate::Open });
            }
        }
    }

    /// A clock that is put back, by however much, makes no cooldown longer than it was decided to be,
    /// nor one that does not remember its length longer than its reason allows.
    #[test]
    fn a_clock_that_is_put_back_makes_nothing_longer(
        (cool, reason, probed) in (cools(), reasons(), any::<bool>()),
        (back, waits) in (durations(), durations()),
        forgotten in any::<bool>(),
    ) {
        let mut store = Store::new();
        let stamp = store.admission();
        let until = store.cooldown.cool(cool, reason, Some(stamp), store.seq, store.now);
        let mut most = until.map_or(Duration::ZERO, |until| until.since(store.now));
        if let (true, Some(state)) = (forgotten, &mut store.cooldown.state) {
            state.lasts = None;
            most = reason.longest();
        }
        store.now = store.now + waits;
        if probed && store.gate() == Gate::Probe {
            store.probe();
            most = most.max(PROBE_TIME);
        }
        let then = store.now.before(back);
        match store.cooldown.gate(then) {
            Gate::Shut { until, .. } => {
                let never = until == Timestamp::NEVER && cool == CoolFor::UntilLifted;
                prop_assert!(never || until.since(then) <= most, "{:?} more", until.since(then));
            }
            Gate::Open | Gate::Probe => prop_assert!(cool != CoolFor::UntilLifted),
        }
    }

    /// However many reports one storm brings, in whatever order: one strike.
    #[test]
    fn one_storm_is_one_strike(order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle()) {
        let mut store = Store::new();
        let stamps: Vec<Stamp> = order.iter().map(|_| store.admission()).collect();
        for i in order {
            prop_assert_eq!(store.throttle(stamps[i]), Some(FIRST));
            prop_assert_eq!(store.cooldown.strikes(), 1);
        }
    }
}

#[test]
fn failed_probes_double_from_30_seconds_to_30_minutes() {
    let mut store = Store::new();
    let mut stamp = store.admission();
    for seconds in [30, 60, 120, 240, 480, 960, 1800, 1800, 1800] {
        assert_eq!(store.throttle(stamp), Some(Duration::from_secs(seconds)));
        store.now = store.now + Duration::from_secs(seconds);
        stamp = store.probe().1;
        store.now = store.now + SECOND;
    }
}

#[test]
fn a_servers_own_hint_is_the_least_wait() {
    let mut store = Store::new();
    let stamp = store.admission();
    let hour = Duration::from_secs(3600);
    let cool = CoolFor::Escalating { at_least: hour };
    let until = store.cooldown.cool(cool, Reason::Throttled, Some(stamp), store.seq, store.now);
    assert_eq!(until, Some(store.now + hour));
}

#[test]
fn a_probe_is_taken_once_and_freed_by_cancelling_or_by_its_deadline() {
    let mut store = Store::new();
    let stamp = store.admission();
    store.throttle(stamp);
    store.now = store.now + FIRST;
    let (cancelled, _) = store.probe();
    let shut = Gate::Shut { until: store.now + PROBE_TIME, reason: Reason::Throttled };
    assert_eq!(store.gate(), shut);
    store.cooldown.freed(cancelled);
    let (expired, _) = store.probe();
    assert_eq!(store.cooldown.strikes(), 1, "a cancelled probe counts neither way");
    store.now = store.now + PROBE_TIME.saturating_sub(MS);
    assert!(store.shut_at(store.now));
    store.now = store.now + MS;
    store.probe();
    // The first two come back late: they hold no place any more.
    store.cooldown.freed(cancelled);
    store.cooldown.freed(expired);
    assert!(store.shut_at(store.now));
}

#[test]
fn a_probe_that_succeeds_late_lifts_unless_another_has_failed_since() {
    for fails in [false, true] {
        let mut store = Store::new();
        let stamp = store.admission();
        store.throttle(stamp);
        store.now = store.now + FIRST;
        let (late, admitted) = store.probe();
        store.now = store.now + PROBE_TIME;
        let (_, second) = store.probe();
        if fails {
            store.throttle(second);
        }
        assert_eq!(store.cooldown.succeeded(late, admitted, store.seq, store.now), !fails);
        assert_eq!(store.gate() == Gate::Open, !fails);
    }
}

#[test]
fn a_late_part_of_the_storm_neither_ends_nor_replaces_the_probe() {
    let mut store = Store::new();
    let (first, late) = (store.admission(), store.admission());
    store.throttle(first);
    store.now = store.now + FIRST;
    let (probe, admitted) = store.probe();
    assert_eq!(store.throttle(late), Some(FIRST), "the storm is not over");
    assert_eq!(store.cooldown.strikes(), 1);
    store.cooldown.succeeded(probe, admitted, store.seq, store.now);
    assert_eq!(store.gate(), Gate::Open);
}

#[test]
fn a_lift_makes_every_earlier_permit_a_stranger() {
    let mut store = Store::new();
    let (early, late) = (store.admission(), store.admission());
    store.throttle(early);
    store.cooldown.lift(store.seq, store.now);
    assert_eq!(store.throttle(late), None);
    assert_eq!(store.gate(), Gate::Open);
    let after = store.admission();
    assert_eq!(store.throttle(after), Some(FIRST));
}

#[test]
fn a_success_clears_the_streak_once_the_scope_is_open() {
    let mut store = Store::new();
    let (stamp, b) = (store.admission(), store.admission());
    store.throttle(stamp);
    store.cooldown.succeeded(PermitId(b.seq.into()), b, store.seq, store.now);
    assert_eq!(store.cooldown.strikes(), 1, "a success from before the storm says nothing about it");
    let hour = Duration::from_secs(3600);
    store.cooldown.cool(CoolFor::After(hour), Reason::QuotaMinute, Some(b), store.seq, store.now);
    store.now = store.now + hour;
    assert_eq!(store.gate(), Gate::Open, "a minute's quota simply ends");
    store.cooldown.succeeded(PermitId(7), stamp, store.seq, store.now);
    assert_eq!(store.cooldown.strikes(), 0);
}

#[test]
fn an_acquittal_takes_back_its_own_reason_and_no_other() {
    let mut store = Store::new();
    let stamp = store.admission();
    store.throttle(stamp);
    store.cooldown.acquit(Reason::Throttled);
    assert_eq!(store.gate(), Gate::Open);
    store.cooldown.cool(CoolFor::NextPacificMidnight, Reason::QuotaDay, Some(stamp), store.seq, store.now);
    store.throttle(stamp);
    store.cooldown.acquit(Reason::Throttled);
    assert_eq!(store.cooldown.reason(store.now), Some(Reason::QuotaDay));
    assert_eq!(store.cooldown.strikes(), 0);
}

/// (admitted, reported, open again, by one probe)
const DAYS: &[(&str, &str, &str, bool)] = &[
    ("2026-11-23T20:00:00Z", "2026-11-23T20:00:02Z", "2026-11-24T08:00:00Z", false),
    // Just before midnight, and a second after it.
    ("2026-11-24T07:59:58Z", "2026-11-24T07:59:59Z", "2026-11-24T08:00:00Z", false),
    ("2026-11-24T07:59:59Z", "2026-11-24T08:00:01Z", "2026-11-24T08:10:01Z", true),
    // Admitted and refused right after midnight: whose day was meant is not known.
    ("2026-11-24T08:09:58Z", "2026-11-24T08:09:59Z", "2026-11-24T08:19:59Z", true),
    ("2026-11-24T08:09:59Z", "2026-11-24T08:10:00Z", "2026-11-25T08:00:00Z", false),
    // The answer took more than ten minutes into the next day: that day is untouched.
    ("2026-11-24T07:59:00Z", "2026-11-24T08:15:00Z", "2026-11-24T08:15:01Z", false),
    // 8 March 2026 has 23 hours, 1 November 25.
    ("2026-03-08T09:00:00Z", "2026-03-08T09:00:01Z", "2026-03-09T07:00:00Z", false),
    ("2026-03-09T06:59:59Z", "2026-03-09T07:00:01Z", "2026-03-09T07:10:01Z", true),
    ("2026-11-01T07:30:00Z", "2026-11-01T07:30:01Z", "2026-11-02T08:00:00Z", false),
    ("2026-11-02T07:30:00Z", "2026-11-02T07:30:01Z", "2026-11-02T08:00:00Z", false),
];

#[test]
fn a_day_ends_at_the_midnight_after_the_admission() {
    for &(admitted, reported, opens, probe) in DAYS {
        let mut cooldown = Cooldown::default();
        let stamp = Stamp { seq: 1, admitted: at(admitted) };
        let until =
            cooldown.cool(CoolFor::NextPacificMidnight, Reason::QuotaDay, Some(stamp), 1, at(reported));
        assert_eq!(until, Some(at(opens)), "{admitted}, {reported}");
        let then = if probe { Gate::Probe } else { Gate::Open };
        assert_eq!(cooldown.gate(at(opens)), then, "{admitted}, {reported}");
    }
}

#[test]
fn a_scope_is_forgotten_a_day_after_its_last_news() {
    let mut store = Store::new();
    let stamp = store.admission();
    assert!(store.cooldown.forgettable(store.now));
    store.throttle(stamp);
    let end = store.now + FIRST + MEMORY;
    assert!(!store.cooldown.forgettable(end.before(MS)));
    assert_eq!(store.cooldown.gate(end.before(MS)), Gate::Probe);
    assert!(store.cooldown.forgettable(end));
    assert_eq!(store.cooldown.gate(end), Gate::Open);
    store.cooldown.lift(store.seq, store.now);
    assert!(!store.cooldown.forgettable(store.now), "a late report must still be known for what it is");
    assert!(store.cooldown.forgettable(store.now + MEMORY));
    let cool = CoolFor::UntilLifted;
    store.cooldown.cool(cool, Reason::KeyRejected(KeyFault::Leaked), None, store.seq, store.now);
    assert!(!store.cooldown.forgettable(store.now + MEMORY * 10_000));
}
