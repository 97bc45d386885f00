//! Settings out of a pipe that the user named, as in `--env-file <(command)`.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::time::Duration;

use keyrot_core::Clock as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::clock::SystemClock;

/// The longest that the other end may take: it may ask a store for secrets first.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is written to a pipe that was opened without waiting, up to one byte more than `most`.
pub(super) fn read(mut pipe: File, most: u64) -> Result<Vec<u8>, String> {
    let clock = SystemClock::start();
    let end = clock.now() + TIMEOUT;
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    while bytes.len() as u64 <= most {
        let left = end.since(clock.now());
        if left.is_zero() {
            return Err(format!("it was not written to its end within {} s", TIMEOUT.as_secs()));
        }
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(&pipe, PollFlags::IN)], Some(&left)) {
            // Nobody has written yet, and read would take that for the end.
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
        match pipe.read(&mut part) {
            Ok(0) => break,
            Ok(n) => bytes.extend_from_slice(&part[..n]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(bytes)
}
