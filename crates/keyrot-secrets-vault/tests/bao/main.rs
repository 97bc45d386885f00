//! The store before OpenBao, a real server.
#![cfg(test)]

mod cluster;
mod conformance;
mod login;
mod operator;
mod reading;
mod sealed;
