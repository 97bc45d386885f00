//! Processes that are killed while they write.

use tempfile::tempdir;

use super::child;
use super::rig::{Way, assert_whole, open, rpm};

/// Whatever a killed process was told is counted, and at most what its threads were about to be told
/// besides.
#[test]
fn a_killed_process_leaves_a_whole_file_and_every_charge() {
    const ROUNDS: u64 = 20;
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    let way = Way { concurrency: Some(u32::MAX), ..Way::new(rpm(1_000_000)) };
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
        let standing = way.standing(&open(&path));
        let most = told + (round + 1) * 2;
        assert!((told..=most).contains(&standing.requests), "{standing:?}, and {told} were told");
        assert_eq!(
            (standing.tokens, u64::from(standing.in_flight)),
            (standing.requests * 5, standing.requests)
        );
        assert_eq!(standing.day, standing.requests);
    }
}
