//! The vocabulary: which words mean what, and the few that mean nothing.
//!
//! A word that stands in neither list is named and the description refused.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::vocabulary::{NUMBER_WORDS, PHRASES, SYMBOLIC, TENS};
use super::words::Word;
use crate::spec::{Average, Band, Extreme, Number, Price};

use Concept as C;

/// What is done to a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Buy,
    /// Closes a long position.
    Sell,
    Short,
    /// Closes a short position.
    Cover,
    /// Closes whatever is open.
    Exit,
}

/// How a value moves against another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// "crosses"
    Cross,
    /// "breaks", "breakout"
    Break,
    /// "breakdown"
    BreakDown,
    /// "touches", "hits"
    Touch,
    /// "rises"
    Rise,
    /// "falls"
    Fall,
    /// "goes"
    Move,
    /// "closes", "stays": a state, not an event
    State,
}

/// An indicator that has one period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    Rsi,
    Atr,
    Adx,
    PlusDi,
    MinusDi,
    Cci,
    Roc,
    Momentum,
    Vwap,
}

/// Meaning of one or more words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Concept {
    Number(Number),
    Percent,
    OpenParen,
    CloseParen,
    Comma,
    /// End of a sentence.
    Break,
    Colon,
    Slash,
    Dash,
    Equals,
    Action(Action),
    When,
    At,
    And,
    Or,
    Then,
    With,
    Of,
    Verb(Verb),
    /// `true` = above.
    Direction(bool),
    OrEqual,
    Opposite,
    Price(Price),
    Average(Average),
    /// An indicator with one period.
    Line(Line),
    /// The stochastic oscillator; `true` = %D.
    Stochastic(bool),
    Yesterday,
    Ago,
    /// "1.5 times"
    Times,
    For,
    /// "in a row", "consecutive"
    Row,
    After,
    Later,
    Hold,
    Not,
    Unless,
    Between,
    /// A line that goes up (`true`) or down.
    Slope(bool),
    /// A bar that ends above where it (`body`) or the one before it began or ended.
    Candle {
        up: bool,
        body: bool,
    },
    /// "up 5 %": `true` = up.
    Trend(bool),
    Trailing,
    RiskReward,
    RMultiple,
    Risk,
    PerTrade,
    Equity,
    Size,
    Units,
    Currency,
    /// Shorts do the opposite of longs.
    Mirror,
    Macd,
    SignalLine,
    Histogram,
    Bollinger,
    BandWord,
    Side(Band),
    Donchian,
    Extreme(Extreme),
    /// "last", "past"
    Past,
    Deviation,
    /// `true` = overbought.
    Zone(bool),
    /// `true` = golden.
    NamedCross(bool),
    /// `true` = bullish.
    Bias(bool),
    /// `true` = positive.
    Sign(bool),
    /// A day, which is one bar.
    Day,
    /// A bar, a period.
    Bars,
    Stop,
    Target,
    /// `true` = gain.
    Outcome(bool),
    /// "below entry": `true` = above.
    FromEntry(bool),
    Pronoun,
    Turtle,
    MeanReversion,
    /// A style that fixes no rule: "momentum".
    Style,
    /// "strategy"
    Topic,
    LongOnly,
    Filler,
}

/// One meaning with the text that carried it.
#[derive(Debug, Clone)]
pub(super) struct Lexeme {
    pub(super) concept: Concept,
    pub(super) text: String,
}

/// Looks every word up.
///
/// # Errors
/// The words nobody knows, neighbours joined, in the order of the text.
pub(super) fn read(words: &[Word]) -> Result<Vec<Lexeme>, Vec<String>> {
    let mut lexemes: Vec<Lexeme> = Vec::new();
    let mut unknown: Vec<(usize, String)> = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let (concepts, length) = match word {
            Word::Number(number) => (vec![C::Number(*number)], 1),
            Word::Odd(_) => (Vec::new(), 1),
            Word::Letters { .. } | Word::Sign(_) => longest(&words[at..]),
        };
        let text = words[at..at + length].iter().map(Word::text).collect::<Vec<_>>().join(" ");
        if concepts.is_empty() {
            match unknown.last_mut() {
                Some((last, joined)) if *last + 1 == at => {
                    *last = at;
                    joined.push(' ');
                    joined.push_str(&text);
                }
                _ => unknown.push((at, text)),
            }
        } else {
            lexemes.extend(
                concepts
                    .into_iter()
                    .filter(|c| *c != C::Filler)
                    .map(|concept| Lexeme { concept, text: text.clone() }),
            );
        }
        at += length;
    }
    if unknown.is_empty() { Ok(lexemes) } else { Err(unknown.into_iter().map(|(_, text)| text).collect()) }
}

/// The meaning of the longest known phrase at the start of `words` and its length; nothing when unknown.
fn longest(words: &[Word]) -> (Vec<Concept>, usize) {
    let mut best = (Vec::new(), 1);
    let mut phrase = String::new();
    for (index, word) in words.iter().take(6).enumerate() {
        match word {
            Word::Letters { lower, .. } => {
                if index > 0 {
                    phrase.push(' ');
                }
                phrase.push_str(lower);
            }
            Word::Sign(sign) if index == 0 => phrase.push_str(sign),
            // "risk/reward"
            Word::Sign("/") => phrase.push_str(" /"),
            _ => break,
        }
        if let Some(found) = meaning(&phrase, words.get(index + 1)) {
            best = (found, index + 1);
        }
    }
    best
}

fn meaning(phrase: &str, next: Option<&Word>) -> Option<Vec<Concept>> {
    // "close when ..." closes the position; "close above ..." is a price.
    if phrase == "close"
        && next.is_some_and(|w| ["when", "if", "once"].iter().any(|t| w.text().eq_ignore_ascii_case(t)))
    {
        return Some(vec![C::Action(Action::Exit)]);
    }
    MEANINGS.get(phrase).cloned()
}

/// Every phrase with its meaning.
static MEANINGS: LazyLock<HashMap<&str, Vec<Concept>>> = LazyLock::new(|| {
    let phrases =
        PHRASES.iter().flat_map(|(forms, concept)| forms.split(", ").map(|form| (form, vec![*concept])));
    let symbolic = SYMBOLIC
        .iter()
        .flat_map(|(forms, up)| forms.split(", ").map(|form| (form, vec![C::Direction(*up), C::OrEqual])));
    let units = (0..).zip(NUMBER_WORDS);
    let tens = (30..).step_by(10).zip(TENS);
    let multiples = ["twice", "double"].map(|word| (word, vec![C::Number(2.into()), C::Times]));
    let numbers = units.chain(tens).map(|(value, word): (u32, _)| (word, vec![C::Number(value.into())]));
    phrases.chain(symbolic).chain(multiples).chain(numbers).collect()
});
