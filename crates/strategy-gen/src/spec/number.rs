//! Numbers of a strategy.

use std::fmt;

use serde::{Serialize, Serializer};

/// A finite number exactly as precise as the user wrote it.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Number(f64);

impl Number {
    /// Wraps a value; `None` when it is not finite.
    pub fn new(value: f64) -> Option<Self> {
        value.is_finite().then_some(Self(value))
    }

    /// The value itself.
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The same with the other sign.
    pub(crate) fn negated(self) -> Self {
        Self(-self.0)
    }

    /// The value as a whole number, when it is one between 0 and `u32::MAX`.
    pub fn whole(self) -> Option<u32> {
        format!("{}", self.0).parse().ok()
    }
}

impl From<u32> for Number {
    fn from(value: u32) -> Self {
        Self(f64::from(value))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.whole() {
            Some(whole) => serializer.serialize_u32(whole),
            None => serializer.serialize_f64(self.0),
        }
    }
}
