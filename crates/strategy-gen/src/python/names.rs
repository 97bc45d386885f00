//! Names in the rendered file: the class, its parameters, its lines.

use std::fmt;

use crate::spec::{Average, Extreme, Price, Series, StrategySpec};

/// Longest class name.
const MAX_NAME: usize = 64;

/// A valid Python class name that shadows nothing the file uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassName(String);

impl ClassName {
    /// Makes a class name of any text: words are joined in capitals, what Python does not allow is dropped.
    ///
    /// ```
    /// use strategy_gen::python::ClassName;
    /// assert_eq!(ClassName::new("my rsi-bot").as_str(), "MyRsiBot");
    /// assert_eq!(ClassName::new("7 days").as_str(), "Strategy7Days");
    /// ```
    pub fn new(text: &str) -> Self {
        let mut name = String::new();
        for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
            let (first, rest) = word.split_at(1);
            name.push_str(&first.to_ascii_uppercase());
            name.push_str(rest);
        }
        name.truncate(MAX_NAME);
        match name.as_str() {
            "" | "Strategy" => Self("GeneratedStrategy".to_owned()),
            // The only keywords of Python that start with a capital.
            "None" | "True" | "False" => Self(name + "Strategy"),
            digits if digits.starts_with(|c: char| c.is_ascii_digit()) => Self(format!("Strategy{name}")),
            _ => Self(name),
        }
    }

    /// The first class of a file, which need not be valid.
    pub fn first_in(code: &str) -> Option<Self> {
        let line = code.lines().find_map(|line| line.strip_prefix("class "))?;
        line.split(|c: char| !c.is_alphanumeric() && c != '_').next().map(Self::new)
    }

    /// A name that tells which indicators the strategy uses, such as `RsiSmaStrategy`.
    pub fn for_spec(spec: &StrategySpec) -> Self {
        let mut words: Vec<&str> = Vec::new();
        for series in spec.series() {
            let word = match series {
                Series::Price { .. } => continue,
                Series::Average { kind: Average::Simple, .. } => "Sma",
                Series::Average { kind: Average::Exponential, .. } => "Ema",
                Series::Average { kind: Average::Weighted, .. } => "Wma",
                Series::Rsi { .. } => "Rsi",
                Series::Macd { .. } | Series::MacdSignal { .. } | Series::MacdHistogram { .. } => "Macd",
                Series::Bollinger { .. } => "Bollinger",
                Series::Atr { .. } => "Atr",
                Series::StochasticK { .. } | Series::StochasticD { .. } => "Stochastic",
                Series::Adx { .. } | Series::PlusDi { .. } | Series::MinusDi { .. } => "Adx",
                Series::Cci { .. } => "Cci",
                Series::Roc { .. } => "Roc",
                Series::Momentum { .. } => "Momentum",
                Series::Vwap { .. } => "Vwap",
                Series::Channel { .. } => "Breakout",
            };
            if !words.contains(&word) {
                words.push(word);
            }
        }
        if words.is_empty() {
            words.push("Price");
        }
        Self(words.concat() + "Strategy")
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as that of a file without its ending: `RsiSmaStrategy` becomes `rsi_sma_strategy`, `Random` becomes
    /// `random_strategy`. It is never the name of a module of Python's or of one that is loaded unasked.
    ///
    /// ```
    /// use strategy_gen::python::ClassName;
    /// assert_eq!(ClassName::new("Random").file_stem(), "random_strategy");
    /// assert_eq!(ClassName::new("RsiStrategy").file_stem(), "rsi_strategy");
    /// ```
    pub fn file_stem(&self) -> String {
        let mut stem = self.snake_case();
        if !stem.ends_with("_strategy") {
            stem.push_str("_strategy");
        }
        // Test runners load whatever begins like this.
        if stem.starts_with("test") {
            stem.insert_str(0, "my_");
        }
        stem
    }

    fn snake_case(&self) -> String {
        let mut snake = String::new();
        let mut before = None::<char>;
        let mut chars = self.0.chars().peekable();
        while let Some(c) = chars.next() {
            let new_word = c.is_ascii_uppercase()
                && before.is_some_and(|b| {
                    !b.is_ascii_uppercase() || chars.peek().is_some_and(char::is_ascii_lowercase)
                });
            if new_word && before.is_some() {
                snake.push('_');
            }
            snake.push(c.to_ascii_lowercase());
            before = Some(c);
        }
        snake
    }
}

impl fmt::Display for ClassName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names of the indicators of one strategy.
#[derive(Debug)]
pub(super) struct Names {
    indicators: Vec<(Series, String)>,
}

impl Names {
    pub(super) fn new(spec: &StrategySpec) -> Self {
        let mut indicators: Vec<Series> = Vec::new();
        for series in spec.series() {
            if !matches!(series, Series::Price { .. })
                && !indicators.iter().any(|other| other.same_indicator(&series))
            {
                indicators.push(series);
            }
        }
        let named = indicators
            .iter()
            .map(|series| {
                let alike: Vec<&Series> =
                    indicators.iter().filter(|other| base(other) == base(series)).collect();
                (*series, with_rank(series, &alike))
            })
            .collect();
        Self { indicators: named }
    }

    /// Every indicator with its name, once.
    pub(super) fn indicators(&self) -> impl Iterator<Item = (&Series, &str)> {
        self.indicators.iter().map(|(series, name)| (series, name.as_str()))
    }

    pub(super) fn indicator(&self, series: &Series) -> &str {
        self.indicators
            .iter()
            .find(|(other, _)| other.same_indicator(series))
            .map_or("price", |(_, name)| name)
    }
}

const fn base(series: &Series) -> &'static str {
    match series {
        Series::Price { .. } => "price",
        Series::Average { of: Price::Volume, .. } => "average_volume",
        Series::Average { kind: Average::Simple, .. } => "sma",
        Series::Average { kind: Average::Exponential, .. } => "ema",
        Series::Average { kind: Average::Weighted, .. } => "wma",
        Series::Rsi { .. } => "rsi",
        Series::Macd { .. } | Series::MacdSignal { .. } | Series::MacdHistogram { .. } => "macd",
        Series::Bollinger { .. } => "bollinger",
        Series::Atr { .. } => "atr",
        Series::StochasticK { .. } | Series::StochasticD { .. } => "stochastic",
        Series::Adx { .. } => "adx",
        Series::PlusDi { .. } => "plus_di",
        Series::MinusDi { .. } => "minus_di",
        Series::Cci { .. } => "cci",
        Series::Roc { .. } => "roc",
        Series::Momentum { .. } => "momentum",
        Series::Vwap { .. } => "vwap",
        Series::Channel { extreme: Extreme::High, .. } => "channel_high",
        Series::Channel { extreme: Extreme::Low, .. } => "channel_low",
    }
}

/// "ema" when alone, "ema_fast" and "ema_slow" for two averages, "ema_1" and so on for more, the fastest first.
fn with_rank(series: &Series, alike: &[&Series]) -> String {
    let base = base(series);
    let speed = |series: &Series| series.numbers().first().map_or(0.0, |number| number.get());
    let rank = alike.iter().position(|other| other.same_indicator(series)).map_or(0, |own| {
        (0..alike.len()).filter(|at| (speed(alike[*at]), *at) < (speed(series), own)).count()
    });
    match (alike.len(), rank) {
        (1, _) => base.to_owned(),
        (2, 0) if base.ends_with("ma") => format!("{base}_fast"),
        (2, _) if base.ends_with("ma") => format!("{base}_slow"),
        (_, rank) => format!("{base}_{}", rank + 1),
    }
}
