//! Many descriptions in one go, over one pool, in a folder that remembers what is done.
//!
//! [`Batch::run`] is the whole way. A log in the folder says of each description what became of it: what is done
//! is not done again, and what failed is tried again, however the last run ended.
//!
//! ```
//! use strategy_gen::batch::ideas;
//! let ideas = ideas("# three ideas, one a line\nBuy when RSI < 30\n\nBuy on a golden cross\n\
//!     {\"name\": \"Bounce\", \"description\": \"Buy at the lower Bollinger band\"}\n").unwrap();
//! assert_eq!(ideas.len(), 3);
//! assert_eq!((ideas[2].line, ideas[2].name.as_deref()), (5, Some("Bounce")));
//! ```

mod board;
mod ideas;
mod kept;
mod log;
mod outcome;
mod work;

pub use board::ranked;
pub use ideas::{Idea, IdeasError, ideas};
pub use log::{LOG, LogError};
pub use outcome::{BatchError, Done, Item, State, Step};
pub use work::{Batch, Told};
