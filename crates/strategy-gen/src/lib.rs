//! A plain sentence becomes a checked backtesting.py strategy.

pub mod check;
pub mod english;
pub mod python;
pub mod spec;
