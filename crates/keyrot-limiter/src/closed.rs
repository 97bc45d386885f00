//! What is closed to the later requests of a class among those that are decided together: a request that
//! was refused for capacity would otherwise starve while small ones keep taking what becomes free.

use std::time::Duration;

use keyrot_core::{Ask, Candidate, Domain, KeyId, LimitKind, Limits, Refusal, Why};

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
            let (domain, kind) = match (refusal.why, &ask.caller) {
                (Why::Limit(kind), _) => (candidate.domain, kind),
                // What can never fit waits for nothing, and keeps out nobody after it.
                (Why::Caller(kind), Some(caller)) if refusal.retry_after < Duration::MAX => {
                    (caller.ledger, kind)
                }
                _ => continue,
            };
            self.0.push(Entry {
                class: ask.class,
                domain: domain.clone(),
                key: candidate.key.clone(),
                kind,
                wait: refusal.retry_after,
            });
        }
    }

    /// The longest that anything closed keeps `candidate` out.
    pub(crate) fn refusal(&self, ask: &Ask<'_>, candidate: &Candidate<'_>) -> Option<Refusal> {
        let of_class = || self.0.iter().filter(|entry| entry.class == ask.class);
        let here = of_class().filter(|entry| {
            let places = entry.kind == LimitKind::Concurrency;
            let key = entry.key == *candidate.key && candidate.concurrency.is_some();
            if places { key } else { entry.concerns(ask, candidate.domain, &candidate.limits) }
        });
        let own = of_class().filter(|entry| {
            ask.caller.is_some_and(|caller| entry.concerns(ask, caller.ledger, &caller.limits))
        });
        let here = here.map(|entry| Refusal { retry_after: entry.wait, why: Why::Limit(entry.kind) });
        let own = own.map(|entry| Refusal { retry_after: entry.wait, why: Why::Caller(entry.kind) });
        here.chain(own).max_by_key(|refusal| refusal.retry_after)
    }
}

impl Entry {
    /// Whether the request takes anything of this limit of a ledger.
    fn concerns(&self, ask: &Ask<'_>, ledger: &Domain, limits: &Limits) -> bool {
        let takes = match self.kind {
            LimitKind::Rpm => limits.rpm.is_some(),
            LimitKind::Rpd => limits.rpd.is_some(),
            LimitKind::Burst => limits.burst.is_some(),
            LimitKind::Tpm => return ask.cost.tokens > 0 && self.domain == *ledger && limits.tpm.is_some(),
            LimitKind::Concurrency => false,
        };
        takes && ask.cost.requests > 0 && self.domain == *ledger
    }
}
