//! Why there is no strategy, and with which exit code a program says so.

use gemini_client::ConfigError;
use keyrot::{Outcome, RunError, SetupError, UntrustedText, nearest_model};

use crate::check::CheckError;
use crate::english::Refusal;
use crate::finding::{Finding, Stage};
use crate::generator::{MAX_DESCRIPTION, Round};
use crate::model::OpenAiError;
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
        "the description has more than the {MAX_DESCRIPTION} bytes that are taken\nhint: say it in a few sentences"
    )]
    TooLong,
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
    /// The model's name cannot be one.
    #[error(
        "`{}` is no model name\nhint: write it like `gemini-2.5-flash`, in `--model` or `GEMINI_MODEL`", model.escape_debug()
    )]
    Model {
        /// The name.
        model: String,
    },
    /// Nothing answers to the model's name.
    #[error(
        "no key is served the model `{model}`: {error}\nhint: check the name in `--model` or `GEMINI_MODEL`{}",
        nearest_model(&model.as_str().into()).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
    )]
    NoSuchModel {
        /// The name.
        model: String,
        /// What the server said.
        error: gemini_client::Error,
    },
    /// The call failed for good.
    #[error(transparent)]
    Call(#[from] RunError<gemini_client::Error>),
    /// The server that speaks OpenAI's protocol gave no answer.
    #[error(transparent)]
    OpenAi(#[from] OpenAiError),
    /// The safety filter refused prompt or answer.
    #[error(
        "the model's safety filter refused ({reason})\nhint: say it in other words, or try another model with `--model`"
    )]
    Blocked {
        /// Its reason.
        reason: UntrustedText,
    },
    /// The answers stayed invalid.
    #[error(transparent)]
    StillInvalid(#[from] Box<StillInvalid>),
    /// The offline engine made a mistake.
    #[error(
        "the offline engine wrote a strategy that does not work; the mistake is not yours but one of strategy-gen:\n  {}\nhint: please report it with the description; `--no-run` saves the strategy, a model may do better",
        listed(findings)
    )]
    Engine {
        /// What is wrong.
        findings: Vec<Finding>,
        /// Its file.
        draft: String,
    },
    /// The check could not run.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// The file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Why a strategy is given up.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "{}the strategy is still not valid after {repairs} repair{}:\n  {}\nhint: say it in other words, or try another model with `--model`",
    if *stuck { "the model repeats itself: " } else { "" },
    if *repairs == 1 { "" } else { "s" },
    listed(findings)
)]
#[non_exhaustive]
pub struct StillInvalid {
    /// Repairs asked for.
    pub repairs: u32,
    /// Whether it was given up because the model repeated itself.
    pub stuck: bool,
    /// How far the best answer got.
    pub stage: Stage,
    /// What is wrong with it, with the lines of `draft`.
    pub findings: Vec<Finding>,
    /// The best answer as it could be saved for a look at it; may be empty. Not fit to be run.
    pub draft: String,
    /// Every answer.
    pub rounds: Vec<Round>,
}

impl StillInvalid {
    /// Whether nothing is wrong but that it uses too much.
    #[must_use]
    pub fn is_at_a_limit(&self) -> bool {
        !self.findings.is_empty() && self.findings.iter().all(|finding| finding.code == "limit")
    }
}

fn listed(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n  ")
}

impl GenerateError {
    /// The exit code of a program that ends with this.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::StillInvalid(invalid) if invalid.is_at_a_limit() => 7,
            Self::StillInvalid(_) | Self::Engine { .. } => 1,
            Self::Empty
            | Self::TooLong
            | Self::Refused(_)
            | Self::Endpoint { .. }
            | Self::Model { .. }
            | Self::NoSuchModel { .. }
            | Self::Write(_) => 2,
            Self::Setup(error) if error.is_configuration() => 2,
            Self::Setup(_) => 3,
            Self::Call(RunError::Exhausted { exhausted, .. }) if exhausted.is_model_not_found() => 2,
            Self::Call(RunError::Exhausted { exhausted, .. }) if exhausted.is_hopeless() => 3,
            Self::Call(RunError::Exhausted { last, .. }) => {
                last.as_ref().map_or(4, |last| of_call(&last.outcome(), 4))
            }
            Self::Call(RunError::Store { .. }) => 6,
            Self::Call(RunError::Failed { error, .. }) => of_call(&error.outcome(), 6),
            Self::OpenAi(error) => error.exit_code(),
            Self::Check(_) => 5,
            Self::Blocked { .. } => 6,
        }
    }
}

/// The exit code that an attempt's outcome asks for, else `otherwise`.
fn of_call(outcome: &Outcome, otherwise: u8) -> u8 {
    match outcome {
        Outcome::KeyRejected { .. }
        | Outcome::KeyRestricted { .. }
        | Outcome::OperationDenied
        | Outcome::ProjectRejected { .. } => 3,
        Outcome::QuotaMinute { .. }
        | Outcome::QuotaDay { .. }
        | Outcome::QuotaZero { .. }
        | Outcome::Throttled { .. } => 4,
        Outcome::Overloaded | Outcome::ServerError { .. } | Outcome::Network(_) | Outcome::OwnDeadline(_) => {
            6
        }
        Outcome::Success { .. }
        | Outcome::Cancelled
        | Outcome::ModelNotFound
        | Outcome::ModelGated
        | Outcome::BadRequest
        | Outcome::Blocked
        | Outcome::AffinityMiss
        | Outcome::LocationBlocked => otherwise,
    }
}
