//! Processes that are killed while they write.

use keyrot_testkit::limiter::{Way, rpm};
use tempfile::tempdir;

use super::child;
use super::rig::{assert_whole, open, standing};

/// Whatever a killed process was told is counted, and at most what its threads were about to be told
/// besides.
#[test]
fn a_killed_process_leaves_a_whole_file_and_every_charge() {
    const ROUNDS: u64 = 20;
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let way = Way::sole(rpm(1_000_000)).at_once(u32::MAX);
    let mut told = 0;
    for round in 0..ROUNDS {
        let mut child = child::start(&format!("take {} {} 1000000 1000000", path.display(), round << 32));
        let mut said = child::lines(&mut child).filter(|line| line.contains("got "));
        let before_the_end = 5 + round * 17 % 90;
        for _ in 0..before_the_end {
            said.next().expect("a permit");
        }
        child.kill().expect("a child that runs");
        told += before_the_end + said.count() as u64;
        child.wait().expect("a child that ended");
        assert_whole(&path);
        let now = standing(&open(&path), &way);
        let most = told + (round + 1) * 2;
        assert!((told..=most).contains(&now.requests), "{now:?}, and {told} were told");
        assert_eq!((now.tokens, u64::from(now.in_flight)), (now.requests * 5, now.requests));
        assert_eq!(now.day, now.requests);
    }
}
