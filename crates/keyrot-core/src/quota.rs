//! Limits, costs, and how much room is left.

use serde::{Deserialize, Serialize};

/// Which limit a number belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Requests per minute.
    Rpm,
    /// Input tokens per minute.
    Tpm,
    /// Requests per Pacific day.
    Rpd,
}

/// The limits of one domain. `None` is "no limit known": use is still counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Requests in any 60 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpm: Option<u64>,
    /// Input tokens in any 60 seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tpm: Option<u64>,
    /// Requests in a Pacific day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpd: Option<u64>,
    /// Requests in any one second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u64>,
}

impl Limits {
    /// The tighter of both, limit by limit.
    #[must_use]
    pub fn tighter(self, other: Self) -> Self {
        let min = |a: Option<u64>, b: Option<u64>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, None) | (None, one) => one,
        };
        Self {
            rpm: min(self.rpm, other.rpm),
            tpm: min(self.tpm, other.tpm),
            rpd: min(self.rpd, other.rpd),
            burst: min(self.burst, other.burst),
        }
    }

    /// The limit of one quantity.
    #[must_use]
    pub fn get(&self, quantity: Quantity) -> Option<u64> {
        match quantity {
            Quantity::Rpm => self.rpm,
            Quantity::Tpm => self.tpm,
            Quantity::Rpd => self.rpd,
        }
    }
}

/// What an attempt is charged before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Requests: 1 for a generation, one per item for a batch, 0 for what Google counts elsewhere
    /// (countTokens, models).
    pub requests: u32,
    /// Input tokens, estimated.
    pub tokens: u64,
}

/// The share of its scarcest limit that a domain has left: 0 is none, 255 is all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Headroom(u8);

impl Headroom {
    /// Everything left, or no limit known.
    pub const FULL: Self = Self(255);

    /// What `used` of `limit` leaves.
    #[must_use]
    pub fn of(used: u64, limit: u64) -> Self {
        let left = limit.saturating_sub(used);
        let share = match left.checked_mul(255) {
            Some(left) => left / limit.max(1),
            // A limit beyond 2^56: the share of it is as exact without its last byte.
            None => (left >> 8) * 255 / (limit >> 8),
        };
        Self(u8::try_from(share).unwrap_or(255))
    }

    /// In four steps (nothing much, under a quarter, under half, plenty). Weights decide among
    /// equals, so headroom that differs by a little must compare as equal.
    #[must_use]
    pub fn step(self) -> u8 {
        match self.0 {
            0..=15 => 0,
            16..=63 => 1,
            64..=127 => 2,
            128..=255 => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headroom_is_the_share_left() {
        assert_eq!(Headroom::of(0, 10), Headroom::FULL);
        assert_eq!(Headroom::of(10, 10), Headroom(0));
        assert_eq!(Headroom::of(11, 10), Headroom(0));
        assert_eq!(Headroom::of(u64::MAX, u64::MAX).step(), 0);
        assert_eq!(Headroom::of(5, 10).step(), 2);
    }

    #[test]
    fn the_tighter_limit_wins_and_unknown_is_no_limit() {
        let a = Limits { rpm: Some(5), tpm: None, rpd: Some(9), burst: None };
        let b = Limits { rpm: Some(7), tpm: Some(1), rpd: None, burst: None };
        assert_eq!(a.tighter(b), Limits { rpm: Some(5), tpm: Some(1), rpd: Some(9), burst: None });
    }
}
