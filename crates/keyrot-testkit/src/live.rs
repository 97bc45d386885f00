//! Servers of secret stores on loopback, each stopped when it is dropped, and when the test process ends in any other
//! way.

pub mod azure;
pub mod bao;
pub mod moto;
