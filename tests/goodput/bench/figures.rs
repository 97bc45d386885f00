//! What a run came to: the columns of the table.

use crate::bench::run::Trace;
use crate::bench::scenario::{Arrivals, Case, Span};
use crate::bench::world::Answer;

/// The columns. Share and waits are of the measured time, what went wrong is of the whole run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figures {
    /// Answers as a share of what was asked for and the window arithmetic allows.
    pub(crate) share: f64,
    /// Calls answered with 429.
    pub(crate) refused: usize,
    /// Calls answered with 503.
    pub(crate) overloaded: usize,
    /// Requests that failed, those with poisoned prompts aside.
    pub(crate) failed: usize,
    /// All calls.
    pub(crate) calls: usize,
    /// Milliseconds from a request's arrival to the call that was answered: the median and the 99th percentile.
    pub(crate) wait: (u64, u64),
}

impl Figures {
    pub(crate) fn of(case: &Case, trace: &Trace) -> Self {
        let span = case.span;
        let count = |answer| trace.attempts.iter().filter(|attempt| attempt.answer == answer).count();
        let good = trace.attempts.iter().filter(|a| a.answer == Answer::Good && span.holds(a.sent)).count();
        let healthy = trace.requests.iter().filter(|(request, _)| !request.poisoned);
        let asked_for = match case.scenario.arrivals {
            Arrivals::Even | Arrivals::Poisson => {
                healthy.clone().filter(|(r, _)| span.holds(r.arrives)).count() as f64
            }
            // Clients ask for more as soon as they have an answer.
            Arrivals::Clients(_) => f64::INFINITY,
        };
        Self {
            share: good as f64 / case.capacity().min(asked_for),
            refused: count(Answer::Refused),
            overloaded: count(Answer::Overloaded),
            failed: healthy.filter(|(_, answered)| !answered).count(),
            calls: trace.attempts.len(),
            wait: waits(trace, span),
        }
    }
}

fn waits(trace: &Trace, span: Span) -> (u64, u64) {
    let mut waits: Vec<u64> = trace
        .attempts
        .iter()
        .filter(|attempt| attempt.answer == Answer::Good)
        .map(|attempt| (attempt.sent, trace.requests[attempt.request].0.arrives))
        .filter(|(_, arrived)| span.holds(*arrived))
        .map(|(sent, arrived)| sent - arrived)
        .collect();
    waits.sort_unstable();
    let at = |per_cent: usize| waits.get(waits.len() * per_cent / 100).copied().unwrap_or_default();
    (at(50), at(99))
}
