//! A plain sentence becomes a checked backtesting.py strategy.
//!
//! [`StrategyGenerator`] is the whole way; the modules are its stations.

pub mod backtest;
pub mod batch;
pub mod check;
pub mod data;
pub mod english;
pub mod environment;
pub mod extract;
pub mod history;
pub mod interpreter;
pub mod output;
pub mod prompt;
pub mod python;
pub mod report;
pub mod sandbox;
pub mod shelf;
pub mod spec;

mod failure;
mod finding;
mod generator;
mod harness;
mod model;
mod outside;

pub use failure::{GenerateError, StillInvalid};
pub use finding::{Finding, Stage};
pub use generator::{MAX_DESCRIPTION, MAX_REPAIRS, Round, Strategy, StrategyGenerator, Then, Tokens};
pub use model::{OpenAi, OpenAiError};
