//! Stops and targets, in per cent of the signal bar's close.

use super::cursor::Cursor;
use super::lexicon::{Concept as C, Verb};
use crate::spec::{Number, Price};

/// A stop or a target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Limit {
    Loss(Number),
    Gain(Number),
}

/// One stop or target as read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Risk {
    pub(super) limit: Limit,
    /// It was said in terms of a long position ("below entry").
    pub(super) long_words: bool,
}

impl Cursor<'_> {
    /// "5% stop loss", "take profit at 10%".
    pub(super) fn risk(&mut self) -> Option<Risk> {
        self.attempt(|c| {
            c.eat_any(&[C::At, C::With, C::When]);
            c.named_limit()
        })
    }

    /// A way to leave: also "at 3% profit", "falls 5% below entry".
    ///
    /// Only where an exit is said: "sell when RSI > 70 and profit is above 5%" is a condition, not a target.
    pub(super) fn leaving_risk(&mut self) -> Option<Risk> {
        self.risk().or_else(|| {
            self.attempt(|c| {
                c.eat_any(&[C::At, C::With, C::When]);
                c.attempt(Self::outcome).or_else(|| c.attempt(Self::off_entry))
            })
        })
    }

    /// "stop loss of 2 percent", "2% stop below entry", "take profit: 4%".
    fn named_limit(&mut self) -> Option<Risk> {
        let before = self.percent();
        let early = self.entry_side();
        let gain = self.take(|concept| match concept {
            C::Stop => Some(false),
            C::Target => Some(true),
            _ => None,
        })?;
        let percent = match before {
            Some(percent) => percent,
            None => {
                self.eat_any(&[C::Of, C::At, C::Colon, C::Equals, C::When]);
                match self.percent() {
                    Some(percent) => percent,
                    None => {
                        return self
                            .fail("a stop or target needs a distance in per cent; write `5% stop loss`");
                    }
                }
            }
        };
        let side = early.or_else(|| self.entry_side());
        if side.is_some_and(|above| above != gain) {
            return self.fail("a stop lies below the entry of a long position and a target above it");
        }
        Some(limit(gain, percent, side.is_some()))
    }

    /// "10% profit", "a loss of 5%", "profit reaches 10%".
    fn outcome(&mut self) -> Option<Risk> {
        let before = self.percent();
        let gain = self.take(|concept| match concept {
            C::Outcome(gain) => Some(gain),
            _ => None,
        })?;
        let percent = match before {
            Some(percent) => percent,
            None => {
                self.eat_any(&[
                    C::Of,
                    C::At,
                    C::Colon,
                    C::Verb(Verb::Touch),
                    C::Direction(true),
                    C::OrEqual,
                    C::Equals,
                ]);
                self.percent()?
            }
        };
        Some(limit(gain, percent, false))
    }

    /// "price falls 5% below entry".
    fn off_entry(&mut self) -> Option<Risk> {
        let _ = self.eat(C::Price(Price::Close)) || self.eat(C::Pronoun);
        let verb = self.take(|concept| match concept {
            C::Verb(verb @ (Verb::Rise | Verb::Fall | Verb::Move)) => Some(verb),
            _ => None,
        });
        let percent = self.percent()?;
        let above = self.entry_side()?;
        match (verb, above) {
            (Some(Verb::Rise), false) | (Some(Verb::Fall), true) => {
                self.fail("the direction contradicts the verb")
            }
            _ => Some(limit(above, percent, true)),
        }
    }

    fn entry_side(&mut self) -> Option<bool> {
        self.take(|concept| match concept {
            C::FromEntry(above) => Some(above),
            _ => None,
        })
    }
}

const fn limit(gain: bool, percent: Number, long_words: bool) -> Risk {
    Risk { limit: if gain { Limit::Gain(percent) } else { Limit::Loss(percent) }, long_words }
}
