//! Time as data: [`Timestamp`], the [`Clock`] everybody asks, and a [`FakeClock`] for tests.

use std::fmt;
use std::future::Future;
use std::ops::Add;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// An instant: milliseconds since the Unix epoch.
///
/// Arithmetic saturates, so no timestamp can overflow.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The farthest instant: "until somebody lifts it".
    pub const NEVER: Self = Self(u64::MAX);

    /// `ms` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms)
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The instant `by` before this one, the epoch at the earliest.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(millis_up(by)))
    }
}

/// Whole milliseconds of a duration, rounded up: a wait must never end early.
fn millis_up(d: Duration) -> u64 {
    u64::try_from(d.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(millis_up(by)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match i64::try_from(self.0).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()) {
            Some(t) => write!(f, "{t:.0}"),
            None => f.write_str("never"),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self}, {} ms)", self.0)
    }
}

/// A boxed future that ends when a clock reaches an instant.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where "now" comes from. Never runs backwards within one value.
///
/// Decisions do not hold a clock, they take `now`; whoever drives them holds one.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current instant.
    fn now(&self) -> Timestamp;

    /// A future that ends once [`now`](Self::now) is `at` or later.
    fn sleep_until(&self, at: Timestamp) -> Sleep;
}

const _: fn(&dyn Clock) = |_| {};

/// A clock that moves only when told to. Clones share the time.
///
/// ```
/// use std::time::Duration;
/// use keyrot_core::{Clock, FakeClock, Timestamp};
/// let clock = FakeClock::new(Timestamp::from_millis(1_000));
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(clock.now(), Timestamp::from_millis(2_000));
/// ```
#[derive(Clone, Debug)]
pub struct FakeClock {
    state: Arc<Mutex<FakeState>>,
}

#[derive(Debug)]
struct FakeState {
    now: Timestamp,
    sleepers: Vec<(Timestamp, u64, Waker)>,
    next_id: u64,
}

impl FakeClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { state: Arc::new(Mutex::new(FakeState { now, sleepers: Vec::new(), next_id: 0 })) }
    }

    /// Moves the time on by `by` and wakes every sleeper whose instant has come.
    pub fn advance(&self, by: Duration) {
        let to = self.now() + by;
        self.advance_to(to);
    }

    /// Moves the time on to `to` (never back) and wakes every sleeper whose instant has come.
    pub fn advance_to(&self, to: Timestamp) {
        let due: Vec<Waker> = {
            let mut state = self.state.lock();
            state.now = state.now.max(to);
            let now = state.now;
            let (due, rest) =
                std::mem::take(&mut state.sleepers).into_iter().partition(|(at, ..)| *at <= now);
            state.sleepers = rest;
            let due: Vec<(Timestamp, u64, Waker)> = due;
            due.into_iter().map(|(.., waker)| waker).collect()
        };
        for waker in due {
            waker.wake();
        }
    }

    /// The earliest instant anybody sleeps for, if anybody does.
    #[must_use]
    pub fn next_sleeper(&self) -> Option<Timestamp> {
        self.state.lock().sleepers.iter().map(|(at, ..)| *at).min()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        self.state.lock().now
    }

    fn sleep_until(&self, at: Timestamp) -> Sleep {
        let id = {
            let mut state = self.state.lock();
            state.next_id += 1;
            state.next_id
        };
        Box::pin(FakeSleep { clock: self.clone(), at, id })
    }
}

struct FakeSleep {
    clock: FakeClock,
    at: Timestamp,
    id: u64,
}

impl Future for FakeSleep {
    type Output = ();
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.state.lock();
        if state.now >= self.at {
            return Poll::Ready(());
        }
        state.sleepers.retain(|(_, id, _)| *id != self.id);
        state.sleepers.push((self.at, self.id, cx.waker().clone()));
        Poll::Pending
    }
}

impl Drop for FakeSleep {
    fn drop(&mut self) {
        self.clock.state.lock().sleepers.retain(|(_, id, _)| *id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_sleeper_is_woken_at_its_instant_and_not_before() {
        let clock = FakeClock::new(Timestamp::from_millis(0));
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        let mut sleep = clock.sleep_until(Timestamp::from_millis(100));
        assert!(sleep.as_mut().poll(&mut cx).is_pending());
        assert_eq!(clock.next_sleeper(), Some(Timestamp::from_millis(100)));
        clock.advance(Duration::from_millis(99));
        assert_eq!(count.0.load(Ordering::SeqCst), 0);
        clock.advance(Duration::from_millis(1));
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert!(sleep.as_mut().poll(&mut cx).is_ready());
        drop(sleep);
        assert_eq!(clock.next_sleeper(), None);
    }

    #[test]
    fn durations_round_up_and_sums_saturate() {
        assert_eq!(Timestamp::from_millis(0) + Duration::from_micros(1), Timestamp::from_millis(1));
        assert_eq!(Timestamp::NEVER + Duration::from_secs(1), Timestamp::NEVER);
        assert_eq!(Timestamp::NEVER.to_string(), "never");
    }
}
