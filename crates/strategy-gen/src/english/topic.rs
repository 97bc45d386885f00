//! What a text names before it states rules: "RSI(14) strategy:", "using MACD", "golden cross strategy".

use super::clauses::either;
use super::condition::{Draft, Rel, Tree};
use super::cursor::Cursor;
use super::lexicon::{Action, Concept as C, Line, Verb};
use crate::spec::{Band, Extreme, Number, Operand, Relation, Series, Unit};

/// Rules that a name stands for.
pub(super) type Preset = Vec<(Action, Tree)>;

/// A named indicator or strategy.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Topic {
    /// Lines that it names; the rules must use them.
    pub(super) lines: Vec<Series>,
    /// The rules it stands for where the text has none.
    pub(super) preset: Option<Preset>,
    /// The preset holds numbers or rules that stated rules would contradict.
    pub(super) binding: bool,
    /// Added to the assumptions when the preset is used.
    pub(super) note: Option<String>,
}

impl Topic {
    fn of(line: Series) -> Self {
        Self { lines: vec![line], preset: None, binding: false, note: None }
    }

    /// What "buy below 30" is about.
    pub(super) fn subject(&self) -> Option<Series> {
        match self.lines.as_slice() {
            [only] if !matches!(only.unit(), Unit::Price | Unit::Volume) => Some(*only),
            _ => None,
        }
    }
}

impl Cursor<'_> {
    pub(super) fn topic(&mut self) -> Option<Topic> {
        let introduced = self.eat(C::With);
        let style_first = self.eat(C::Style) || self.eat(C::MeanReversion);
        let mut topic = match self.attempt(Self::named) {
            Some(topic) => topic,
            None if !introduced => Topic { lines: Vec::new(), preset: None, binding: false, note: None },
            None => return None,
        };
        while let Some(more) = self.attempt(|c| {
            (introduced && c.eat(C::And)).then_some(())?;
            c.attempt(Self::named)
        }) {
            topic.lines.extend(more.lines);
            topic.binding |= more.binding;
            topic.preset = None;
        }
        let style_last = self.eat(C::Style);
        let called = self.eat(C::Topic);
        let empty = topic.lines.is_empty() && topic.preset.is_none();
        // "Momentum: buy when ..." names a style only.
        if empty && !called && !(style_first && self.peek() == Some(C::Colon)) {
            return None;
        }
        let named = introduced || called || style_first || style_last || topic.preset.is_some();
        let separated = match self.peek() {
            None => true,
            Some(C::Colon | C::Comma | C::Break) => true,
            Some(C::Action(_) | C::When | C::With) => named,
            _ => false,
        };
        separated.then_some(topic)
    }

    fn named(&mut self) -> Option<Topic> {
        self.attempt(Self::turtle)
            .or_else(|| self.attempt(Self::named_average_crossing))
            .or_else(|| self.attempt(Self::named_donchian))
            .or_else(|| self.attempt(Self::named_momentum))
            .or_else(|| self.attempt(Self::named_crossing))
            .or_else(|| self.attempt(Self::named_breakout))
            .or_else(|| self.attempt(Self::named_rsi))
            .or_else(|| self.attempt(Self::named_bands))
            .or_else(|| self.attempt(Self::macd).map(Topic::of))
            .or_else(|| self.attempt(Self::average).map(Topic::of))
    }

    fn turtle(&mut self) -> Option<Topic> {
        if !self.eat(C::Turtle) {
            return None;
        }
        let stated = self.attempt(|c| {
            let paren = c.eat(C::OpenParen);
            let entry = c.period()?;
            let _ = c.eat(C::Slash) || c.eat(C::Comma) || c.eat(C::Dash);
            let exit = c.period()?;
            (!paren || c.eat(C::CloseParen)).then_some((entry, exit))
        });
        let (entry, exit) = stated.unwrap_or((20, 10));
        let note = stated
            .is_none()
            .then(|| "turtle: in on a 20-day high, out on a 10-day low, long only".to_owned());
        self.note_channel();
        Some(Topic { lines: Vec::new(), preset: Some(channel_rules(entry, exit)), binding: true, note })
    }

    /// "golden cross", "12/26 EMA crossover", "MACD crossover".
    fn named_crossing(&mut self) -> Option<Topic> {
        if self.peek() == Some(C::NamedCross(true)) {
            self.at += 1;
            let (fast, slow) = self.named_cross_pair()?;
            return Some(crossing(fast, slow));
        }
        let pair = match self.attempt(Self::average_pair) {
            Some(pair) => pair,
            None => match self.macd()? {
                Series::Macd { periods } => (Series::Macd { periods }, Series::MacdSignal { periods }),
                _ => return None,
            },
        };
        if !self.eat(C::Verb(Verb::Cross)) {
            return None;
        }
        Some(crossing(pair.0, pair.1))
    }

    /// "moving average crossover with 5 and 20 days", "EMA crossover 12/26".
    fn named_average_crossing(&mut self) -> Option<Topic> {
        let kind = self.average_kind()?;
        self.eat(C::Verb(Verb::Cross)).then_some(())?;
        let stated = self.attempt(|c| {
            c.eat(C::Topic);
            c.eat_any(&[C::With, C::Of]);
            let paren = c.eat(C::OpenParen);
            let a = c.period()?;
            c.bars();
            c.between()?;
            let b = c.period()?;
            c.bars();
            (a < b && (!paren || c.eat(C::CloseParen))).then_some((a, b))
        });
        let (fast, slow) = stated.unwrap_or((20, 50));
        let mut topic = crossing(Series::average(kind, fast), Series::average(kind, slow));
        topic.note = stated
            .is_none()
            .then(|| format!("a moving average crossover without periods is that of {fast} and {slow} bars"));
        Some(topic)
    }

    /// "Donchian breakout with a 55-day channel".
    fn named_donchian(&mut self) -> Option<Topic> {
        let before = self.prefix();
        self.eat(C::Donchian).then_some(())?;
        self.eat(C::BandWord);
        let middle = before.or_else(|| self.suffix());
        self.eat(C::Verb(Verb::Break)).then_some(())?;
        let stated = middle.or_else(|| {
            self.attempt(|c| {
                c.eat(C::Topic);
                let period = c.suffix()?;
                c.eat(C::BandWord);
                Some(period)
            })
        });
        let period = self.channel_period(stated)?;
        self.note_channel();
        let note = Some(format!("the breakout is left on a {period}-day low unless said otherwise"));
        let right = Series::Channel { extreme: Extreme::High, period };
        Some(Topic { lines: vec![right], preset: Some(channel_rules(period, period)), binding: false, note })
    }

    /// "momentum strategy".
    fn named_momentum(&mut self) -> Option<Topic> {
        self.eat(C::Line(Line::Momentum)).then_some(())?;
        (self.peek().is_none() || self.peek() == Some(C::Topic) || self.peek() == Some(C::Colon))
            .then_some(())?;
        let left = Series::Roc { period: 20 };
        let rule =
            |relation| Tree::One(Draft { left, rel: Rel::Fixed(relation), right: Operand::Level(0.into()) });
        Some(Topic {
            lines: Vec::new(),
            preset: Some(vec![
                (Action::Buy, rule(Relation::CrossesAbove)),
                (Action::Sell, rule(Relation::CrossesBelow)),
            ]),
            binding: false,
            note: Some(
                "momentum: in when the rate of change over 20 bars becomes positive, out when negative"
                    .to_owned(),
            ),
        })
    }

    /// "20-day breakout".
    fn named_breakout(&mut self) -> Option<Topic> {
        let draft = self.breakout()?;
        let (Rel::Breakout, Operand::Series(Series::Channel { period, .. })) = (draft.rel, draft.right)
        else {
            return None;
        };
        let note = Some(format!("the breakout is left on a {period}-day low"));
        Some(Topic {
            lines: vec![series_of(draft)],
            preset: Some(channel_rules(period, period)),
            binding: false,
            note,
        })
    }

    /// "RSI", "RSI 30/70", "RSI mean reversion".
    fn named_rsi(&mut self) -> Option<Topic> {
        // "RSI 30/70" gives thresholds; "RSI 14" a period.
        let bare = self.attempt(|c| {
            c.eat(C::Line(Line::Rsi)).then_some(())?;
            let zones = c.zones()?;
            Some((Series::Rsi { period: c.line_period(Line::Rsi)? }, zones))
        });
        let (line, zones) = match bare {
            Some((line, zones)) => (line, Some(zones)),
            None => {
                let line = self.line()?;
                if !matches!(line, Series::Rsi { .. }) {
                    return Some(Topic::of(line));
                }
                (line, self.attempt(Self::zones))
            }
        };
        let reverting = self.eat(C::MeanReversion);
        let Some((low, high)) = zones.or_else(|| reverting.then(|| (30.into(), 70.into()))) else {
            return Some(Topic::of(line));
        };
        let level = |up, level| {
            let relation = if up { Relation::Above } else { Relation::Below };
            Tree::One(Draft { left: line, rel: Rel::Fixed(relation), right: Operand::Level(level) })
        };
        let preset = vec![(Action::Buy, level(false, low)), (Action::Sell, level(true, high))];
        let note = Some(format!("buy below {low}, sell above {high}"));
        Some(Topic { lines: vec![line], preset: Some(preset), binding: zones.is_some(), note })
    }

    /// "30/70".
    fn zones(&mut self) -> Option<(Number, Number)> {
        let low = self.number()?;
        if !(self.eat(C::Slash) || self.eat(C::Dash)) {
            return None;
        }
        let high = self.number()?;
        (low < high).then_some((low, high))
    }

    /// "Bollinger bands (20, 2)", "Bollinger band mean reversion".
    fn named_bands(&mut self) -> Option<Topic> {
        let (None, period, deviations) = self.bands()? else { return None };
        let line = |band| Series::Bollinger { band, period, deviations };
        if self.eat(C::Verb(Verb::Break)) {
            return Some(band_breakout(&line));
        }
        if !self.eat(C::MeanReversion) {
            return Some(Topic::of(line(Band::Middle)));
        }
        let rule = |relation, band| {
            Tree::One(Draft {
                left: Series::CLOSE,
                rel: Rel::Fixed(relation),
                right: Operand::Series(line(band)),
            })
        };
        Some(Topic {
            lines: vec![line(Band::Middle)],
            preset: Some(vec![
                (Action::Buy, rule(Relation::Below, Band::Lower)),
                (Action::Sell, rule(Relation::Above, Band::Middle)),
            ]),
            binding: false,
            note: Some("mean reversion: in below the lower band, out above the middle".to_owned()),
        })
    }
}

/// In above the upper band, out below the middle.
fn band_breakout(line: &dyn Fn(Band) -> Series) -> Topic {
    let rule = |relation, band| {
        Tree::One(Draft {
            left: Series::CLOSE,
            rel: Rel::Fixed(relation),
            right: Operand::Series(line(band)),
        })
    };
    Topic {
        lines: vec![line(Band::Middle)],
        preset: Some(vec![
            (Action::Buy, rule(Relation::CrossesAbove, Band::Upper)),
            (Action::Sell, rule(Relation::CrossesBelow, Band::Middle)),
        ]),
        binding: false,
        note: Some("a Bollinger breakout goes in above the upper band and out below the middle".to_owned()),
    }
}

fn crossing(fast: Series, slow: Series) -> Topic {
    Topic {
        lines: vec![fast, slow],
        preset: Some(vec![(Action::Buy, either(fast, slow))]),
        binding: false,
        note: None,
    }
}

fn channel_rules(entry: u32, exit: u32) -> Preset {
    let rule = |relation, extreme, period| {
        let right = Operand::Series(Series::Channel { extreme, period });
        Tree::One(Draft { left: Series::CLOSE, rel: Rel::Fixed(relation), right })
    };
    vec![
        (Action::Buy, rule(Relation::CrossesAbove, Extreme::High, entry)),
        (Action::Sell, rule(Relation::CrossesBelow, Extreme::Low, exit)),
    ]
}

fn series_of(draft: Draft) -> Series {
    match draft.right {
        Operand::Series(series) => series,
        _ => draft.left,
    }
}
