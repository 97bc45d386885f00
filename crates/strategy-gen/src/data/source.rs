//! Where prices come from, what trading them costs, and which part of them counts.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use keyrot::file::{self, Links, ReadError};
use serde::{Deserialize, Serialize};

use super::{Prices, csv, synthetic};

/// Where prices come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A set that backtesting.py brings along; read from the user's own installation.
    Bundled(Bundled),
    /// A CSV file.
    File(PathBuf),
    /// Made up from a seed.
    Synthetic(u64),
}

/// The sets that backtesting.py brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bundled {
    /// Google, daily, 2004 to 2013.
    Goog,
    /// Euro in dollars, hourly, 2017 to 2018.
    EurUsd,
    /// Bitcoin in dollars, monthly, 2012 to 2024.
    BtcUsd,
}

impl Bundled {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Goog => "GOOG",
            Self::EurUsd => "EURUSD",
            Self::BtcUsd => "BTCUSD",
        }
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        for bundled in [Bundled::Goog, Bundled::EurUsd, Bundled::BtcUsd] {
            if text.eq_ignore_ascii_case(bundled.name()) {
                return Ok(Self::Bundled(bundled));
            }
        }
        match text.strip_prefix("synthetic") {
            Some("") => Ok(Self::Synthetic(synthetic::SEED)),
            Some(seed) if seed.starts_with(':') => {
                let seed =
                    seed[1..].parse().map_err(|_| format!("`{}` is no seed: a whole number", &seed[1..]))?;
                Ok(Self::Synthetic(seed))
            }
            _ if text.is_empty() => Err("name GOOG, EURUSD, BTCUSD, synthetic or a CSV file".to_owned()),
            _ => Ok(Self::File(PathBuf::from(text))),
        }
    }
}

impl fmt::Display for Source {
    /// As it is read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundled(bundled) => f.write_str(bundled.name()),
            Self::File(path) => write!(f, "{}", keyrot::untrusted::path(&path)),
            Self::Synthetic(seed) => write!(f, "synthetic:{seed}"),
        }
    }
}

/// What a broker takes, and what there is to trade with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Money at the start.
    pub cash: f64,
    /// Share of a trade's value, at entry and again at exit.
    pub commission: f64,
    /// Distance between bid and ask as a share of the price, paid at entry.
    pub spread: f64,
}

impl Costs {
    /// As usual for what is traded.
    #[must_use]
    pub const fn usual(source: &Source) -> Self {
        match source {
            Source::Bundled(Bundled::EurUsd) => Self { cash: 100_000.0, commission: 0.0, spread: 0.000_1 },
            // A single coin may cost a hundred thousand.
            Source::Bundled(Bundled::BtcUsd) => Self { cash: 1_000_000.0, commission: 0.001, spread: 0.0 },
            Source::Bundled(Bundled::Goog) | Source::File(_) | Source::Synthetic(_) => {
                Self { cash: 100_000.0, commission: 0.001, spread: 0.0 }
            }
        }
    }
}

impl fmt::Display for Costs {
    /// Whether money is made depends on them: they are shown with every result.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| (share * 1e6).round() / 1e4;
        let Self { cash, commission, spread } = *self;
        write!(f, "cash {cash}, commission {}%, spread {}%", percent(commission), percent(spread))
    }
}

/// Prices, and what trading them costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The prices.
    pub prices: Prices,
    /// The costs.
    pub costs: Costs,
}

/// Why there are no prices.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file cannot be read.
    #[error("cannot read `{}`: {source}\nhint: name GOOG, EURUSD, BTCUSD, synthetic or a CSV file that exists", keyrot::untrusted::path(&path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is larger than is read.
    #[error("`{}` is larger than {} MiB\nhint: keep the part that is needed", keyrot::untrusted::path(&path), csv::MAX_FILE >> 20)]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file is no table of prices.
    #[error("`{}` cannot be used:\n  {error}\nhint: it needs a header and columns for date, open, high, low and close", keyrot::untrusted::path(&path))]
    Csv {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: csv::CsvError,
    },
    /// The period leaves too little.
    #[error(
        "`{name}` has {bars} bars in that period, and {} are needed\nhint: it goes from {first} to {last}; choose `--from` and `--to` further apart",
        csv::LEAST_BARS
    )]
    Period {
        /// The set.
        name: String,
        /// What is left.
        bars: usize,
        /// Its first day.
        first: String,
        /// Its last day.
        last: String,
    },
}

/// The days that count; open ends where none is named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Period {
    /// The first day.
    pub from: Option<Date>,
    /// The last day.
    pub to: Option<Date>,
}

impl Source {
    /// Reads the prices. `library` is the folder of backtesting.py.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn load(&self, library: &Path, period: Period) -> Result<Prices, DataError> {
        let mut prices = match self {
            Self::Synthetic(seed) => synthetic::daily(*seed, synthetic::BARS),
            Self::Bundled(bundled) => {
                let file = library.join("test").join(format!("{}.csv", bundled.name()));
                Prices { name: bundled.name().to_owned(), ..read(&file)? }
            }
            Self::File(path) => read(path)?,
        };
        let day =
            |bar: Option<&super::Bar>| bar.map_or_else(String::new, |bar| super::written(bar.time, true));
        let (first, last) = (day(prices.bars.first()), day(prices.bars.last()));
        let start = |date: Date| TimeZone::UTC.to_timestamp(date.to_datetime(jiff::civil::Time::midnight()));
        let from = period.from.and_then(|date| start(date).ok());
        let to = period.to.and_then(|date| start(date.tomorrow().ok()?).ok());
        prices.bars.retain(|bar| {
            from.is_none_or(|from| bar.time >= from.as_second())
                && to.is_none_or(|to| bar.time < to.as_second())
        });
        if prices.bars.len() < csv::LEAST_BARS {
            return Err(DataError::Period { name: prices.name, bars: prices.bars.len(), first, last });
        }
        Ok(prices)
    }
}

fn read(path: &Path) -> Result<Prices, DataError> {
    let path_of = || path.to_owned();
    let bytes = file::read(path, Links::Follow, csv::MAX_FILE as u64).map_err(|error| match error {
        ReadError::Io(source) => DataError::Unreadable { path: path_of(), source },
        ReadError::TooLarge { .. } => DataError::TooLarge { path: path_of() },
        other => DataError::Unreadable { path: path_of(), source: std::io::Error::other(other) },
    })?;
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    csv::read(&name, &bytes).map_err(|error| DataError::Csv { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_have_names() {
        assert_eq!("goog".parse(), Ok(Source::Bundled(Bundled::Goog)));
        assert_eq!("synthetic".parse(), Ok(Source::Synthetic(synthetic::SEED)));
        assert_eq!("synthetic:42".parse(), Ok(Source::Synthetic(42)));
        assert_eq!("a/b.csv".parse(), Ok(Source::File("a/b.csv".into())));
        assert!("synthetic:x".parse::<Source>().is_err() && "".parse::<Source>().is_err());
    }

    #[test]
    fn a_period_takes_both_its_ends() {
        let period = |from: &str, to: &str| Period { from: from.parse().ok(), to: to.parse().ok() };
        let load = |period| Source::Synthetic(1).load(Path::new(""), period);
        let prices = load(period("2016-01-04", "2016-12-30")).expect("a year");
        assert!(prices.csv().contains("\n2016-01-04,") && prices.csv().contains("\n2016-12-30,"));
        assert_eq!(prices.bars.len(), 260);
        let error = load(period("2016-01-04", "2016-01-08")).expect_err("a week").to_string();
        assert!(error.contains("has 5 bars") && error.contains("from 2015-01-01"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Source::File("no.csv".into()).load(Path::new(""), Period::default()).expect_err("none");
        assert!(error.to_string().starts_with("cannot read `no.csv`: "), "{error}");
    }
}
