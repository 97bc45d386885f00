//! The store in a file.
#![cfg(feature = "sqlite")]

mod conformance;
