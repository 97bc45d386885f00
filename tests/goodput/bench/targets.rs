//! What the table must show, as figures with bounds.

use std::fmt;

use gemini_sim::Window;

use keyrot_core::PoolConfig;

use crate::bench::figures::Figures;
use crate::bench::run::Trace;
use crate::bench::scenario::{Arrivals, Case, Scenario, Skew, Trouble};
use crate::bench::world::{Answer, Attempt};

/// A request that waits longer than this because of the load alone is not promised an answer. In seconds: half
/// of what requests may wait.
const BACKLOG: f64 = 60.0;
/// After an outage the pool is at its capacity again after this, and a call's length.
const RECOVERY_MS: u64 = 10_000;
/// For which it is then watched.
const WATCHED_MS: u64 = 60_000;

/// Which way a figure may miss.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// A figure and its bound.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Target {
    row: String,
    demand: u64,
    what: &'static str,
    figure: f64,
    bound: Bound,
    /// With the space before it.
    unit: &'static str,
}

impl Target {
    pub(crate) fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtLeast(bound) => self.figure >= bound,
            Bound::AtMost(bound) => self.figure <= bound,
        }
    }

    /// Whether it is the same target at another demand, and farther from its bound.
    fn is_worse_than(&self, other: &Self) -> bool {
        match (self.bound, other.bound) {
            (Bound::AtLeast(own), Bound::AtLeast(bound)) => self.figure / own < other.figure / bound,
            (Bound::AtMost(own), Bound::AtMost(bound)) => self.figure - own > other.figure - bound,
            _ => false,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { row, demand, what, figure, bound, unit } = self;
        let (most, bound) = match bound {
            Bound::AtLeast(bound) => ("≥", bound),
            Bound::AtMost(bound) => ("≤", bound),
        };
        let digits = usize::from(*unit == " %") + usize::from(*unit == " %" && *bound < 1.0);
        let verdict = if self.is_met() { "ok" } else { "MISSED" };
        write!(
            f,
            "| {row} | {what} | {demand} % | {figure:.digits$}{unit} | {most} {bound:.digits$}{unit} | {verdict} |"
        )
    }
}

/// The worst of each target over the demands, in the order in which they came.
pub(crate) fn worst(targets: Vec<Target>) -> Vec<Target> {
    let mut worst: Vec<Target> = Vec::new();
    for target in targets {
        match worst.iter_mut().find(|known| known.row == target.row && known.what == target.what) {
            None => worst.push(target),
            Some(known) if target.is_worse_than(known) => *known = target,
            Some(_) => {}
        }
    }
    worst
}

/// The targets of one run of the pool.
pub(crate) fn of(case: &Case, trace: &Trace, figures: &Figures) -> Vec<Target> {
    let mut list = List { case, targets: Vec::new() };
    list.shares(figures);
    if case.backlog() < BACKLOG && !matches!(case.scenario.trouble, Trouble::Outage(_)) {
        list.at_most("requests failed", figures.failed as f64, 0.0, "");
    }
    match case.scenario.trouble {
        Trouble::Outage(share) => list.outage(trace, share),
        Trouble::BrokenKey => list.broken_key(trace),
        Trouble::Poisoned(_) => list.poisoned(trace),
        _ => {}
    }
    if case.scenario.declared > 1 {
        list.wrong_limits(trace);
    }
    list.targets
}

struct List<'a> {
    case: &'a Case,
    targets: Vec<Target>,
}

impl List<'_> {
    fn push(&mut self, what: &'static str, figure: f64, bound: Bound, unit: &'static str) {
        let Case { scenario, demand, .. } = self.case;
        self.targets.push(Target { row: scenario.name.clone(), demand: *demand, what, figure, bound, unit });
    }

    fn at_least(&mut self, what: &'static str, figure: f64, bound: f64, unit: &'static str) {
        self.push(what, figure, Bound::AtLeast(bound), unit);
    }

    fn at_most(&mut self, what: &'static str, figure: f64, bound: f64, unit: &'static str) {
        self.push(what, figure, Bound::AtMost(bound), unit);
    }

    fn shares(&mut self, figures: &Figures) {
        const SHARE: &str = "share of capacity";
        let Scenario { trouble, declared, window, skew, arrivals, processes, .. } = &self.case.scenario;
        let share = figures.share * 100.0;
        let refused = figures.refused as f64;
        let is_plain = *trouble == Trouble::Nothing
            && *declared == 1
            && *window == Window::Sliding
            && *skew == Skew::None;
        if is_plain {
            let even = *arrivals == Arrivals::Even && *processes == 1;
            self.at_least(SHARE, share, if even { 99.0 } else { 97.0 }, " %");
            self.at_most("calls answered with 429", refused, 0.0, "");
        } else if matches!(trouble, Trouble::Overloaded(_)) {
            self.at_least(SHARE, share, 97.0, " %");
        } else if *window == Window::FixedMinute || matches!(skew, Skew::Constant(_)) {
            self.at_least(SHARE, share, 97.0, " %");
            self.at_most("429s among the calls", 100.0 * refused / figures.calls.max(1) as f64, 0.5, " %");
        }
    }

    /// "Two per cent of the calls made without a breaker", and the way back.
    fn outage(&mut self, trace: &Trace, share: f64) {
        let (from, to) = self.case.span.outage();
        let rate = self.case.rate().min(self.case.capacity_rate());
        if share >= 1.0 {
            let sent = trace.attempts.iter().filter(|a| (from..to).contains(&a.sent)).count();
            // Each request would be tried as often as it may, and there is quota for no more.
            let tries = f64::from(PoolConfig::default().max_retries + 1);
            let rate = (self.case.rate() * tries).min(self.case.capacity_rate());
            let unguarded = rate * (to - from) as f64 / 1_000.0;
            self.at_most("calls sent in the outage", 100.0 * sent as f64 / unguarded, 2.0, " %");
        }
        let call = u64::try_from(self.case.scenario.call.as_millis()).unwrap_or(u64::MAX);
        let back = to + RECOVERY_MS + call;
        let mut sent: Vec<u64> = trace
            .attempts
            .iter()
            .filter(|a| a.answer == Answer::Good && a.sent >= to)
            .map(|a| a.sent)
            .collect();
        sent.sort_unstable();
        // At every moment at least as many as from a pool that began at full capacity at `back`: what the windows
        // let through in a burst is not asked for twice.
        let share = (1..=WATCHED_MS / 1_000).map(|second| {
            let served = sent.partition_point(|at| *at < back + second * 1_000);
            served as f64 / (rate * second as f64)
        });
        self.at_least("capacity after the outage", 100.0 * share.fold(f64::INFINITY, f64::min), 95.0, " %");
    }

    /// Calls in the worst of all minutes.
    fn broken_key(&mut self, trace: &Trace) {
        let calls = trace.attempts.iter().filter(|a| a.project == 0);
        let mut minutes = std::collections::BTreeMap::<u64, usize>::new();
        for call in calls {
            *minutes.entry(call.sent / 60_000).or_default() += 1;
        }
        let worst = minutes.values().copied().max().unwrap_or_default();
        self.at_most("calls to the key in a minute", worst as f64, 10.0, "");
    }

    fn poisoned(&mut self, trace: &Trace) {
        let mut calls = vec![0_usize; trace.requests.len()];
        trace.attempts.iter().for_each(|attempt| calls[attempt.request] += 1);
        let poisoned = trace.requests.iter().filter(|(request, _)| request.poisoned);
        let most = poisoned.map(|(request, _)| calls[request.number]).max().unwrap_or_default();
        self.at_most("calls for a poisoned prompt", most as f64, 3.0, "");
    }

    /// What was sent once the first refusal of a project was known.
    fn wrong_limits(&mut self, trace: &Trace) {
        let refused = |project: usize| {
            trace.attempts.iter().filter(move |a| a.project == project && a.answer == Answer::Refused)
        };
        let (mut beyond, mut later) = (0, 0);
        for project in 0..self.case.scenario.projects {
            let Some(known) = refused(project).map(|first: &Attempt| first.ended).min() else { continue };
            beyond = beyond.max(refused(project).filter(|a| a.sent > known).count());
            later += refused(project).filter(|a| a.sent > known + 2 * 60_000).count();
        }
        self.at_most("429s of a project past the first", beyond as f64, 2.0, "");
        self.at_most("429s two minutes later", later as f64, 0.0, "");
    }
}
