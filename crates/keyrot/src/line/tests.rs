//! Order within a class, turns between classes, sleep, and nobody forgotten however he leaves.

use std::collections::BTreeSet;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_util::FutureExt;
use keyrot_core::FakeClock;
use proptest::prelude::*;

use super::*;

const T0: Timestamp = Timestamp::from_millis(1_000_000);

/// Who of `places` may ask now.
fn asking(places: &[Place<'_>], clock: &FakeClock) -> Vec<usize> {
    let mut may: Vec<usize> = Vec::new();
    // Whoever gets a turn may pass another on by it.
    for _ in 0..2 {
        let ready = |place: &&Place<'_>| place.turn(clock).now_or_never().is_some();
        may = places.iter().enumerate().filter(|(_, place)| ready(place)).map(|(i, _)| i).collect();
    }
    may
}

fn turn(place: &Place<'_>, clock: &FakeClock) -> Turn {
    place.turn(clock).now_or_never().expect("its turn")
}

#[test]
fn one_asks_and_each_grant_lets_one_more_ask_at_once() {
    let (line, clock) = (Line::default(), FakeClock::new(T0));
    let mut places: Vec<_> = (0..5_000).map(|_| line.join(1, 1)).collect();
    let mut most = 0;
    while !places.is_empty() {
        let may = asking(&places, &clock);
        assert_eq!(may, (0..may.len()).collect::<Vec<_>>(), "in the order they came");
        most = most.max(may.len());
        // All that ask are granted in one round trip.
        places.drain(..may.len()).for_each(Place::granted);
    }
    assert_eq!(most, MOST_ASKING);
    assert_eq!(line.waiting(), 0);
}

#[test]
fn a_class_sleeps_behind_its_first_and_another_class_does_not() {
    let (line, clock) = (Line::default(), FakeClock::new(T0));
    let (large, small, other) = (line.join(1, 1), line.join(1, 1), line.join(2, 1));
    let until = T0 + Duration::from_secs(5);
    large.refused(&turn(&large, &clock), until, Keeps::All, T0);
    let places = [large, small, other];
    assert_eq!(asking(&places, &clock), [2]);
    let [large, small, other] = places;
    other.granted();
    clock.advance(Duration::from_secs(5));
    let places = [large, small];
    assert_eq!(asking(&places, &clock), [0, 1]);
}

#[test]
fn a_large_one_lets_smaller_ones_go_on_and_no_equal_one() {
    let (line, clock) = (Line::default(), FakeClock::new(T0));
    for (behind, goes_on) in [(5, false), (4, true)] {
        let places = [line.join(1, 5), line.join(1, behind)];
        let until = T0 + Duration::from_secs(5);
        assert_eq!(places[0].refused(&turn(&places[0], &clock), until, Keeps::Size, T0), goes_on);
        assert_eq!(asking(&places, &clock).contains(&1), goes_on);
    }
}

#[test]
fn what_is_only_his_own_past_keeps_nobody_else() {
    let (line, clock) = (Line::default(), FakeClock::new(T0));
    let places = [line.join(1, 1), line.join(1, 1)];
    places[0].refused(&turn(&places[0], &clock), T0 + Duration::from_secs(5), Keeps::Own, T0);
    assert_eq!(asking(&places, &clock), [1]);
    clock.advance(Duration::from_secs(5));
    let [first, second] = places;
    second.granted();
    assert_eq!(asking(&[first], &clock), [0]);
}

#[test]
fn what_is_freed_while_an_answer_is_on_its_way_lets_nobody_sleep() {
    let (line, clock) = (Line::default(), FakeClock::new(T0));
    let place = line.join(1, 1);
    let asked = turn(&place, &clock);
    line.wake(T0);
    place.refused(&asked, T0 + Duration::from_secs(60), Keeps::All, T0);
    let asked = turn(&place, &clock);
    place.refused(&asked, T0 + Duration::from_secs(60), Keeps::All, T0);
    assert!(place.turn(&clock).now_or_never().is_none());
    line.wake(T0);
    turn(&place, &clock);
}

#[test]
fn classes_take_turns_however_many_wait_in_each() {
    let (line, clock) = (Line::default(), FakeClock::new(T0));
    let mut places: Vec<_> =
        (0..100).map(|i| (u32::from(i >= 90), line.join(u32::from(i >= 90), 1))).collect();
    let mut served = Vec::new();
    // One place comes free at a time.
    for _ in 0..20 {
        let at = places.iter().position(|(_, place)| place.turn(&clock).now_or_never().is_some());
        let (class, place) = places.remove(at.expect("somebody's turn"));
        served.push(class);
        line.state.lock().window = 0;
        place.granted();
        line.state.lock().window = 1;
    }
    assert_eq!(served.iter().filter(|class| **class == 1).count(), 10, "{served:?}");
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Join(u32, u64),
    /// Somebody gives up, whatever he is doing.
    Leave(usize),
    /// Whoever asks is granted, refused for so long, or refused for his own past.
    Answer(usize, Option<(u64, Keeps)>),
    Wake,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let keeps = prop_oneof![4 => Just(Keeps::All), 2 => Just(Keeps::Size), 1 => Just(Keeps::Own)];
    let refused = prop::option::of((0_u64..3_000, keeps));
    prop_oneof![
        4 => (0_u32..3, 1_u64..3).prop_map(|(class, tokens)| Step::Join(class, tokens)),
        2 => any::<usize>().prop_map(Step::Leave),
        6 => (any::<usize>(), refused).prop_map(|(who, how)| Step::Answer(who, how)),
        1 => Just(Step::Wake),
        2 => (0_u64..2_000).prop_map(Step::Pass),
    ]
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Turn> + 'a>>;

proptest! {
    /// Whoever stays is served in the end, in the order of his class; nobody is forgotten.
    #[test]
    fn nobody_is_forgotten(steps in prop::collection::vec(step(), 0..120)) {
        let (line, clock) = (Line::default(), FakeClock::new(T0));
        let mut places: Vec<(u32, Place<'_>)> = Vec::new();
        for step in steps {
            match step {
                Step::Join(class, tokens) => places.push((class, line.join(class, tokens))),
                Step::Leave(who) if !places.is_empty() => drop(places.remove(who % places.len())),
                Step::Answer(who, how) if !places.is_empty() => {
                    let who = who % places.len();
                    if let Some(turn) = places[who].1.turn(&clock).now_or_never() {
                        match how {
                            Some((ms, keeps)) => {
                                let now = clock.now();
                                places[who].1.refused(&turn, now + Duration::from_millis(ms), keeps, now);
                            }
                            None => places.remove(who).1.granted(),
                        }
                    }
                }
                Step::Wake => line.wake(clock.now()),
                Step::Pass(ms) => clock.advance(Duration::from_millis(ms)),
                Step::Leave(_) | Step::Answer(..) => {}
            }
        }
        clock.advance(Duration::from_secs(3));
        // Who has a turn already may use it, though somebody before him was refused meanwhile.
        let may = |place: &Place<'_>| {
            let state = line.state.lock();
            let class = state.classes.iter().find(|class| class.name == place.class);
            class.and_then(|class| class.find(place.ticket).map(|at| class.waiting[at].asking))
        };
        let asking = places.iter().filter(|(_, place)| may(place) == Some(true)).count();
        prop_assert_eq!(line.waiting(), places.len() - asking);
        let had_turn: Vec<bool> = places.iter().map(|(_, place)| may(place) == Some(true)).collect();
        // From here on everybody polls once, is woken, and is granted whenever it is his turn.
        let mut left: BTreeSet<usize> = (0..places.len()).collect();
        let mut waits: Vec<Option<Waiting<'_>>> =
            places.iter().map(|(_, place)| Some(Box::pin(place.turn(&clock)) as Waiting<'_>)).collect();
        while !left.is_empty() {
            let ready = left.iter().copied().find(|i| {
                waits[*i].as_mut().is_some_and(|wait| pin!(wait.as_mut()).now_or_never().is_some())
            });
            let Some(who) = ready else { return Err(TestCaseError::fail(format!("{left:?} are forgotten"))) };
            let earlier = left.range(..who).find(|i| places[**i].0 == places[who].0);
            if let Some(earlier) = earlier.filter(|_| !had_turn[who]) {
                prop_assert_eq!(may(&places[*earlier].1), Some(true), "{} overtook {}", who, earlier);
            }
            waits[who] = None;
            left.remove(&who);
            let mut state = line.state.lock();
            state.window = (state.window + 1).min(MOST_ASKING);
            state.leave(places[who].0, places[who].1.ticket);
        }
    }
}
