//! Probes that are out: calls of this process whose end opens what is half-open, or shuts it again.

use std::time::Duration;

use keyrot_core::{PermitId, Timestamp};
use parking_lot::Mutex;

/// How far two readings of the clock for one moment may lie apart.
const SLACK: Duration = Duration::from_secs(1);

/// The probes that are out, each with the end of its lease.
///
/// A limiter shuts what is being probed until the end of the probe's lease, which is the longest it
/// can take: the call itself ends long before.
#[derive(Debug, Default)]
pub(crate) struct Probes(Mutex<Vec<(PermitId, Timestamp)>>);

impl Probes {
    pub(crate) fn sent(&self, permit: PermitId, until: Timestamp, now: Timestamp) {
        let mut out = self.0.lock();
        out.retain(|(_, until)| *until > now);
        out.push((permit, until));
    }

    pub(crate) fn back(&self, permit: PermitId) {
        self.0.lock().retain(|(id, _)| *id != permit);
    }

    /// Whether a refusal until `until` means "until a probe is back".
    pub(crate) fn end_at(&self, until: Timestamp) -> bool {
        self.0.lock().iter().any(|(_, end)| end.since(until) < SLACK && until.since(*end) < SLACK)
    }
}
