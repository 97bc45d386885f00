//! Conformance suites, fakes and harnesses for keyrot's own tests.

pub mod canary;
#[cfg(target_os = "linux")]
pub mod disk;
pub mod facts;
pub mod limiter;
#[cfg(feature = "live")]
pub mod live;
#[cfg(all(doctest, feature = "world"))]
mod readme;
#[cfg(feature = "secrets")]
pub mod secrets;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(feature = "world")]
pub mod world;
