//! Conformance suites, fakes and harnesses for keyrot's own tests.

pub mod facts;
pub mod limiter;
#[cfg(feature = "world")]
pub mod secrets;
#[cfg(feature = "world")]
pub mod world;
