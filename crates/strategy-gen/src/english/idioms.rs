//! Comparisons that have names: golden cross, oversold, crossover, breakout.

use super::condition::{Draft, Rel};
use super::cursor::{Cursor, state};
use super::lexicon::{Concept as C, Line, Verb};
use super::signal::Said;
use crate::spec::{Average, Extreme, Number, Operand, Relation, Series, Unit};

const OVERSOLD: u32 = 30;
const OVERBOUGHT: u32 = 70;

impl Cursor<'_> {
    /// "golden cross", "death cross of 20 and 100 SMA".
    pub(super) fn named_cross(&mut self) -> Option<Draft> {
        let golden = self.take(|concept| match concept {
            C::NamedCross(golden) => Some(golden),
            _ => None,
        })?;
        let (fast, slow) = self.named_cross_pair()?;
        let relation = if golden { Relation::CrossesAbove } else { Relation::CrossesBelow };
        Some(Draft { left: fast, rel: Rel::Fixed(relation), right: Operand::Series(slow) })
    }

    pub(super) fn named_cross_pair(&mut self) -> Option<(Series, Series)> {
        let stated = self.attempt(|c| {
            let paren = c.eat(C::OpenParen);
            if !paren {
                c.eat(C::Of);
            }
            let pair = c.average_pair()?;
            (!paren || c.eat(C::CloseParen)).then_some(pair)
        });
        if let Some(pair) = stated {
            state(&mut self.stated.named_cross, pair);
            return Some(pair);
        }
        let average = |period| Series::average(Average::Simple, period);
        self.left_out(&self.known.named_cross, (average(50), average(200)), "golden or death cross", || {
            "a golden or death cross is that of SMA(50) and SMA(200)".to_owned()
        })
    }

    /// "oversold", "RSI is overbought (above 75)".
    pub(super) fn zone(&mut self) -> Option<Draft> {
        self.zone_of(None)
    }

    /// The same, of a line that has been read.
    pub(super) fn zone_of(&mut self, read: Option<Series>) -> Option<Draft> {
        let named = self.attempt(|c| {
            let series = c.series(None)?;
            c.eat_any(&[C::Verb(Verb::Move), C::Verb(Verb::State)]);
            c.next_is_like(C::Zone(true)).then_some(series)
        });
        let named = read.or(named);
        let overbought = self.take(|concept| match concept {
            C::Zone(overbought) => Some(overbought),
            _ => None,
        })?;
        let left = match named {
            Some(
                series @ (Series::Rsi { .. }
                | Series::StochasticK { .. }
                | Series::StochasticD { .. }
                | Series::Cci { .. }),
            ) => series,
            Some(_) => {
                return self.fail("`overbought` and `oversold` are known of RSI, stochastic and CCI only");
            }
            None => Series::Rsi { period: self.line_period(Line::Rsi)? },
        };
        let stated = self.attempt(|c| {
            let paren = c.eat(C::OpenParen);
            c.eat(C::Line(Line::Rsi));
            let direction = c.direction();
            let level = c.number()?;
            let agrees = direction.is_none_or(|up| up == overbought) && (paren || direction.is_some());
            (agrees && (!paren || c.eat(C::CloseParen))).then_some(level)
        });
        let (name, low, high) = match left.unit() {
            Unit::Rsi => ("an RSI", Number::from(OVERSOLD), Number::from(OVERBOUGHT)),
            Unit::Stochastic => ("a stochastic", 20.into(), 80.into()),
            _ => ("a CCI", Number::from(100).negated(), 100.into()),
        };
        let level = stated.unwrap_or_else(|| {
            self.note(if overbought {
                format!("overbought means {name} above {high}")
            } else {
                format!("oversold means {name} below {low}")
            });
            if overbought { high } else { low }
        });
        let relation = if overbought { Relation::Above } else { Relation::Below };
        Some(Draft { left, rel: Rel::Fixed(relation), right: Operand::Level(level) })
    }

    /// "positive" as a state, "turns positive" as an event.
    fn sign(&mut self) -> Option<Rel> {
        let event = self.eat(C::Verb(Verb::Move));
        let up = self.take(|concept| match concept {
            C::Sign(up) => Some(up),
            _ => None,
        })?;
        Some(Rel::Fixed(match (event, up) {
            (true, true) => Relation::CrossesAbove,
            (true, false) => Relation::CrossesBelow,
            (false, true) => Relation::Above,
            (false, false) => Relation::Below,
        }))
    }

    /// "MACD is positive".
    pub(super) fn positive(&mut self) -> Option<Draft> {
        let left = self.series(None)?;
        let rel = self.sign()?;
        if !left.unit().signed() || matches!(left, Series::Atr { .. }) {
            return self.fail("`positive` and `negative` are known of MACD, ROC, momentum and CCI only");
        }
        Some(Draft { left, rel, right: Operand::Level(0.into()) })
    }

    /// "bullish MACD crossover", "12/26 EMA crossover", "crossover of 10 and 30 SMA".
    pub(super) fn cross_noun(&mut self) -> Option<Draft> {
        let mut bias = self.bias();
        let of = self.eat(C::Verb(Verb::Cross)) && self.eat(C::Of);
        let pair = self.attempt(Self::average_pair);
        let (left, right) = match pair {
            Some(pair) => pair,
            None => match self.macd()? {
                Series::Macd { periods } | Series::MacdSignal { periods } => {
                    (Series::Macd { periods }, Series::MacdSignal { periods })
                }
                _ => return None,
            },
        };
        bias = bias.or_else(|| self.bias());
        if !of && !self.eat(C::Verb(Verb::Cross)) {
            return None;
        }
        // "MACD crosses above ..." and "MACD crosses zero" are comparisons.
        if self.next_is_like(C::Direction(true))
            || self.next_is_like(C::Number(0.into()))
            || self.attempt(|c| c.series(None)).is_some()
        {
            return None;
        }
        if pair.is_none() {
            self.note("a MACD crossover is that of the MACD line and its signal line");
        }
        let rel = match bias {
            Some(true) => Rel::Fixed(Relation::CrossesAbove),
            Some(false) => Rel::Fixed(Relation::CrossesBelow),
            None => Rel::Either,
        };
        Some(Draft { left, rel, right: Operand::Series(right) })
    }

    fn bias(&mut self) -> Option<bool> {
        self.take(|concept| match concept {
            C::Bias(up) => Some(up),
            _ => None,
        })
    }

    /// "20-day breakout", "20-day high breakout", "breakout above the 20-day high".
    pub(super) fn breakout(&mut self) -> Option<Draft> {
        let channel = |extreme, period| Operand::Series(Series::Channel { extreme, period });
        if let Some(period) = self.bars_counted() {
            let down = self.take(|concept| match concept {
                C::Verb(Verb::Break) => Some(false),
                C::Verb(Verb::BreakDown) => Some(true),
                _ => None,
            })?;
            if self.next_is_like(C::Direction(true)) || self.peek() == Some(C::Of) {
                return None;
            }
            self.note_channel();
            return Some(if down {
                Draft {
                    left: Series::CLOSE,
                    rel: Rel::Fixed(Relation::CrossesBelow),
                    right: channel(Extreme::Low, period),
                }
            } else {
                Draft { left: Series::CLOSE, rel: Rel::Breakout, right: channel(Extreme::High, period) }
            });
        }
        let (said, right) = if matches!(self.peek(), Some(C::Verb(Verb::Break | Verb::BreakDown))) {
            let said = self.said()?;
            self.eat(C::Of);
            (said, self.series(said.up())?)
        } else {
            let right = self.series(None)?;
            let down = self.take(|concept| match concept {
                C::Verb(Verb::Break) => Some(false),
                C::Verb(Verb::BreakDown) => Some(true),
                _ => None,
            })?;
            let said = if down { Said::Rel(Rel::Fixed(Relation::CrossesBelow)) } else { Said::Break };
            if self.next_is_like(C::Direction(true)) || self.peek() == Some(C::Of) || right == Series::CLOSE {
                return None;
            }
            (said, right)
        };
        if right.unit() != Unit::Price {
            return None;
        }
        self.compare(Series::CLOSE, said, Operand::Series(right))
    }
}
