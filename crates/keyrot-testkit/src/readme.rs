//! The examples of the workspace's README, compiled and run as doctests. They live here because a
//! published crate cannot include a file from outside itself.

#[doc = include_str!("../../../README.md")]
pub struct Readme;
