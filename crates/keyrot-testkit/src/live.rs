//! Servers of secret stores, on loopback.

pub mod azure;
