//! On what strategies are run: the flags that `run`, `new`, `batch`, `fix` and `improve` share, and what is made of them.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;
use keyrot::EnvMap;
use strategy_gen::backtest::{Runner, Trial};
use strategy_gen::data::{Bundled, Costs, DataError, Dataset, Period, Source};
use strategy_gen::environment::EnvironmentFault;
use strategy_gen::interpreter::Python;
use strategy_gen::sandbox::{Level, Limits};

use super::{Failure, apart, env, say};

/// Seconds.
const TIMEOUT: u64 = 60;
/// Bytes: what `2G` means.
const MEMORY: u64 = 2 << 30;
/// The flags of [`Conditions`], which make no sense where nothing is run.
const CONDITIONS: [&str; 10] =
    ["data", "cash", "commission", "spread", "from", "to", "timeout", "memory", "sandbox", "python"];

/// On what, with what money and in what a strategy is run.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Conditions {
    /// Prices: GOOG, EURUSD, BTCUSD (backtesting.py's own), a CSV file, or synthetic[:SEED]. May be given repeatedly.
    /// Default: GOOG.
    #[arg(long = "data", value_name = "PRICES")]
    pub(crate) data: Vec<Source>,
    /// Money at the start. Default: 100,000; 1,000,000 for BTCUSD.
    #[arg(long, value_parser = positive)]
    pub(crate) cash: Option<f64>,
    /// Commission as a share of each trade's value, such as 0.001. Default: 0.001; none for EURUSD.
    #[arg(long, value_parser = share)]
    pub(crate) commission: Option<f64>,
    /// Spread as a share of the price. Default: none; 0.0001 for EURUSD.
    #[arg(long, value_parser = share)]
    pub(crate) spread: Option<f64>,
    /// The first day that counts.
    #[arg(long, value_name = "DAY")]
    pub(crate) from: Option<Date>,
    /// The last day that counts.
    #[arg(long, value_name = "DAY")]
    pub(crate) to: Option<Date>,
    /// The longest the run may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = TIMEOUT, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
    /// The most memory it may use, such as 512M or 2G.
    #[arg(long, value_name = "SIZE", default_value = "2G", value_parser = bytes)]
    pub(crate) memory: u64,
    /// How much of a sandbox to insist on: auto, strict or none.
    #[arg(long, value_name = "LEVEL", default_value = "auto")]
    pub(crate) sandbox: Level,
    /// The Python to use. Default: the active virtual environment, else the one that `doctor --install` makes.
    #[arg(long, value_name = "PATH")]
    pub(crate) python: Option<PathBuf>,
}

impl Conditions {
    /// Whether a run is more than welcome.
    pub(crate) fn insists(&self) -> bool {
        !self.data.is_empty() || self.python.is_some()
    }

    /// What is said of them, by flag and value: the Python and the sandbox aside, which are this machine's.
    pub(crate) fn flags(&self) -> Vec<(&'static str, String)> {
        let mut flags: Vec<_> = self.data.iter().map(|source| ("data", source.to_string())).collect();
        let numbers = [("cash", self.cash), ("commission", self.commission), ("spread", self.spread)];
        flags.extend(numbers.into_iter().filter_map(|(flag, value)| Some((flag, value?.to_string()))));
        let days = [("from", self.from), ("to", self.to)];
        flags.extend(days.into_iter().filter_map(|(flag, day)| Some((flag, day?.to_string()))));
        if self.timeout != TIMEOUT {
            flags.push(("timeout", self.timeout.to_string()));
        }
        if self.memory != MEMORY {
            flags.push(("memory", format!("{}M", self.memory >> 20)));
        }
        flags
    }

    /// The prices, GOOG where none are named.
    pub(crate) fn sources(&self) -> Vec<Source> {
        if self.data.is_empty() { vec![Source::Bundled(Bundled::Goog)] } else { self.data.clone() }
    }
}

/// A run that may be left out.
#[derive(Debug, clap::Args)]
pub(crate) struct Tried {
    /// Check what is made and do not run it.
    #[arg(long, conflicts_with_all = CONDITIONS)]
    pub(crate) no_run: bool,
    #[command(flatten)]
    pub(crate) on: Conditions,
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "it is no amount of money".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..0.1).contains(number));
    number.ok_or_else(|| "write a share from 0 to below 0.1, such as 0.001 for 0.1 %".to_owned())
}

/// At least what Python, numpy and pandas need to start.
fn bytes(text: &str) -> Result<u64, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let shift = match unit.to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "M" => 20,
        "G" => 30,
        _ => return Err("write it like `512M` or `2G`".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| "write it like `512M` or `2G`".to_owned())?;
    let bytes = number.checked_mul(1 << shift).ok_or_else(|| "that is more than there is".to_owned())?;
    if bytes < 256 << 20 {
        return Err("Python and its libraries need 256M at least".to_owned());
    }
    Ok(bytes)
}

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
    let env = env();
    let python = python(on, env, offer)?;
    let program = std::env::current_exe().map_err(EnvironmentFault::from)?;
    let limits = Limits { wall: Duration::from_secs(on.timeout), memory: on.memory };
    let home = env.of_process("HOME").map(PathBuf::from);
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
    With(Trial),
    /// Not everything, and nobody insists: why, in one line.
    Without(String),
    /// Nothing is to be run.
    Off,
}

/// Finds out; what is missing is a failure only where the user `insists` on a run.
pub(crate) async fn ready(tried: &Tried, insists: bool) -> Result<Ready, Failure> {
    if tried.no_run {
        return Ok(Ready::Off);
    }
    let on = tried.on.clone();
    match apart(move || Ok(trial(&on, Offer::Nothing))).await? {
        Ok(trial) => Ok(Ready::With(trial)),
        Err(unready) if insists => Err(unready.into()),
        Err(unready) => Ok(Ready::Without(unready.to_string())),
    }
}

impl Ready {
    /// With backtesting.py's own chart.
    pub(crate) fn drawn(self, drawn: bool) -> Self {
        match self {
            Self::With(trial) => Self::With(trial.drawn(drawn)),
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
