//! One integration binary for the whole workspace: real sockets, real servers, a fake clock where
//! time matters.

#![expect(clippy::expect_used, reason = "what a test needs and does not get fails the test")]

mod cancel;
mod documents;
mod knowledge;
mod load;
mod matrix;
mod probing;
mod reload;
mod streams;
mod waiting;
mod wakeups;
