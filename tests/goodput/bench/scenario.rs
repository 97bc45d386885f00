//! What one row of the table is about: a pool, a load, and what goes wrong.

use std::ops::RangeInclusive;
use std::time::Duration;

use gemini_sim::Window;

/// Time in which the limiter counts a request: the minute, a slot of 250 ms and the guard of 250 ms.
pub(crate) const WINDOW_MS: u64 = 60_500;
/// One way through the network takes so many milliseconds.
pub(crate) const NETWORK_MS: RangeInclusive<u64> = 5..=45;
/// Both ways, on average.
const NETWORK_MEAN: Duration = Duration::from_millis(50);

/// How requests arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrivals {
    Even,
    Poisson,
    /// So many clients, each of which asks again once it has its answer, whatever the demand; no limits.
    Clients(usize),
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Trouble {
    Nothing,
    /// A key is revoked in the middle of the measured time.
    KeyRevoked,
    /// A project has used up its day in the middle of the measured time.
    DayUsedUp,
    /// This share of calls is answered with 503.
    Overloaded(f64),
    /// This share of calls is answered with 503 for a minute.
    Outage(f64),
    /// One prompt in so many is always answered with 500; ten of them come in a row.
    Poisoned(usize),
    /// One key's calls are always answered with 500.
    BrokenKey,
    /// The shared store does not answer for 20 s.
    StoreAway,
}

/// How the server's clock stands to ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Skew {
    None,
    /// Ahead by so many milliseconds.
    Constant(i64),
    /// Set back by so many milliseconds in the middle of the measured time.
    SetBack(i64),
}

impl Skew {
    /// Milliseconds by which the server's clock is ahead.
    pub(crate) const fn at(self, now: u64, span: Span) -> i64 {
        match self {
            Self::None => 0,
            Self::Constant(ms) => ms,
            Self::SetBack(ms) if now >= span.middle() => -ms,
            Self::SetBack(_) => 0,
        }
    }
}

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    /// Projects of one key each.
    pub(crate) projects: usize,
    /// Requests per minute that the server allows each project.
    pub(crate) rpm: u64,
    /// How many times as much keys.json says.
    pub(crate) declared: u64,
    pub(crate) arrivals: Arrivals,
    /// How long a successful call takes.
    pub(crate) call: Duration,
    pub(crate) window: Window,
    pub(crate) skew: Skew,
    /// Processes that share a store.
    pub(crate) processes: usize,
    pub(crate) trouble: Trouble,
}

impl Scenario {
    /// Ten projects of 60 requests per minute, even arrivals, calls of one second, nothing wrong.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            projects: 10,
            rpm: 60,
            declared: 1,
            arrivals: Arrivals::Even,
            call: Duration::from_secs(1),
            window: Window::Sliding,
            skew: Skew::None,
            processes: 1,
            trouble: Trouble::Nothing,
        }
    }

    /// Requests per second that the limits allow by their numbers.
    pub(crate) fn nominal(&self) -> f64 {
        self.projects as f64 * self.rpm as f64 / 60.0
    }
}

/// When a run measures. In milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    /// Start of the measured time; before it the windows fill.
    pub(crate) from: u64,
    /// End of the measured time, and of the arrivals.
    pub(crate) to: u64,
}

impl Span {
    /// So many windows to fill, and so many to measure: whole windows, so that bursts at their starts do not
    /// count for more than they are.
    pub(crate) const fn windows(fill: u64, measured: u64) -> Self {
        Self { from: fill * WINDOW_MS, to: (fill + measured) * WINDOW_MS }
    }

    /// The middle of the measured time, by whole windows: when keys are revoked and days end.
    pub(crate) const fn middle(self) -> u64 {
        self.from + (self.to - self.from) / WINDOW_MS / 2 * WINDOW_MS
    }

    /// The minute of an outage.
    pub(crate) const fn outage(self) -> (u64, u64) {
        let from = self.from + WINDOW_MS / 2;
        (from, from + 60_000)
    }

    /// The 20 s in which the store is away.
    pub(crate) const fn store_away(self) -> (u64, u64) {
        let from = self.from + WINDOW_MS / 2;
        (from, from + 20_000)
    }

    /// Whether `at` is measured.
    pub(crate) const fn holds(self, at: u64) -> bool {
        self.from <= at && at < self.to
    }

    /// Measured seconds.
    pub(crate) fn seconds(self) -> f64 {
        (self.to - self.from) as f64 / 1_000.0
    }
}

/// One run: a row at one demand.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) scenario: Scenario,
    /// Demand in per cent of the nominal limits.
    pub(crate) demand: u64,
    pub(crate) span: Span,
    pub(crate) seed: u64,
}

impl Case {
    /// Arrivals per second.
    pub(crate) fn rate(&self) -> f64 {
        self.scenario.nominal() * self.demand as f64 / 100.0
    }

    /// Calls per second that the window arithmetic allows all projects.
    pub(crate) fn capacity_rate(&self) -> f64 {
        let Scenario { projects, rpm, .. } = &self.scenario;
        *projects as f64 * *rpm as f64 * 1_000.0 / WINDOW_MS as f64
    }

    /// Calls per second that are possible: by the limits, or by the clients there are.
    fn possible_rate(&self) -> f64 {
        match self.scenario.arrivals {
            Arrivals::Even | Arrivals::Poisson => self.capacity_rate(),
            Arrivals::Clients(clients) => clients as f64 / (self.scenario.call + NETWORK_MEAN).as_secs_f64(),
        }
    }

    /// Answers that the window arithmetic allows in the measured time, less what the row's trouble takes.
    pub(crate) fn capacity(&self) -> f64 {
        let all = self.possible_rate() * self.span.seconds();
        let one = all / self.scenario.projects as f64;
        let left = (self.span.to - self.span.middle()) as f64 / (self.span.to - self.span.from) as f64;
        match self.scenario.trouble {
            // The windows are empty after an outage of a minute: nothing is lost that cannot be made up for.
            Trouble::Nothing | Trouble::StoreAway | Trouble::Poisoned(_) | Trouble::Outage(_) => all,
            Trouble::KeyRevoked | Trouble::DayUsedUp => all - one * left,
            Trouble::Overloaded(share) => all * (1.0 - share),
            Trouble::BrokenKey => all - one,
        }
    }

    /// Seconds that the last request of the run waits at least, because demand exceeds capacity.
    pub(crate) fn backlog(&self) -> f64 {
        // A poisoned prompt may cost three calls, and only those of the others are counted as answers.
        let calls = match self.scenario.trouble {
            Trouble::Poisoned(one_in) => 1.0 + 2.0 / one_in as f64,
            _ => 1.0,
        };
        if let Arrivals::Clients(_) = self.scenario.arrivals {
            return 0.0;
        }
        let allowed = self.capacity() / self.span.seconds();
        (self.rate() * calls / allowed - 1.0).max(0.0) * self.span.to as f64 / 1_000.0
    }

    /// The day's limit of the first project, where it is to be used up.
    pub(crate) fn day_limit(&self) -> Option<u64> {
        let pace = self.scenario.rpm * self.demand.min(100) / 100;
        (self.scenario.trouble == Trouble::DayUsedUp).then_some(pace * (self.span.middle() / WINDOW_MS))
    }
}
