//! Keys to choose from.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrayvec::ArrayVec;
use keyrot_core::{
    Ask, Candidate, Cost, Domain, Fingerprint, KeyId, LimitError, Limits, MAX_CANDIDATES, Method, PermitId,
    RateLimiter, Reply,
};

/// What a request costs.
pub(crate) const COST: Cost = Cost { requests: 1, tokens: 100 };

/// Of all pools of this process: a name used again would be a question asked again.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Keys, each of a project of its own, and names for permits.
#[derive(Debug)]
pub(crate) struct Pool {
    keys: Vec<(KeyId, Fingerprint, Domain, Limits)>,
    /// What tells this process's permits from others'.
    process: u128,
}

impl Pool {
    pub(crate) fn new(limits: &[Limits], model: &str) -> anyhow::Result<Self> {
        let key = |(i, limits): (usize, &Limits)| {
            let id = KeyId::new(&format!("k{i}"))?;
            let fingerprint = Fingerprint::of(&id, "secret");
            Ok((id, fingerprint, Domain::new(format!("p{i}"), model), *limits))
        };
        let keys = limits.iter().enumerate().map(key).collect::<anyhow::Result<_>>()?;
        let process = u128::from(std::process::id()) << 64;
        Ok(Self { keys, process })
    }

    /// `keys` keys with limits that are counted and never reached.
    pub(crate) fn wide(keys: usize, model: &str) -> anyhow::Result<Self> {
        let limits = Limits { rpm: Some(1 << 40), tpm: Some(1 << 50), rpd: Some(1 << 40), burst: None };
        Self::new(&vec![limits; keys], model)
    }

    /// Asks for one of up to 16 keys, beginning with another one each time.
    pub(crate) async fn reserve(&self, store: &impl RateLimiter) -> Result<Reply, LimitError> {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let start = usize::try_from(n).unwrap_or(0) % self.keys.len();
        let order = self.keys[start..].iter().chain(&self.keys[..start]);
        let candidates: ArrayVec<Candidate<'_>, MAX_CANDIDATES> = order
            .take(MAX_CANDIDATES)
            .map(|(key, fingerprint, domain, limits)| Candidate {
                key,
                fingerprint: *fingerprint,
                domain,
                limits: *limits,
                concurrency: None,
            })
            .collect();
        let ask = Ask {
            permit: PermitId(self.process | u128::from(n)),
            candidates: &candidates,
            method: Method::Generate,
            cost: COST,
            lease: Duration::from_secs(60),
            class: 0,
            caller: None,
        };
        store.reserve(&ask).await
    }
}
