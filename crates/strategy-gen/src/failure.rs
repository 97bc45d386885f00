//! Why there is no strategy, and with which exit code a program says so.

use gemini_client::ConfigError;
use keyrot::{Outcome, RunError, SetupError};

use crate::check::CheckError;
use crate::english::Refusal;
use crate::generator::MAX_DESCRIPTION;
use crate::output::WriteError;

/// Why there is no strategy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// Nothing was described.
    #[error(
        "the description is empty\nhint: say when to buy and when to sell, for example \"Buy when RSI < 30, sell when RSI > 70\""
    )]
    Empty,
    /// Too much was described.
    #[error(
        "the description has {bytes} bytes, more than the {MAX_DESCRIPTION} that are taken\nhint: say it in a few sentences"
    )]
    TooLong {
        /// Its size.
        bytes: usize,
    },
    /// The offline engine does not understand it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Settings or keys have errors, or there is no key.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The endpoint cannot be used.
    #[error("`{variable}`: {error}")]
    Endpoint {
        /// The variable that names it.
        variable: &'static str,
        /// What is wrong with it.
        error: ConfigError,
    },
    /// The call failed for good.
    #[error(transparent)]
    Call(#[from] RunError<gemini_client::Error>),
    /// The safety filter refused prompt or answer.
    #[error(
        "the model's safety filter refused ({reason})\nhint: say it in other words, or try another model with `--model`"
    )]
    Blocked {
        /// Its reason.
        reason: String,
    },
    /// The answers stayed invalid.
    #[error("the strategy is still not valid after {repairs} repairs:\n  {}\nhint: say it in other words, or try another model with `--model`", problems.join("\n  "))]
    StillInvalid {
        /// Repairs asked for.
        repairs: u32,
        /// What is wrong with the last answer, one line each.
        problems: Vec<String>,
        /// The last answer's code; may be empty. Not fit to be run.
        draft: String,
    },
    /// The check could not run.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl GenerateError {
    /// The exit code of a program that ends with this.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::StillInvalid { .. } => 1,
            Self::Empty
            | Self::TooLong { .. }
            | Self::Refused(_)
            | Self::Endpoint { .. }
            | Self::Write(_) => 2,
            Self::Setup(error) if error.is_configuration() => 2,
            Self::Setup(_) => 3,
            Self::Call(RunError::Exhausted { exhausted, .. }) if exhausted.is_hopeless() => 3,
            Self::Call(RunError::Exhausted { .. }) => 4,
            Self::Call(RunError::Failed { error, .. }) => match error.outcome() {
                Outcome::Throttled { .. } => 4,
                _ => 6,
            },
            Self::Check(_) => 5,
            Self::Blocked { .. } => 6,
        }
    }
}
