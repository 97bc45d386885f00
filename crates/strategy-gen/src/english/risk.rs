//! Stops, targets, sizes and time: everything about a trade that is no signal.

use super::cursor::{Cursor, state};
use super::lexicon::{Concept as C, Line, Verb};
use crate::spec::{Distance, Number, Price, Size, Target};

/// Something said about the trade itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Limit {
    Loss(Distance),
    Trail(Distance),
    Gain(Target),
    Bars(u32),
    Size(Size),
}

/// One of them as read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Risk {
    pub(super) limit: Limit,
    /// It was said in terms of a long position ("below entry").
    pub(super) long_words: bool,
}

impl Risk {
    const fn plain(limit: Limit) -> Self {
        Self { limit, long_words: false }
    }
}

impl Cursor<'_> {
    /// "5% stop loss", "take profit at 10%", "risk 1% per trade", "hold for 5 days".
    pub(super) fn risk(&mut self) -> Option<Risk> {
        self.attempt(|c| {
            c.eat_any(&[C::At, C::With, C::When]);
            c.attempt(Self::reward)
                .or_else(|| c.attempt(Self::named_limit))
                .or_else(|| c.attempt(Self::size))
                .or_else(|| c.attempt(|c| c.time(true)))
        })
    }

    /// A way to leave: also "at 3% profit", "falls 5% below entry", "after 10 days".
    ///
    /// Only where an exit is said: "sell when RSI > 70 and profit is above 5%" is a condition, not a target.
    pub(super) fn leaving_risk(&mut self) -> Option<Risk> {
        self.risk().or_else(|| {
            self.attempt(|c| {
                c.eat_any(&[C::At, C::With, C::When]);
                c.attempt(Self::outcome)
                    .or_else(|| c.attempt(Self::off_entry))
                    .or_else(|| c.attempt(|c| c.time(false)))
            })
        })
    }

    /// "5%", "2 ATR", "2x ATR(20)", "1.5 times the 10-day ATR".
    fn distance(&mut self) -> Option<Distance> {
        if let Some(percent) = self.percent() {
            return Some(Distance::Percent(percent));
        }
        self.attempt(|c| {
            let multiple = c.number()?;
            c.eat(C::Times);
            c.eat(C::Of);
            let before = c.attempt(|c| {
                let period = c.period()?;
                c.bars().then_some(period)
            });
            c.eat(C::Line(Line::Atr)).then_some(())?;
            let stated = before.or_else(|| {
                c.attempt(|c| {
                    c.eat(C::OpenParen).then_some(())?;
                    let period = c.period()?;
                    c.bars();
                    c.eat(C::CloseParen).then_some(period)
                })
            });
            let period = match stated {
                Some(period) => {
                    state(&mut c.stated.lines, (Line::Atr, period));
                    period
                }
                None => c.line_period(Line::Atr)?,
            };
            Some(Distance::Atr { multiple, period })
        })
    }

    /// "stop loss of 2 percent", "2% stop below entry", "take profit: 4%", "3 ATR trailing stop".
    fn named_limit(&mut self) -> Option<Risk> {
        let before = self.distance();
        let early = self.entry_side();
        let name = self.take(|concept| match concept {
            C::Stop => Some(Name::Stop),
            C::Target => Some(Name::Target),
            C::Trailing => Some(Name::Trailing),
            _ => None,
        })?;
        let distance = match before {
            Some(distance) => distance,
            None => {
                self.eat_any(&[C::Of, C::At, C::Colon, C::Equals, C::When]);
                match self.distance() {
                    Some(distance) => distance,
                    None => {
                        return self.fail(
                            "a stop or target needs a distance in per cent or ATR; write `5% stop loss`",
                        );
                    }
                }
            }
        };
        let side = early.or_else(|| self.entry_side());
        if side.is_some_and(|above| above != (name == Name::Target)) {
            return self.fail("a stop lies below the entry of a long position and a target above it");
        }
        let limit = match name {
            Name::Stop => Limit::Loss(distance),
            Name::Target => Limit::Gain(Target::Distance(distance)),
            Name::Trailing => {
                self.note("the trailing stop follows the close");
                Limit::Trail(distance)
            }
        };
        Some(Risk { limit, long_words: side.is_some() })
    }

    /// "risk reward of 1:2", "2:1 reward to risk", "target at 2R".
    fn reward(&mut self) -> Option<Risk> {
        let before = self.attempt(Self::ratio);
        let targeted = self.eat(C::Target);
        self.eat_any(&[C::Of, C::At, C::Colon, C::Equals]);
        let named = self.eat(C::RiskReward);
        let ratio = match before {
            Some(ratio) if named => ratio,
            None if named || targeted => {
                self.eat_any(&[C::Of, C::At, C::Colon, C::Equals]);
                self.ratio()?
            }
            _ => return None,
        };
        if !named && !self.eat(C::RMultiple) {
            return None;
        }
        self.eat(C::Target);
        self.note("the target lies so many times as far from the close of the signal bar as the stop");
        Some(Risk::plain(Limit::Gain(Target::Reward(ratio))))
    }

    /// "1:2", "2:1", "2": the reward for a risk of 1.
    fn ratio(&mut self) -> Option<Number> {
        let first = self.number()?;
        let second = self.attempt(|c| {
            (c.eat(C::Colon) || c.eat(C::Slash)).then_some(())?;
            c.number()
        });
        match (first.get(), second) {
            (_, None) => Some(first),
            (1.0, Some(reward)) => Some(reward),
            (_, Some(one)) if one.get() == 1.0 => {
                self.note(format!("a risk-reward ratio of {first}:1 is a reward of {first} for a risk of 1"));
                Some(first)
            }
            _ => self.fail("write the risk-reward ratio as `1:2`"),
        }
    }

    /// "10% of equity", "position size of 100 shares", "risk 1% per trade".
    fn size(&mut self) -> Option<Risk> {
        let risk_first = self.eat(C::Risk);
        let size_first = !risk_first && self.eat(C::Size);
        self.eat_any(&[C::Of, C::Colon, C::Equals]);
        if size_first && let Some(units) = self.units() {
            return Some(units);
        }
        let percent = self.percent()?;
        let of_equity = self
            .attempt(|c| {
                c.eat(C::Of).then_some(())?;
                c.eat(C::Equity).then_some(())
            })
            .is_some();
        let risk = risk_first || self.eat(C::Risk);
        let per_trade = self.eat(C::PerTrade);
        if !(risk || of_equity || size_first) || (per_trade && !(risk || of_equity || size_first)) {
            return None;
        }
        Some(Risk::plain(Limit::Size(if risk {
            self.note("the size is such that the stop loses the risked part of the equity, at most all cash is used");
            Size::Risk(percent)
        } else {
            Size::Percent(percent)
        })))
    }

    /// "100 shares".
    pub(super) fn units(&mut self) -> Option<Risk> {
        self.attempt(|c| {
            let units = c.number()?;
            c.eat(C::Units).then_some(())?;
            match units.whole() {
                Some(units @ 1..) => Some(Risk::plain(Limit::Size(Size::Units(units)))),
                _ => c.fail(format!("`{units}` is not a number of pieces")),
            }
        })
    }

    /// "after 10 days", "10 bars later", "hold for 5 days"; alone only where the word says it.
    fn time(&mut self, alone: bool) -> Option<Risk> {
        let hold = self.eat(C::Hold);
        self.eat_any(&[C::Of, C::For, C::Colon, C::At]);
        let after = self.eat(C::After);
        if self.eat(C::Direction(false)) && !self.eat(C::OrEqual) {
            return None;
        }
        let bars = self.bars_counted()?;
        let later = self.eat(C::Later);
        if !(hold || (!alone && (after || later))) {
            return None;
        }
        self.note(format!("a position is closed at the open {bars} bars after the one it was opened at"));
        Some(Risk::plain(Limit::Bars(bars)))
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Name {
    Stop,
    Target,
    Trailing,
}

const fn limit(gain: bool, percent: Number, long_words: bool) -> Risk {
    let distance = Distance::Percent(percent);
    let limit = if gain { Limit::Gain(Target::Distance(distance)) } else { Limit::Loss(distance) };
    Risk { limit, long_words }
}
