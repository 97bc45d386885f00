//! Answers by the caller's own thread, and their order with what is done by the store's.

use futures_util::future::poll_immediate;
use keyrot_core::{Ended, PermitId, RateLimiter};
use keyrot_testkit::limiter::{FREE, Way, rpm, tokens};
use pollster::block_on;
use tempfile::tempdir;

use super::rig::{go, open};

const ROUNDS: u128 = 2_000;

#[test]
fn who_is_alone_has_the_answer_without_waiting() {
    let folder = tempdir().expect("a folder");
    let (store, way) = (open(&folder.path().join("state.db")), Way::sole(FREE));
    // The first of a process is the thread's.
    go(&store, &way, 0).expect("no limit");
    for id in 1..100 {
        block_on(store.flush()).expect("the store is there");
        let reply = block_on(poll_immediate(way.ask(&store, PermitId(id), tokens(5))));
        let permit = reply.expect("an answer").expect("the store is there").expect("no limit").permit;
        block_on(store.release(&permit, Ended::Succeeded)).expect("the store is there");
    }
}

/// Whichever thread does either: what is given back is there for the next, also by another handle.
#[test]
fn no_answer_overtakes_what_was_accepted_before() {
    let folder = tempdir().expect("a folder");
    let store = open(&folder.path().join("state.db"));
    let (handles, way) = ([store.clone(), store], Way::sole(rpm(1)).at_once(1));
    for id in 0..ROUNDS {
        let [one, other] = [0, 1].map(|turn| &handles[usize::from((id + turn).is_multiple_of(2))]);
        let permit = go(one, &way, id).expect("what was refunded is there").permit;
        block_on(other.release(&permit, Ended::NeverSent)).expect("the store is there");
    }
}

#[test]
fn who_gives_up_is_not_charged_for_the_next_question() {
    let folder = tempdir().expect("a folder");
    let (store, way) = (open(&folder.path().join("state.db")), Way::sole(rpm(1)).at_once(1));
    let mut given_up = 0;
    for round in 0..ROUNDS {
        let permit = go(&store, &way, round * 2).expect("what was given up is there").permit;
        block_on(store.release(&permit, Ended::NeverSent)).expect("the store is there");
        // Behind the release, unless that is done already.
        let reply = block_on(poll_immediate(way.ask(&store, PermitId(round * 2 + 1), tokens(5))));
        match reply {
            None => given_up += 1,
            Some(reply) => {
                let permit = reply.expect("the store is there").expect("room").permit;
                block_on(store.release(&permit, Ended::NeverSent)).expect("the store is there");
            }
        }
    }
    assert!(given_up > 0, "every answer came at once");
}
