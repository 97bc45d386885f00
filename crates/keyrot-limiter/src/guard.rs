//! The guard: how much longer than a minute the window is kept, to pay for the network.

use std::time::Duration;

use keyrot_core::Timestamp;

/// What two requests a minute apart may lose of their distance on the way, by default.
const NORMAL: Duration = Duration::from_millis(250);
/// The widest guard.
const WIDEST: Duration = Duration::from_secs(2);
/// One storm of refusals widens once.
const STORM: Duration = Duration::from_secs(60);
/// How long a widened guard lasts before it halves.
const RELAX: Duration = Duration::from_secs(3600);

/// The guard of a pool: doubles when Google refuses what our ledger said would fit, halves hourly.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    width: Duration,
    changed: Option<Timestamp>,
}

impl Default for Guard {
    fn default() -> Self {
        Self { width: NORMAL, changed: None }
    }
}

impl Guard {
    /// The width in force.
    #[must_use]
    pub fn width(&self) -> Duration {
        self.width
    }

    /// Google refused by the minute what the ledger had room for.
    pub fn widen(&mut self, now: Timestamp) {
        if self.changed.is_some_and(|t| now.since(t) < STORM) {
            return;
        }
        self.width = (self.width * 2).min(WIDEST);
        self.changed = Some(now);
    }

    /// Lets the guard come back with time.
    pub fn relax(&mut self, now: Timestamp) {
        while let Some(t) = self.changed
            && self.width > NORMAL
            && now.since(t) >= RELAX
        {
            self.width = (self.width / 2).max(NORMAL);
            self.changed = Some(t + RELAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_once_a_storm_up_to_two_seconds_and_halves_hourly() {
        let mut guard = Guard::default();
        let mut now = Timestamp::from_millis(1_000_000);
        guard.widen(now);
        guard.widen(now + Duration::from_secs(59));
        assert_eq!(guard.width(), Duration::from_millis(500));
        for _ in 0..5 {
            now = now + STORM;
            guard.widen(now);
        }
        assert_eq!(guard.width(), WIDEST);
        guard.relax(now + RELAX.saturating_sub(Duration::from_millis(1)));
        assert_eq!(guard.width(), WIDEST);
        guard.relax(now + RELAX * 2);
        assert_eq!(guard.width(), Duration::from_millis(500));
        guard.relax(now + RELAX * 9);
        assert_eq!(guard.width(), NORMAL);
    }
}
