//! What is closed to the later requests of a class among those that are decided together: a request that
//! was refused for capacity would otherwise starve while small ones keep taking what becomes free.

use std::time::Duration;

use keyrot_core::{Ask, Candidate, Domain, KeyId, LimitKind, Refusal, Why};

/// Limits that refused a request, each for as long as it said.
#[derive(Debug, Default)]
pub(crate) struct Closed(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    class: u32,
    domain: Domain,
    /// Places in flight are a key's.
    key: KeyId,
    kind: LimitKind,
    wait: Duration,
}

impl Closed {
    /// Takes note of what refused `ask`, if no candidate may go.
    pub(crate) fn close(&mut self, ask: &Ask<'_>, refusals: &[Refusal]) {
        for (candidate, refusal) in ask.candidates.iter().zip(refusals) {
            if let Why::Limit(kind) = refusal.why {
                self.0.push(Entry {
                    class: ask.class,
                    domain: candidate.domain.clone(),
                    key: candidate.key.clone(),
                    kind,
                    wait: refusal.retry_after,
                });
            }
        }
    }

    /// The longest that anything closed keeps `candidate` out.
    pub(crate) fn refusal(&self, ask: &Ask<'_>, candidate: &Candidate<'_>) -> Option<Refusal> {
        let closed = self.0.iter().filter(|entry| entry.class == ask.class && entry.concerns(ask, candidate));
        let longest = closed.max_by_key(|entry| entry.wait)?;
        Some(Refusal { retry_after: longest.wait, why: Why::Limit(longest.kind) })
    }
}

impl Entry {
    /// Whether the request takes anything of this limit.
    fn concerns(&self, ask: &Ask<'_>, candidate: &Candidate<'_>) -> bool {
        let requests = ask.cost.requests > 0 && self.domain == *candidate.domain;
        match self.kind {
            LimitKind::Rpm => requests && candidate.limits.rpm.is_some(),
            LimitKind::Rpd => requests && candidate.limits.rpd.is_some(),
            LimitKind::Burst => requests && candidate.limits.burst.is_some(),
            LimitKind::Tpm => {
                ask.cost.tokens > 0 && self.domain == *candidate.domain && candidate.limits.tpm.is_some()
            }
            LimitKind::Concurrency => self.key == *candidate.key && candidate.concurrency.is_some(),
        }
    }
}
