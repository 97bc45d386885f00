//! How every key stands before a request: for status, `explain`, and the error that lists every key.

use std::time::Duration;

use keyrot_core::{Cost, Limits, RateLimiter, Standing, Timestamp, Why};
use keyrot_secrets::{Resolved, SecretCache};

use crate::acquire;
use crate::lane::Lane;
use crate::pool::Pool;

/// When to ask again a store that could not say how the keys stand.
const SOON: Duration = Duration::from_secs(1);

/// How one key stands.
#[derive(Debug)]
pub(crate) struct Verdict {
    /// Its place in the roster.
    pub(crate) index: u32,
    /// Why a request cannot go, in words; `None` when it can.
    pub(crate) why: Option<String>,
    /// Why not, where limits or cooldowns say so.
    pub(crate) cause: Option<Why>,
    /// Until when; `None` with a reason is "until something changes".
    pub(crate) until: Option<Timestamp>,
    /// What the limiter counts, where it counts anything for this key.
    pub(crate) standing: Option<Standing>,
    /// The limits in force, where the key may serve at all.
    pub(crate) limits: Option<Limits>,
}

impl Pool {
    /// How every key of `lane`'s kind stands before a request of `cost`: one question to the store.
    pub(crate) async fn verdicts(&self, lane: &Lane, cost: Cost, now: Timestamp) -> Vec<Verdict> {
        let roster = &lane.roster;
        let (mut verdicts, mut counted, mut candidates) = (Vec::new(), Vec::new(), Vec::new());
        for (index, key) in roster.indexed() {
            if (Some(index) == roster.last_resort) != lane.key.last_resort {
                continue;
            }
            let resolved = self.secrets.get(&key.id);
            let why = lane.out(index, &self.secrets, resolved.as_deref(), now);
            let mut verdict = Verdict { index, why, cause: None, until: None, standing: None, limits: None };
            if let (Some(group), Some(resolved)) = (lane.group(&key.project), resolved) {
                let candidate = lane.candidate(index, group, &resolved, now);
                verdict.limits = Some(candidate.limits);
                counted.push((verdicts.len(), group));
                candidates.push(candidate);
            }
            verdicts.push(verdict);
        }
        match self.patiently(self.limiter.snapshot(&candidates, lane.key.method, cost)).await {
            Ok(standings) => {
                for ((at, group), standing) in counted.into_iter().zip(standings) {
                    let verdict = &mut verdicts[at];
                    // What keys.json says outranks what the limiter would.
                    if let Some(refusal) = standing.refusal.as_ref().filter(|_| verdict.why.is_none()) {
                        let until = acquire::until(refusal, &lane.groups[group as usize], now);
                        verdict.why = Some(refusal.why.to_string());
                        verdict.cause = Some(refusal.why);
                        verdict.until = (until < Timestamp::NEVER).then_some(until);
                    }
                    verdict.standing = Some(standing);
                }
            }
            Err(error) => {
                for (at, _) in counted {
                    let verdict = &mut verdicts[at];
                    if verdict.why.is_none() {
                        verdict.why = Some(error.to_string());
                        verdict.until = Some(now + SOON);
                    }
                }
            }
        }
        verdicts
    }
}

impl Lane {
    /// Why a key cannot serve here, whatever the limiter says.
    pub(crate) fn out(
        &self,
        index: u32,
        secrets: &SecretCache,
        resolved: Option<&Resolved>,
        now: Timestamp,
    ) -> Option<String> {
        let key = self.roster.key(index);
        if let Err(why) = self.key.admits(key) {
            return Some(why.to_owned());
        }
        if key.expires_at.is_some_and(|at| at <= now) {
            return Some("expired by its `expires_at`".to_owned());
        }
        resolved.is_none().then(|| {
            secrets
                .problem(&key.id)
                .map_or_else(|| "its secret is not set".to_owned(), |p| p.error.to_string())
        })
    }
}
