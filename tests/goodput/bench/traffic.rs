//! The load: when each request arrives, the same for every policy.

use crate::bench::scenario::{Arrivals, Case, Trouble};

/// One request of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Request {
    /// In order of arrival, from 0.
    pub(crate) number: usize,
    /// Milliseconds since the run began.
    pub(crate) arrives: u64,
    /// The server fails at its prompt, always.
    pub(crate) poisoned: bool,
}

impl Request {
    pub(crate) const fn new(case: &Case, number: usize, arrives: u64) -> Self {
        let poisoned = match case.scenario.trouble {
            // Ten in a row: who meets such a failure tries again.
            Trouble::Poisoned(one_in) => number % (10 * one_in) < 10,
            _ => false,
        };
        Self { number, arrives, poisoned }
    }
}

/// The requests of a run that come whatever happens to them, in order.
pub(crate) fn requests(case: &Case) -> Vec<Request> {
    let mut rng = fastrand::Rng::with_seed(case.seed);
    let gap = 1_000.0 / case.rate();
    let mut at = 0.0;
    let mut all = Vec::new();
    while at < case.span.to as f64 {
        let wait = match case.scenario.arrivals {
            Arrivals::Even => gap,
            Arrivals::Poisson => -gap * (1.0 - rng.f64()).ln(),
            Arrivals::Clients(_) => break,
        };
        all.push(Request::new(case, all.len(), at as u64));
        at += wait;
    }
    all
}
