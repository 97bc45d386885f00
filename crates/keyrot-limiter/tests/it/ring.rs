//! The ring alone, with clocks no store would have.

use std::time::Duration;

use keyrot_core::{Cost, LimitKind, Limits, Timestamp};
use keyrot_limiter::window::{Full, Ring};
use proptest::prelude::*;

const GUARD: Duration = Duration::from_millis(250);
const ONE: Cost = Cost { requests: 1, tokens: 0 };

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + ms)
}

#[test]
fn when_time_runs_backwards_the_newest_slot_takes_the_charge() {
    let limits = Limits { rpm: Some(2), ..Limits::default() };
    let mut ring = Ring::default();
    let newest = ring.charge(ONE, at(50_000));
    assert_eq!(ring.charge(ONE, at(0)), newest);
    for now in [at(0), at(50_000), at(110_499)] {
        ring.prune(GUARD, now);
        let full = Full { kind: LimitKind::Rpm, at: Some(at(110_500)) };
        assert_eq!(ring.full(&limits, ONE, GUARD, now), Some(full));
    }
    ring.prune(GUARD, at(110_500));
    assert_eq!(ring.requests(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the clock does: what is told of the future comes true, and sums never go astray.
    #[test]
    fn it_survives_any_clock(times in prop::collection::vec((0_u64..200_000, 0_u32..4, 0_u64..90), 1..200)) {
        let limits = Limits { rpm: Some(12), tpm: Some(300), rpd: None, burst: Some(5) };
        let mut ring = Ring::default();
        for (ms, requests, tokens) in times {
            let (now, cost) = (at(ms), Cost { requests, tokens });
            ring.prune(GUARD, now);
            match ring.full(&limits, cost, GUARD, now) {
                None => {
                    let slot = ring.charge(cost, now);
                    ring.amend(slot, tokens, tokens / 2);
                }
                Some(Full { at: opens, .. }) => {
                    let opens = opens.expect("each cost alone fits");
                    prop_assert!(opens > now);
                    let mut later = ring.clone();
                    later.prune(GUARD, opens);
                    prop_assert_eq!(later.full(&limits, cost, GUARD, opens), None);
                }
            }
            prop_assert!(ring.requests() <= 12 && ring.tokens() <= 300);
        }
        ring.prune(GUARD, at(1_000_000));
        prop_assert_eq!((ring.requests(), ring.tokens()), (0, 0));
    }
}
