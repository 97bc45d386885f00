//! What is known of one key's secret: the last good one, when it is to be read again, and what went wrong.

use std::fmt;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use keyrot_core::{Fingerprint, KeyId, SecretError, Timestamp};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// The longest wait before a store that did not answer, or has no secret for a key, is asked again.
const AGAIN: Duration = Duration::from_secs(30);

/// A key's secret as it was last read.
#[derive(Clone)]
pub struct Resolved {
    /// The key.
    pub key_id: KeyId,
    /// Its secret.
    pub secret: SecretString,
    /// What condemnations of this secret are filed under.
    pub fingerprint: Fingerprint,
    /// The store's version label, where it has one.
    pub version: Option<String>,
    /// When this version was written, where the store knows.
    pub written_at: Option<Timestamp>,
    /// What was mended on the way, for a warning.
    pub mended: Option<&'static str>,
}

impl Resolved {
    /// The same for the same secret under whatever key, and for no other one.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let digest = Sha256::digest(self.secret.expose_secret());
        let mut first = [0_u8; 8];
        first.copy_from_slice(&digest[..8]);
        u64::from_be_bytes(first)
    }
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key_id, secret: _, fingerprint, version, written_at, mended } = self;
        f.debug_struct("Resolved")
            .field("key_id", key_id)
            .field("fingerprint", fingerprint)
            .field("version", version)
            .field("written_at", written_at)
            .field("mended", mended)
            .finish_non_exhaustive()
    }
}

/// Why a key's secret could not be read again.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Problem {
    /// When that was first so.
    pub since: Timestamp,
    /// What the store said the last time.
    pub error: SecretError,
}

#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) good: ArcSwapOption<Resolved>,
    /// Held while somebody reads.
    pub(crate) reading: tokio::sync::Mutex<Reading>,
    plan: Mutex<Plan>,
}

/// What only who reads needs to know.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// When it was last read because it was rejected.
    pub(crate) forced: Option<Timestamp>,
    /// The secret that was rejected, and how long to wait before the next look for another one.
    rejected: Option<(Fingerprint, Duration)>,
}

#[derive(Debug, Default)]
struct Plan {
    due: Timestamp,
    problem: Option<Problem>,
}

impl Slot {
    pub(crate) fn due(&self) -> Timestamp {
        self.plan.lock().due
    }

    pub(crate) fn problem(&self) -> Option<Problem> {
        self.plan.lock().problem.clone()
    }

    /// The store gave `fresh`; gives what was there before.
    pub(crate) fn keep(
        &self,
        fresh: &std::sync::Arc<Resolved>,
        reading: &mut Reading,
        now: Timestamp,
        period: Duration,
    ) -> Option<Fingerprint> {
        let wait = match &mut reading.rejected {
            // Nothing goes before it changes: look more often, but not for ever.
            Some((rejected, wait)) if *rejected == fresh.fingerprint => {
                let this = (*wait).min(period);
                *wait = this * 2;
                this
            }
            _ => {
                reading.rejected = None;
                period
            }
        };
        *self.plan.lock() = Plan { due: now + wait, problem: None };
        self.good.swap(Some(std::sync::Arc::clone(fresh))).map(|before| before.fingerprint)
    }

    /// The store gave nothing: the last good one stays.
    pub(crate) fn lament(&self, error: &SecretError, now: Timestamp, period: Duration) {
        let wait = match error {
            SecretError::Unavailable { .. } => AGAIN.min(period / 4),
            _ if self.good.load().is_none() => AGAIN.min(period),
            _ => period,
        };
        let mut plan = self.plan.lock();
        let since = plan.problem.as_ref().map_or(now, |problem| problem.since);
        *plan = Plan { due: now + wait, problem: Some(Problem { since, error: error.clone() }) };
    }
}

impl Reading {
    /// The secret with this fingerprint was rejected.
    pub(crate) fn reject(&mut self, fingerprint: Fingerprint) {
        if self.rejected.is_none_or(|(known, _)| known != fingerprint) {
            self.rejected = Some((fingerprint, AGAIN));
        }
    }
}
