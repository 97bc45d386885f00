//! The program as its users meet it: started as a process, in an empty directory, with a clean environment.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, like tests, and show what they saw"
)]

mod add;
mod check;
mod encrypted;
#[cfg(unix)]
mod foreign;
#[cfg(target_os = "linux")]
mod full;
mod operate;
mod rig;
mod rotate;
mod shared;
mod status;
mod untrusted;
