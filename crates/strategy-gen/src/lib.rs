//! A plain sentence becomes a checked backtesting.py strategy.

pub mod english;
pub mod spec;
