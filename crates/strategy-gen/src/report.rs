//! Reports: a page about one strategy, and a page that ranks many. Each is one file with everything in it, and
//! asks nobody for anything when it is opened.
//!
//! ```
//! use strategy_gen::report::{Subject, page};
//! let html = page(&Subject { name: "Rsi".to_owned(), ..Subject::default() });
//! assert!(html.starts_with("<!doctype html>"));
//! ```

mod board;
mod calendar;
mod chart;
mod data;
mod escape;
mod file;
mod measured;
mod page;
mod plot;
mod scale;

pub use board::{Entry, board, rank};
pub use data::{Check, Figure, Run, Subject, Trade, Unit, Verdict};
pub use file::{can_save, save};
pub use page::{is_page, page};
pub use plot::plot;
