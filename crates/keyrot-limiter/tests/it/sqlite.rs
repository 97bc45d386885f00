//! The store in a file.
#![cfg(feature = "sqlite")]

mod busy;
mod child;
mod conformance;
mod crowd;
mod killed;
mod opening;
mod rig;
mod swept;
