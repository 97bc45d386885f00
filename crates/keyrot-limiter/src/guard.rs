//! The guard: how much longer than a minute the window is kept, to pay for the network.

use std::time::Duration;

use keyrot_core::Timestamp;

/// What two requests a minute apart may lose of their distance on the way, by default.
const NORMAL: Duration = Duration::from_millis(250);
/// The widest guard.
pub const WIDEST: Duration = Duration::from_secs(2);
/// One storm of refusals widens once.
const STORM: Duration = Duration::from_secs(60);
/// How long a widened guard lasts before it halves.
const RELAX: Duration = Duration::from_secs(3600);

/// The guard of a pool: doubles when Google refuses what our ledger said would fit, halves hourly.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    /// The width at `changed`.
    width: Duration,
    changed: Option<Timestamp>,
}

impl Default for Guard {
    fn default() -> Self {
        Self { width: NORMAL, changed: None }
    }
}

impl Guard {
    /// The width in force at `now`.
    #[must_use]
    pub fn width(&self, now: Timestamp) -> Duration {
        let hours = self.changed.map_or(0, |t| now.since(t).as_secs() / RELAX.as_secs());
        (self.width / (1 << hours.min(16))).max(NORMAL)
    }

    /// Google refused by the minute what the ledger had room for.
    pub fn widen(&mut self, now: Timestamp) {
        if self.changed.is_none_or(|t| now.since(t) >= STORM) {
            *self = Self { width: (self.width(now) * 2).min(WIDEST), changed: Some(now) };
        }
    }
}

#[cfg(feature = "sqlite")]
impl Guard {
    /// The guard as plain data.
    pub(crate) fn to_parts(self) -> (Duration, Option<Timestamp>) {
        (self.width, self.changed)
    }

    /// The guard that [`to_parts`](Self::to_parts) took apart, within its bounds whatever it reads.
    pub(crate) fn from_parts((width, changed): (Duration, Option<Timestamp>)) -> Self {
        Self { width: width.clamp(NORMAL, WIDEST), changed }
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
        assert_eq!(guard.width(now), Duration::from_millis(500));
        for _ in 0..5 {
            now = now + STORM;
            guard.widen(now);
        }
        assert_eq!(guard.width(now), WIDEST);
        assert_eq!(guard.width(now + RELAX.saturating_sub(Duration::from_millis(1))), WIDEST);
        assert_eq!(guard.width(now + RELAX), Duration::from_secs(1));
        assert_eq!(guard.width(now + RELAX * 2), Duration::from_millis(500));
        assert_eq!(guard.width(now + RELAX * 9), NORMAL);
        assert_eq!(guard.width(now + RELAX * 100_000), NORMAL);
    }
}
