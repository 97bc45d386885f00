//! Lines: averages, MACD and their parameters.

use super::cursor::{Cursor, state};
use super::lexicon::Concept as C;
use crate::spec::{Average, MacdPeriods, Price, Series};

impl Cursor<'_> {
    /// Any line. `up` tells which side of an unnamed Donchian channel is meant.
    pub(super) fn series(&mut self, up: Option<bool>) -> Option<Series> {
        if let Some(series) = self.attempt(Self::pronoun) {
            return Some(series);
        }
        self.attempt(Self::average)
            .or_else(|| self.attempt(Self::price))
            .or_else(|| self.attempt(Self::line))
            .or_else(|| self.attempt(Self::stochastic))
            .or_else(|| self.attempt(Self::macd))
            .or_else(|| self.attempt(Self::bollinger))
            .or_else(|| self.attempt(|c| c.channel(up)))
    }

    /// "it": the one thing watched so far.
    fn pronoun(&mut self) -> Option<Series> {
        if !self.eat(C::Pronoun) {
            return None;
        }
        match self.only_subject() {
            Some(series) => Some(series),
            None => self.fail("it is not clear what `it` means"),
        }
    }

    /// The one line watched so far, if there is exactly one.
    pub(super) fn only_subject(&self) -> Option<Series> {
        let mut subjects = self.compared.iter().map(|(left, _)| *left).chain(self.topic);
        let first = subjects.next()?;
        subjects.all(|other| other == first).then_some(first)
    }

    /// A number of bars that stands before a name: "20-day", "20".
    pub(super) fn prefix(&mut self) -> Option<u32> {
        let period = self.attempt(Self::period)?;
        self.bars();
        Some(period)
    }

    /// A number of bars that stands after a name: "(20)", "of 20 days", "with period 20", "20".
    pub(super) fn suffix(&mut self) -> Option<u32> {
        self.attempt(|c| {
            if c.eat(C::OpenParen) {
                c.label();
                let period = c.period()?;
                c.bars();
                return c.eat(C::CloseParen).then_some(period);
            }
            let linked = c.eat(C::With);
            let of = !linked && c.eat(C::Of);
            if c.label() {
                let period = c.period()?;
                c.bars();
                return Some(period);
            }
            if of {
                c.eat(C::Past);
            }
            let period = c.period()?;
            let counted = c.bars();
            (counted || !linked).then_some(period)
        })
    }

    /// "period", "period =", "length of".
    pub(super) fn label(&mut self) -> bool {
        let found = self.bars();
        if found {
            self.eat_any(&[C::Equals, C::Of, C::Colon]);
        }
        found
    }

    /// The name once more in parentheses: "relative strength index (RSI)".
    pub(super) fn repeated(&mut self, name: C) {
        if self.peek() == Some(C::OpenParen)
            && self.peek_at(1) == Some(name)
            && self.peek_at(2) == Some(C::CloseParen)
        {
            self.at += 3;
        }
    }

    pub(super) fn average_kind(&mut self) -> Option<Average> {
        let word = self.lexemes.get(self.at)?.text.to_lowercase();
        let kind = self.take(|concept| match concept {
            C::Average(kind) => Some(kind),
            _ => None,
        })?;
        if matches!(word.as_str(), "ma" | "mas" | "moving average" | "moving averages" | "average" | "dma") {
            self.note("a moving average that is not called exponential is a simple one");
        }
        self.repeated(C::Average(kind));
        Some(kind)
    }

    pub(super) fn average(&mut self) -> Option<Series> {
        let before = self.prefix();
        let early = self.eat(C::Price(Price::Volume));
        let kind = self.average_kind()?;
        let mut volume = early || self.of_volume();
        let period = match before.or_else(|| self.suffix()) {
            Some(period) => period,
            None => return self.fail("the moving average has no period; write `50-day SMA`"),
        };
        volume = volume || self.of_volume();
        Some(Series::Average { kind, period, of: if volume { Price::Volume } else { Price::Close } })
    }

    /// "of volume", "volume" behind an average.
    fn of_volume(&mut self) -> bool {
        let found = self.attempt(|c| {
            c.eat(C::Of);
            c.eat(C::Price(Price::Volume)).then_some(())
        });
        found.is_some()
    }

    /// Two averages named together: "12/26 EMA", "EMA(12, 26)", "20 EMA and 50 EMA".
    pub(super) fn average_pair(&mut self) -> Option<(Series, Series)> {
        let (a, b) = self
            .attempt(|c| {
                let a = c.period()?;
                c.between()?;
                let b = c.period()?;
                c.bars();
                let kind = c.average_kind()?;
                Some((Series::average(kind, a), Series::average(kind, b)))
            })
            .or_else(|| {
                self.attempt(|c| {
                    let kind = c.average_kind()?;
                    let paren = c.eat(C::OpenParen);
                    let a = c.period()?;
                    c.between()?;
                    let b = c.period()?;
                    if paren && !c.eat(C::CloseParen) {
                        return None;
                    }
                    Some((Series::average(kind, a), Series::average(kind, b)))
                })
            })
            .or_else(|| {
                self.attempt(|c| {
                    let a = c.average()?;
                    c.between()?;
                    let b = c.average()?;
                    (a.unit() == b.unit()).then_some((a, b))
                })
            })?;
        let (Series::Average { period: first, .. }, Series::Average { period: second, .. }) = (a, b) else {
            return None;
        };
        match first.cmp(&second) {
            std::cmp::Ordering::Less => Some((a, b)),
            std::cmp::Ordering::Greater => Some((b, a)),
            std::cmp::Ordering::Equal => self.fail("the fast and the slow average have the same period"),
        }
    }

    pub(super) fn between(&mut self) -> Option<()> {
        (self.eat(C::Slash) || self.eat(C::Dash) || self.eat(C::Comma) || self.eat(C::And)).then_some(())
    }

    /// The MACD or its signal line.
    pub(super) fn macd(&mut self) -> Option<Series> {
        let before = self.attempt(Self::triple);
        if self.peek() == Some(C::SignalLine) && before.is_none() {
            self.at += 1;
            if !self.mentions(C::Macd) && !self.mentions(C::Histogram) {
                return self.fail("which `signal line` is meant?");
            }
            return Some(Series::MacdSignal { periods: self.macd_periods(None)? });
        }
        if before.is_none() && self.eat(C::Histogram) {
            return Some(Series::MacdHistogram { periods: self.macd_periods(None)? });
        }
        if !self.eat(C::Macd) {
            return None;
        }
        self.repeated(C::Macd);
        let after = before.or_else(|| self.attempt(Self::triple));
        let periods = self.macd_periods(after)?;
        Some(if self.eat(C::SignalLine) {
            Series::MacdSignal { periods }
        } else if self.eat(C::Histogram) {
            Series::MacdHistogram { periods }
        } else {
            Series::Macd { periods }
        })
    }

    pub(super) fn macd_periods(&mut self, stated: Option<MacdPeriods>) -> Option<MacdPeriods> {
        if let Some(periods) = stated {
            state(&mut self.stated.macd, periods);
            return Some(periods);
        }
        self.left_out(&self.known.macd, MacdPeriods::STANDARD, "MACD", || {
            "MACD without periods is MACD(12,26,9)".to_owned()
        })
    }

    fn triple(&mut self) -> Option<MacdPeriods> {
        let paren = self.eat(C::OpenParen);
        let next = |c: &mut Self, first: bool| {
            if !first {
                let _ = c.eat(C::Slash) || c.eat(C::Comma) || c.eat(C::Dash);
            }
            c.period()
        };
        let (fast, slow, signal) = (next(self, true)?, next(self, false)?, next(self, false)?);
        if paren && !self.eat(C::CloseParen) {
            return None;
        }
        if fast >= slow {
            return self.fail(format!(
                "MACD({fast},{slow},{signal}) has no fast average: `{fast}` must be less than `{slow}`"
            ));
        }
        Some(MacdPeriods { fast, slow, signal })
    }
}
