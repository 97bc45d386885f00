//! The counting against a naive one that keeps every admitted request and counts afresh each time.

use proptest::prelude::*;

use super::*;

/// Admitted requests: when, and with how many tokens.
type History = Vec<(u64, u64)>;

fn in_window(history: &History, now: u64, window: Window) -> History {
    let counts = |at: u64| match window {
        Window::Sliding => now - at < MINUTE,
        Window::FixedMinute => now / MINUTE == at / MINUTE,
    };
    history.iter().copied().filter(|(at, _)| counts(*at)).collect()
}

fn fits(history: &History, now: u64, tokens: u64, quota: Quota, window: Window) -> bool {
    let minute = in_window(history, now, window);
    let today = history.iter().filter(|(at, _)| PacificDay::of(*at) == PacificDay::of(now)).count();
    let used: u64 = minute.iter().map(|(_, tokens)| tokens).sum();
    quota.rpm.is_none_or(|limit| (minute.len() as u64) < limit)
        && quota.tpm.is_none_or(|limit| limit > 0 && used + tokens <= limit)
        && quota.rpd.is_none_or(|limit| (today as u64) < limit)
}

fn windows() -> impl Strategy<Value = Window> {
    prop_oneof![Just(Window::Sliding), Just(Window::FixedMinute)]
}

fn limit(range: std::ops::Range<u64>) -> impl Strategy<Value = Option<u64>> {
    proptest::option::of(range)
}

/// 2026-03-08 and 2026-11-01 are the days of 23 and 25 hours.
fn starts() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1_772_950_000_000_u64), Just(1_793_510_000_000), Just(1_750_000_000_000)]
}

proptest! {
    #[test]
    fn admits_exactly_what_a_naive_count_admits(
        window in windows(),
        start in starts(),
        rpm in limit(0..6),
        tpm in limit(0..200),
        rpd in limit(0..40),
        steps in proptest::collection::vec((prop_oneof![0_u64..30_000, Just(60_000), 0_u64..20_000_000], 0_u64..120), 1..80),
    ) {
        let quota = Quota { rpm, tpm, rpd };
        let (mut bucket, mut history, mut now) = (Bucket::default(), History::new(), start);
        for (seq, (step, tokens)) in steps.into_iter().enumerate() {
            now += step;
            let admitted = bucket.admit(seq as u64, now, tokens, quota, window).is_ok();
            prop_assert_eq!(admitted, fits(&history, now, tokens, quota, window));
            if admitted {
                history.push((now, tokens));
            }
        }
    }

    #[test]
    fn the_promised_instant_is_the_first_that_fits(
        window in windows(),
        start in starts(),
        rpm in limit(1..6),
        tpm in limit(100..200),
        rpd in limit(1..10),
        steps in proptest::collection::vec((0_u64..20_000, 0_u64..100), 1..40),
    ) {
        let quota = Quota { rpm, tpm, rpd };
        let (mut bucket, mut history, mut now) = (Bucket::default(), History::new(), start);
        for (seq, (step, tokens)) in steps.into_iter().enumerate() {
            now += step;
            match bucket.admit(seq as u64, now, tokens, quota, window) {
                Ok(()) => history.push((now, tokens)),
                Err(violations) => {
                    let ready = violations.iter().map(|it| it.ready_at).max().unwrap();
                    prop_assert!(ready > now);
                    prop_assert!(!fits(&history, ready - 1, tokens, quota, window));
                    prop_assert!(fits(&history, ready, tokens, quota, window));
                }
            }
        }
    }
}

#[test]
fn a_sliding_minute_forgets_each_request_after_sixty_seconds() {
    let quota = Quota { rpm: Some(1), ..Quota::UNLIMITED };
    let mut bucket = Bucket::default();
    assert!(bucket.admit(0, 59_999, 1, quota, Window::Sliding).is_ok());
    assert!(bucket.admit(1, 119_998, 1, quota, Window::Sliding).is_err());
    assert!(bucket.admit(2, 119_999, 1, quota, Window::Sliding).is_ok());
}

#[test]
fn an_aligned_minute_forgets_everything_at_once() {
    let quota = Quota { rpm: Some(1), ..Quota::UNLIMITED };
    let mut bucket = Bucket::default();
    assert!(bucket.admit(0, 59_999, 1, quota, Window::FixedMinute).is_ok());
    assert!(bucket.admit(1, 60_000, 1, quota, Window::FixedMinute).is_ok());
    assert!(bucket.admit(2, 119_999, 1, quota, Window::FixedMinute).is_err());
}

#[test]
fn corrected_tokens_count_from_then_on() {
    let quota = Quota { tpm: Some(100), ..Quota::UNLIMITED };
    let mut bucket = Bucket::default();
    assert!(bucket.admit(0, 0, 10, quota, Window::Sliding).is_ok());
    bucket.correct(0, 95);
    assert!(bucket.admit(1, 1, 10, quota, Window::Sliding).is_err());
    bucket.correct(0, u64::MAX);
    assert!(bucket.admit(2, 2, u64::MAX, quota, Window::Sliding).is_err());
}
