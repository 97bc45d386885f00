//! What a strategy is run on, made of the flags that `run`, `new`, `fix` and `improve` share.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;
use std::time::Duration;

use keyrot::{EnvMap, process_env};
use strategy_gen::backtest::{Runner, Trial};
use strategy_gen::data::{Bundled, Costs, DataError, Dataset, Period, Source};
use strategy_gen::environment::EnvironmentFault;
use strategy_gen::interpreter::Python;
use strategy_gen::sandbox::{Level, Limits};

use super::args::Conditions;
use super::{Failure, apart, say};

/// Why nothing can be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unready {
    /// Something is missing here.
    #[error(transparent)]
    Environment(#[from] EnvironmentFault),
    /// The prices cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
}

impl From<Unready> for Failure {
    fn from(unready: Unready) -> Self {
        match unready {
            Unready::Environment(fault) => fault.into(),
            Unready::Data(error) => error.into(),
        }
    }
}

/// Whether to offer a Python where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// On a terminal one can be made after a yes.
    Install,
    /// Whoever needs none now is not asked.
    Nothing,
}

/// Everything to run strategies with. Starts Python to ask what it is, and may wait for an answer: call it apart.
pub(crate) fn trial(on: &Conditions, offer: Offer) -> Result<Trial, Unready> {
    let env = process_env();
    let python = python(on, &env, offer)?;
    let program = std::env::current_exe().map_err(EnvironmentFault::from)?;
    let limits = Limits { wall: Duration::from_secs(on.timeout), memory: on.memory };
    let home = env.filled("HOME").map(PathBuf::from);
    let sources = on.sources();
    let data: Result<Vec<_>, _> = sources.iter().map(|source| dataset(on, source, &python)).collect();
    let data = data?;
    let spare = [Bundled::Goog, Bundled::EurUsd, Bundled::BtcUsd]
        .into_iter()
        .map(Source::Bundled)
        .find(|source| !sources.contains(source))
        // Nobody asked for it: where it cannot be had, it is done without.
        .and_then(|source| dataset(on, &source, &python).ok());
    let runner = Runner::new(python, program, on.sandbox)?.limits(limits).home(home);
    if on.sandbox == Level::None {
        say("warning: without a sandbox the strategy may do whatever you may");
    }
    Ok(Trial::new(runner, data).or_else(spare))
}

/// What there is to run strategies with, for commands whose first purpose is another.
#[derive(Debug)]
pub(crate) enum Ready {
    /// Everything.
    With(Box<Trial>),
    /// Not everything, and nobody insists: why, in one line.
    Without(String),
    /// Nothing is to be run.
    Off,
}

/// Finds out; what is missing is a failure only where the user `insists` on a run.
pub(crate) async fn ready(on: &Conditions, no_run: bool, insists: bool) -> Result<Ready, Failure> {
    if no_run {
        return Ok(Ready::Off);
    }
    let on = on.clone();
    match apart(move || Ok(trial(&on, Offer::Nothing))).await? {
        Ok(trial) => Ok(Ready::With(Box::new(trial))),
        Err(unready) if insists => Err(unready.into()),
        Err(unready) => Ok(Ready::Without(unready.to_string())),
    }
}

impl Ready {
    /// With backtesting.py's own chart.
    pub(crate) fn drawn(self, drawn: bool) -> Self {
        match self {
            Self::With(trial) => Self::With(Box::new(trial.drawn(drawn))),
            other => other,
        }
    }

    pub(crate) fn trial(&self) -> Option<&Trial> {
        match self {
            Self::With(trial) => Some(trial),
            Self::Without(_) | Self::Off => None,
        }
    }

    /// Why nothing was run though it would have been welcome.
    pub(crate) fn missing(&self) -> Option<&str> {
        match self {
            Self::Without(why) => Some(why),
            Self::With(_) | Self::Off => None,
        }
    }
}

fn python(on: &Conditions, env: &EnvMap, offer: Offer) -> Result<Python, EnvironmentFault> {
    let fault = match Python::find(on.python.as_deref(), env) {
        Ok(python) => return Ok(python),
        Err(fault) => fault,
    };
    let asks = offer == Offer::Install && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if !asks || !matches!(fault, EnvironmentFault::NoPython { .. }) {
        return Err(fault);
    }
    say("no Python with backtesting.py was found; make one in the cache folder (about 200 MB)? [y/N]");
    if answered_yes() { Python::install(env) } else { Err(fault) }
}

/// Waits for a line of the terminal.
pub(crate) fn answered_yes() -> bool {
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}

fn dataset(on: &Conditions, source: &Source, python: &Python) -> Result<Dataset, DataError> {
    let usual = Costs::usual(source);
    let costs = Costs {
        cash: on.cash.unwrap_or(usual.cash),
        commission: on.commission.unwrap_or(usual.commission),
        spread: on.spread.unwrap_or(usual.spread),
    };
    let period = Period { from: on.from, to: on.to };
    Ok(Dataset { prices: source.load(python.library_folder(), period)?, costs })
}
