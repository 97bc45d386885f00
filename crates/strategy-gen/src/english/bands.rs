//! Bollinger bands and channels of highs and lows.

use super::cursor::{Cursor, state};
use super::lexicon::{Concept as C, Verb};
use crate::spec::{Average, Band, Extreme, Number, Series};

const BAND_PERIOD: u32 = 20;
const CHANNEL_PERIOD: u32 = 20;

impl Cursor<'_> {
    pub(super) fn bollinger(&mut self) -> Option<Series> {
        match self.bands()? {
            (Some(band), period, deviations) => Some(Series::Bollinger { band, period, deviations }),
            (None, ..) => self.fail("which Bollinger band: upper, middle or lower?"),
        }
    }

    /// Bollinger bands with or without the name of one of the three.
    pub(super) fn bands(&mut self) -> Option<(Option<Band>, u32, Number)> {
        let mut settings = (None, None);
        while let Some(setting) = self.attempt(Self::band_setting) {
            merge(&mut settings, setting)?;
            self.eat(C::Comma);
        }
        let mut side = self.side();
        if side.is_some() && self.eat(C::BandWord) {
            if self.eat_of_bollinger() {
                while let Some(setting) = self.attempt(Self::band_setting) {
                    merge(&mut settings, setting)?;
                }
                self.eat(C::Bollinger);
                self.eat(C::BandWord);
            } else if !self.mentions(C::Bollinger) || self.mentions(C::Donchian) {
                return self.fail("whose band is meant? write `lower Bollinger band`");
            }
        } else if side.is_some() && self.eat_of_bollinger() {
            self.eat(C::Bollinger);
            self.eat(C::BandWord);
        } else if self.eat(C::Bollinger) {
            self.eat(C::BandWord);
        } else {
            return None;
        }
        self.band_suffix(&mut settings)?;
        if side.is_none() {
            side = self.side();
            if side.is_some() {
                self.eat(C::BandWord);
            }
        }
        let period = match settings.0 {
            Some(period) => {
                state(&mut self.stated.band_period, period);
                period
            }
            None => self.left_out(&self.known.band_period, BAND_PERIOD, "Bollinger band", || {
                format!("Bollinger bands without a period use {BAND_PERIOD} bars")
            })?,
        };
        let deviations = match settings.1 {
            Some(deviations) => {
                state(&mut self.stated.band_deviations, deviations);
                deviations
            }
            None => self.left_out(&self.known.band_deviations, 2.into(), "Bollinger band", || {
                "Bollinger bands without a width use 2 standard deviations".to_owned()
            })?,
        };
        Some((side, period, deviations))
    }

    /// Takes "of" before "(20-day) Bollinger".
    fn eat_of_bollinger(&mut self) -> bool {
        let found = self.attempt(|c| {
            let ahead = c.lexemes.iter().skip(c.at + 1).take(5).map(|l| l.concept);
            (c.eat(C::Of) && ahead.clone().any(|next| next == C::Bollinger)).then_some(())
        });
        found.is_some()
    }

    /// "20-day" or "2 standard deviations", in front of the name or after it.
    fn band_setting(&mut self) -> Option<(Option<u32>, Option<Number>)> {
        if let Some(deviations) = self.attempt(|c| {
            let number = c.number()?;
            c.eat(C::Deviation).then_some(number)
        }) {
            return Some((None, Some(deviations)));
        }
        if self.eat(C::Deviation) {
            self.eat_any(&[C::Equals, C::Of]);
            return Some((None, Some(self.number()?)));
        }
        if self.label() {
            return Some((Some(self.period()?), None));
        }
        let period = self.bars_counted()?;
        // "lower band with 20 day high ..." counts another line's bars.
        let other = [C::Average(Average::Simple), C::Extreme(Extreme::High), C::Verb(Verb::Break)];
        if other.into_iter().any(|like| self.next_is_like(like))
            || matches!(self.peek(), Some(C::Line(_) | C::Donchian))
        {
            return None;
        }
        Some((Some(period), None))
    }

    fn band_suffix(&mut self, settings: &mut (Option<u32>, Option<Number>)) -> Option<()> {
        if self.eat(C::OpenParen) {
            loop {
                let setting = match self.attempt(Self::band_setting) {
                    Some(setting) => setting,
                    None if settings.0.is_none() => (Some(self.period()?), None),
                    None => (None, Some(self.number()?)),
                };
                merge(settings, setting)?;
                if self.eat(C::CloseParen) {
                    return Some(());
                }
                let _ = self.eat(C::Comma) || self.eat(C::Slash) || self.eat(C::And);
            }
        }
        // "Bollinger 20/2", "Bollinger 20"
        let bare = self.attempt(|c| {
            let period = c.period()?;
            let width = c.attempt(|c| {
                let _ = c.eat(C::Slash) || c.eat(C::Comma);
                c.number()
            });
            let labelled = c.bars() || c.eat(C::Deviation) || c.eat(C::Percent);
            (!labelled).then_some((Some(period), width))
        });
        if let Some(setting) = bare {
            return merge(settings, setting);
        }
        let mut first = true;
        while let Some(setting) = self.attempt(|c| {
            let joined = c.eat(C::With) || c.eat(C::Of) || (!first && (c.eat(C::And) || c.eat(C::Comma)));
            let _ = joined;
            c.band_setting()
        }) {
            merge(settings, setting)?;
            first = false;
        }
        Some(())
    }

    /// An n-day high or low, or a Donchian channel.
    pub(super) fn channel(&mut self, up: Option<bool>) -> Option<Series> {
        let past = self.eat(C::Past);
        let before = self.prefix();
        let side = self.side();
        if !past && self.eat(C::Donchian) {
            return self.donchian(before, side, up);
        }
        if side.is_some() {
            return None;
        }
        let extreme = self.extreme()?;
        let period = match before {
            Some(period) => period,
            None => {
                let counted = self.attempt(|c| {
                    (c.eat(C::Of) || c.peek() == Some(C::OpenParen)).then_some(())?;
                    let paren = c.eat(C::OpenParen);
                    c.eat(C::Past);
                    let period = c.bars_counted()?;
                    (!paren || c.eat(C::CloseParen)).then_some(period)
                });
                match counted {
                    Some(period) => period,
                    None => return self.fail("the high or low of how many bars? write `20-day high`"),
                }
            }
        };
        self.note_channel();
        Some(Series::Channel { extreme, period })
    }

    fn extreme(&mut self) -> Option<Extreme> {
        self.take(|concept| match concept {
            C::Extreme(extreme) => Some(extreme),
            _ => None,
        })
    }

    fn donchian(&mut self, before: Option<u32>, side: Option<Band>, up: Option<bool>) -> Option<Series> {
        self.eat(C::BandWord);
        let after = before.or_else(|| self.suffix());
        let extreme = match side.or_else(|| self.side()) {
            Some(Band::Upper) => Some(Extreme::High),
            Some(Band::Lower) => Some(Extreme::Low),
            Some(Band::Middle) => return self.fail("the middle of a Donchian channel is not known here"),
            None => self.extreme(),
        };
        self.eat(C::BandWord);
        let extreme = match (extreme, up) {
            (Some(extreme), _) => extreme,
            (None, Some(true)) => Extreme::High,
            (None, Some(false)) => Extreme::Low,
            (None, None) => return self.fail("which side of the Donchian channel: upper or lower?"),
        };
        let stated = after.or_else(|| self.suffix());
        let period = self.channel_period(stated)?;
        self.note_channel();
        Some(Series::Channel { extreme, period })
    }

    pub(super) fn channel_period(&mut self, stated: Option<u32>) -> Option<u32> {
        if let Some(period) = stated {
            state(&mut self.stated.channel, period);
            return Some(period);
        }
        self.left_out(&self.known.channel, CHANNEL_PERIOD, "Donchian channel", || {
            format!("a Donchian channel without a period uses {CHANNEL_PERIOD} bars")
        })
    }

    pub(super) fn note_channel(&mut self) {
        self.note(
            "an n-day high or low is that of the n bars before the current one, compared with the close",
        );
    }
}

fn merge(into: &mut (Option<u32>, Option<Number>), from: (Option<u32>, Option<Number>)) -> Option<()> {
    if (into.0.is_some() && from.0.is_some()) || (into.1.is_some() && from.1.is_some()) {
        return None;
    }
    into.0 = into.0.or(from.0);
    into.1 = into.1.or(from.1);
    Some(())
}
