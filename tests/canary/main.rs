//! No key in any output: canaries are planted, everything runs at TRACE, every error is forced, and
//! all that anybody said is searched.
//!
//! A binary of its own, because the subscriber that hears everything is the process's only one.
//! What a model answers is the caller's and is not searched; keys never reach a model.

#![expect(clippy::expect_used, reason = "what a test needs and does not get fails the test")]

mod ear;
mod keys_file;
mod leases;
mod network;
mod refusals;
mod settings;
mod stores;
mod streams;
mod tls;
