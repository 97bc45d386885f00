//! A plain sentence becomes a checked backtesting.py strategy.

pub mod check;
pub mod english;
pub mod extract;
pub mod output;
pub mod prompt;
pub mod python;
pub mod spec;
