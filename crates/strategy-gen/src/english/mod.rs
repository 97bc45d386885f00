//! The offline engine: an English description becomes a [`StrategySpec`], or is refused.
//!
//! Nothing is guessed silently. A word that no rule places is named in the [`Refusal`]; what the text leaves open is
//! filled with a usual value that stands in [`StrategySpec::assumptions`]; what contradicts itself is refused.
//! "and" binds tighter than "or"; parentheses group. Negations are refused, except "not above" and "not below".
//!
//! ```
//! let spec = strategy_gen::english::translate("Buy when RSI < 30, sell when RSI > 70").unwrap();
//! assert_eq!(spec.rules(), ["buy when RSI(14) < 30", "sell when RSI(14) > 70"]);
//!
//! let refusal = strategy_gen::english::translate("Buy on the first Monday when VIX is above 30").unwrap_err();
//! assert_eq!(refusal.unplaced, ["first Monday", "VIX"]);
//! ```

mod amounts;
mod bands;
mod clauses;
mod compound;
mod condition;
mod cursor;
mod exits;
mod idioms;
mod lexicon;
mod lines;
mod resolve;
mod risk;
mod sanity;
mod series;
mod signal;
mod topic;
mod vocabulary;
mod words;

use serde::Serialize;

pub(crate) use amounts::numbers_in;
pub(crate) use words::plain;

use crate::spec::StrategySpec;
use cursor::{Cursor, Stated};

/// Longest description taken, in bytes.
pub const MAX_DESCRIPTION: usize = 2000;

/// Rounds after which the parameters that the text states must have settled.
const MAX_READINGS: usize = 4;

/// Why a description was not turned into rules. The message and the hint are meant for the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{message}; hint: {hint}")]
#[non_exhaustive]
pub struct Refusal {
    /// The words that found no place, as written, in the order of the text; empty when the text was
    /// understood but makes no strategy.
    pub unplaced: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

const VOCABULARY: &str = "the offline engine knows RSI, SMA, EMA, WMA, MACD, Bollinger bands, stochastic, ADX, CCI, ROC, ATR, \
    VWAP, volume, prices, n-day highs and lows, `for 3 days`, stops, trailing stops and targets in per cent or ATR, \
    sizes, `after 10 days`, `and`, `or`, `not`; say it with these or use a model";

impl Refusal {
    fn unplaced(words: Vec<String>, reason: Option<String>) -> Self {
        let quoted = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let message = match reason {
            Some(reason) => format!("cannot place {quoted}: {reason}"),
            None => format!("cannot place {quoted}"),
        };
        Self { unplaced: words, message, hint: VOCABULARY.to_owned() }
    }

    fn because(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { unplaced: Vec::new(), message: message.into(), hint: hint.into() }
    }
}

/// Reads a description.
///
/// The same text always gives the same result.
///
/// # Errors
/// [`Refusal`] when a word finds no place, or when the rules are incomplete, contradictory or impossible.
pub fn translate(description: &str) -> Result<StrategySpec, Refusal> {
    if description.len() > MAX_DESCRIPTION {
        return Err(Refusal::because(
            format!("the description is longer than {MAX_DESCRIPTION} bytes"),
            "describe one strategy in a few sentences",
        ));
    }
    let lexemes =
        lexicon::read(&words::split(&plain(description))).map_err(|words| Refusal::unplaced(words, None))?;
    if lexemes.is_empty() {
        return Err(Refusal::because(
            "the description says nothing",
            "write `buy when RSI < 30, sell when RSI > 70`",
        ));
    }
    // A parameter stated once holds for the whole text, also for what stands before it; so read until it settles.
    let mut known = Stated::default();
    for _ in 0..MAX_READINGS {
        let mut cursor = Cursor::new(&lexemes, &known);
        let clauses = cursor.clauses();
        let (stated, notes) = (std::mem::take(&mut cursor.stated), std::mem::take(&mut cursor.notes));
        if stated == known {
            let clauses = clauses.map_err(|stuck| Refusal::unplaced(stuck.unplaced, stuck.reason))?;
            let spec = resolve::resolve(clauses, notes)?;
            sanity::check(&spec)?;
            return numbers_kept(&lexemes, spec);
        }
        known = stated;
    }
    Err(Refusal::because("the parameters of the text contradict each other", "state each period once"))
}

/// The 1 of "risk reward 1:2", which is the stop's distance.
fn is_one_of_a_ratio(lexemes: &[lexicon::Lexeme], lexeme: &lexicon::Lexeme) -> bool {
    let ratio = lexemes.iter().any(|other| other.concept == lexicon::Concept::RiskReward);
    ratio && lexeme.concept == lexicon::Concept::Number(1.into())
}

/// A last guard behind the grammar: a number of the text that no rule uses means that we misread.
fn numbers_kept(lexemes: &[lexicon::Lexeme], spec: StrategySpec) -> Result<StrategySpec, Refusal> {
    let kept = spec.numbers();
    let lost: Vec<String> = lexemes
        .iter()
        .filter_map(|lexeme| match lexeme.concept {
            // "the histogram crosses zero" compares two lines; no other zero gets this far.
            lexicon::Concept::Number(number)
                if number.get() != 0.0
                    && !kept.iter().any(|kept| kept.get().abs() == number.get().abs())
                    && !is_one_of_a_ratio(lexemes, lexeme) =>
            {
                Some(number.to_string())
            }
            _ => None,
        })
        .collect();
    if lost.is_empty() { Ok(spec) } else { Err(Refusal::unplaced(lost, None)) }
}

#[cfg(test)]
pub(crate) mod tests;
