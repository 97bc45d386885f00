//! Lines with one period, the stochastic oscillator, and prices of now and before.

use super::cursor::{Cursor, state};
use super::lexicon::{Concept as C, Line, Verb};
use crate::spec::{Extreme, Price, Series, StochasticPeriods};

impl Line {
    /// Its name and the period it has where the text gives none.
    const fn usual(self) -> (&'static str, Option<u32>) {
        match self {
            Self::Rsi => ("RSI", Some(14)),
            Self::Atr => ("ATR", Some(14)),
            Self::Adx => ("ADX", Some(14)),
            Self::PlusDi => ("+DI", Some(14)),
            Self::MinusDi => ("-DI", Some(14)),
            Self::Cci => ("CCI", Some(20)),
            Self::Roc => ("ROC", None),
            Self::Momentum => ("momentum", None),
            Self::Vwap => ("VWAP", None),
        }
    }

    pub(super) const fn of(self, period: u32) -> Series {
        match self {
            Self::Rsi => Series::Rsi { period },
            Self::Atr => Series::Atr { period },
            Self::Adx => Series::Adx { period },
            Self::PlusDi => Series::PlusDi { period },
            Self::MinusDi => Series::MinusDi { period },
            Self::Cci => Series::Cci { period },
            Self::Roc => Series::Roc { period },
            Self::Momentum => Series::Momentum { period },
            Self::Vwap => Series::Vwap { period },
        }
    }
}

impl Cursor<'_> {
    /// "14-day RSI", "CCI(20)", "ADX".
    pub(super) fn line(&mut self) -> Option<Series> {
        let before = self.prefix();
        let line = self.take(|concept| match concept {
            C::Line(line) => Some(line),
            _ => None,
        })?;
        self.repeated(C::Line(line));
        let period = match before.or_else(|| self.suffix()) {
            Some(period) => {
                state(&mut self.stated.lines, (line, period));
                period
            }
            None => self.line_period(line)?,
        };
        Some(line.of(period))
    }

    /// The period of a line that is named without one.
    pub(super) fn line_period(&mut self, line: Line) -> Option<u32> {
        let known: Vec<u32> =
            self.known.lines.iter().filter(|(other, _)| *other == line).map(|(_, period)| *period).collect();
        let (name, usual) = line.usual();
        match usual {
            Some(usual) => {
                self.left_out(&known, usual, name, || format!("{name} without a period is {name}({usual})"))
            }
            None if known.is_empty() => {
                self.fail(format!("{name} over how many bars? write `10-day {name}`"))
            }
            None => self.left_out(&known, 1, name, String::new),
        }
    }

    /// "stochastic", "%D", "stochastic(5,3,3)".
    pub(super) fn stochastic(&mut self) -> Option<Series> {
        let mut signal = self.take(stochastic_word)?;
        let stated = self.attempt(|c| {
            c.eat(C::OpenParen).then_some(())?;
            let range = c.period()?;
            let joint = |c: &mut Self| (c.eat(C::Comma) || c.eat(C::Slash)).then_some(());
            joint(c)?;
            let smoothing = c.period()?;
            let signal = match joint(c) {
                Some(()) => c.period()?,
                None => {
                    // "(14, 3)" is the range and the average that makes %D of a %K with the usual smoothing.
                    return c.fail("write all three periods of the stochastic: `stochastic(14,3,3)`");
                }
            };
            c.eat(C::CloseParen).then_some(StochasticPeriods { range, smoothing, signal })
        });
        // "stochastic(14,3,3) %K"
        if let Some(line) = self.take(stochastic_word) {
            signal = line;
        }
        let periods = match stated {
            Some(periods) => {
                state(&mut self.stated.stochastic, periods);
                periods
            }
            None => {
                self.left_out(&self.known.stochastic, StochasticPeriods::STANDARD, "stochastic", || {
                    "the stochastic without periods is Stochastic(14,3,3), its own line %K".to_owned()
                })?
            }
        };
        Some(if signal { Series::StochasticD { periods } } else { Series::StochasticK { periods } })
    }

    /// "the close", "yesterday's high", "the close 3 days ago", "the low of the previous bar".
    pub(super) fn price(&mut self) -> Option<Series> {
        if let Some(column) = self.attempt(|c| {
            if !c.eat(C::Yesterday) {
                c.before()?;
                c.bars();
            }
            c.column()
        }) {
            return Some(Series::Price { column, ago: 1 });
        }
        let named = matches!(self.peek(), Some(C::Price(_)));
        let column = self.column()?;
        let ago = self.attempt(|c| {
            c.eat(C::Of);
            if c.eat(C::Yesterday) {
                return Some(1);
            }
            if c.before().is_some() {
                return c.bars().then_some(1);
            }
            let ago = c.bars_counted()?;
            c.eat(C::Ago).then_some(ago)
        });
        match ago {
            Some(ago) => Some(Series::Price { column, ago }),
            None if named => Some(Series::price(column)),
            // "high" alone may be that of many bars; as the subject of a comparison it is the bar's own.
            None if self.next_is_like(C::Direction(true)) || self.crossing_verb() => {
                Some(Series::price(column))
            }
            None => None,
        }
    }

    fn crossing_verb(&self) -> bool {
        matches!(self.peek(), Some(C::Verb(Verb::Cross | Verb::Fall | Verb::Rise | Verb::Move)))
            && matches!(self.peek_at(1), Some(C::Direction(_)))
    }

    /// "previous": not "last", which may be the current one.
    fn before(&mut self) -> Option<()> {
        let text = self.lexemes.get(self.at)?.text.to_lowercase();
        (matches!(text.as_str(), "previous" | "prior" | "preceding") && self.eat(C::Past)).then_some(())
    }

    fn column(&mut self) -> Option<Price> {
        self.take(|concept| match concept {
            C::Price(column) => Some(column),
            C::Extreme(Extreme::High) => Some(Price::High),
            C::Extreme(Extreme::Low) => Some(Price::Low),
            _ => None,
        })
    }
}

fn stochastic_word(concept: C) -> Option<bool> {
    match concept {
        C::Stochastic(signal) => Some(signal),
        _ => None,
    }
}
