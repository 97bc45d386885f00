//! Running a strategy on prices, and what comes of it.
//!
//! [`Runner`] is the whole way: a strategy's text and prices go in, a [`Report`] comes out that says what happened,
//! also where the strategy failed or was stopped. An error is only what is not the strategy's doing.

mod draw;
mod explain;
mod folders;
mod ratios;
mod report;
mod runner;
mod told;
mod trial;
mod verify;

pub use draw::Chart;
pub use report::{
    DatasetReport, Difference, ErrorInChain, Failure, Frame, IndicatorRange, LookAhead, Metrics, OpenTrade,
    Report, Status, StrategyInfo, Trade, Warning,
};
pub use runner::{Request, RunError, Runner};
pub use trial::Trial;
