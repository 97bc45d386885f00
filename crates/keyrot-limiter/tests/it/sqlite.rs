//! The store in a file.
#![cfg(feature = "sqlite")]

mod at_once;
mod busy;
mod child;
mod conformance;
mod crowd;
mod endpoint;
#[cfg(target_os = "linux")]
mod full;
mod killed;
mod log;
mod lost;
mod opening;
#[cfg(target_os = "linux")]
mod owners;
mod put_back;
mod rig;
mod swept;
