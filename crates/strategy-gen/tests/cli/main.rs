//! The program as its users meet it: started as a process, in an empty directory, with a clean environment.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, like tests, and show what they saw"
)]

mod amend;
mod answers;
mod batch;
mod check;
mod demo;
mod description;
mod doctor;
mod dotenv;
mod endings;
mod evaluation;
#[cfg(target_os = "linux")]
mod files;
#[cfg(unix)]
mod foreign;
mod gemini;
#[cfg(target_os = "linux")]
mod hostile;
mod interrupt;
mod json;
mod keys_file;
mod metrics;
mod names;
mod openai;
mod output;
mod pasted;
mod pitfalls;
mod plot;
mod python;
#[cfg(unix)]
mod records;
mod repair;
mod rig;
mod run;
mod settings;
mod shelf;
mod untrusted;
