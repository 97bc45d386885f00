//! Requests in flight, for keys whose concurrency is limited.

use std::time::Duration;

use keyrot_core::{LimitKind, PermitId, Refusal, Timestamp, Why};

/// The places one key has given away. A place comes back when its permit ends or its lease passes.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Vec<(PermitId, Timestamp)>);

impl InFlight {
    pub(crate) fn refusal(&mut self, limit: u32, now: Timestamp) -> Option<Refusal> {
        self.0.retain(|(_, until)| *until > now);
        if self.0.len() < limit as usize {
            return None;
        }
        let first = self.0.iter().map(|(_, until)| *until).min()?;
        Some(Refusal { retry_after: first.since(now), why: Why::Limit(LimitKind::Concurrency) })
    }

    pub(crate) fn enter(&mut self, permit: PermitId, lease: Duration, now: Timestamp) {
        self.0.push((permit, now + lease));
    }

    pub(crate) fn leave(&mut self, permit: PermitId) {
        self.0.retain(|(id, _)| *id != permit);
    }

    pub(crate) fn count(&self, now: Timestamp) -> u32 {
        u32::try_from(self.0.iter().filter(|(_, until)| *until > now).count()).unwrap_or(u32::MAX)
    }
}
