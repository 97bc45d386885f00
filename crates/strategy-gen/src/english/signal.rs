//! Single comparisons, in the many ways people say them.

use super::condition::{Draft, Rel};
use super::cursor::{Cursor, MAX_PERIOD};
use super::lexicon::{Concept as C, Verb};
use crate::spec::{Band, Extreme, Number, Operand, Price, Relation, Series, Unit};

/// How a value stands to another, as said.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said {
    Rel(Rel),
    Touch,
    /// "breaks", without a direction.
    Break,
}

impl Said {
    pub(super) const fn up(self) -> Option<bool> {
        match self {
            Self::Rel(Rel::Fixed(relation)) => Some(relation.is_up()),
            _ => None,
        }
    }
}

impl Cursor<'_> {
    pub(super) fn signal(&mut self) -> Option<Draft> {
        self.attempt(Self::named_cross)
            .or_else(|| self.attempt(Self::zone))
            .or_else(|| self.attempt(Self::positive))
            .or_else(|| self.attempt(Self::cross_noun))
            .or_else(|| self.attempt(Self::breakout))
            .or_else(|| self.attempt(Self::flipped))
            .or_else(|| self.attempt(Self::comparison))
            .or_else(|| self.attempt(Self::place))
    }

    pub(super) fn direction(&mut self) -> Option<bool> {
        self.take(|concept| match concept {
            C::Direction(up) => Some(up),
            _ => None,
        })
    }

    /// "30 > RSI".
    fn flipped(&mut self) -> Option<Draft> {
        let level = self.number()?;
        let up = self.direction()?;
        let or_equal = self.eat(C::OrEqual);
        let left = self.series(None)?;
        self.compare(left, Said::Rel(Rel::Fixed(level_relation(!up, or_equal))), Operand::Level(level))
    }

    fn comparison(&mut self) -> Option<Draft> {
        let left = self.attempt(|c| c.series(None));
        let said = match self.said() {
            Some(said) => said,
            None if left.is_some() => return self.fail("say `above` or `below`"),
            None => return None,
        };
        // "price crosses below it": what the price was compared with before.
        if let Some(left) = left
            && self.peek() == Some(C::Pronoun)
            && self.only_subject() == Some(left)
        {
            self.at += 1;
            let right = self.right_for(left, said)?;
            return self.compare(left, said, right);
        }
        let right = self.attempt(|c| c.operand(said.up(), left.unwrap_or(Series::CLOSE)));
        let (named, left) = match left {
            Some(left) => (true, left),
            None => (false, self.left_for(right)?),
        };
        let right = match right {
            Some(Operand::Level(level)) if named => self.short_average(left, level),
            Some(right) => right,
            None => self.right_for(left, said)?,
        };
        let draft = self.compare(left, said, right)?;
        self.confirmed_zone(&draft);
        Some(draft)
    }

    /// Takes "(oversold)" behind "RSI below 30", where it says the same again.
    fn confirmed_zone(&mut self, draft: &Draft) {
        let Rel::Fixed(relation) = draft.rel else { return };
        let rsi_level = matches!((draft.left, draft.right), (Series::Rsi { .. }, Operand::Level(_)));
        let expected = [C::OpenParen, C::Zone(relation.is_up()), C::CloseParen];
        if rsi_level
            && expected.iter().enumerate().all(|(ahead, concept)| self.peek_at(ahead) == Some(*concept))
        {
            self.at += expected.len();
        }
    }

    /// The subject that the sentence leaves out.
    fn left_for(&mut self, right: Option<Operand>) -> Option<Series> {
        if let Some(left) = self.previous_left.or_else(|| self.only_subject()) {
            return Some(left);
        }
        // Of several lines only one may be of a kind that can be compared.
        if let Some(right) = right.and_then(|right| right.series()) {
            let mut alike =
                self.compared.iter().map(|(left, _)| *left).filter(|left| left.unit() == right.unit());
            if let Some(first) = alike.next()
                && alike.all(|other| other == first)
            {
                return Some(first);
            }
        }
        if self.compared.is_empty()
            && matches!(right, Some(Operand::Series(series)) if series.unit() == Unit::Price)
        {
            self.note("what is not said to be compared is the close");
            return Some(Series::CLOSE);
        }
        self.fail("it is not clear what is compared here")
    }

    /// "the 20 EMA crosses above the 50": the second average by its period alone.
    fn short_average(&mut self, left: Series, level: Number) -> Operand {
        match (left, level.whole()) {
            (Series::Average { kind, of: Price::Close, .. }, Some(period @ 2..=MAX_PERIOD)) => {
                let other = Series::average(kind, period);
                self.note(format!("`{level}`, compared with an average, is {other}"));
                Operand::Series(other)
            }
            _ => Operand::Level(level),
        }
    }

    /// The other side that the sentence leaves out: "sell when it crosses below".
    ///
    /// A line only: a number that is missing may have been forgotten.
    fn right_for(&mut self, left: Series, said: Said) -> Option<Operand> {
        let Said::Rel(rel) = said else { return None };
        let crosses = !matches!(rel, Rel::Fixed(relation) if !relation.is_cross());
        let mut pairs = self.compared.iter().filter(|(subject, _)| *subject == left).map(|(_, right)| *right);
        match (pairs.next(), left) {
            (Some(right @ Operand::Series(_)), _) if pairs.all(|other| other == right) => Some(right),
            (None, Series::Macd { periods }) if crosses => {
                self.note("a MACD crossover is that of the MACD line and its signal line");
                Some(Operand::Series(Series::MacdSignal { periods }))
            }
            _ => self.fail("it is not clear with what this is compared"),
        }
    }

    /// "at the lower Bollinger band", "20-day high".
    fn place(&mut self) -> Option<Draft> {
        let series = self.series(None)?;
        if self.next_is_like(C::Verb(Verb::Cross)) || self.next_is_like(C::Direction(true)) {
            return None;
        }
        match series {
            Series::Bollinger { .. } | Series::Channel { .. } => {
                self.compare(Series::CLOSE, Said::Touch, Operand::Series(series))
            }
            _ => None,
        }
    }

    pub(super) fn operand(&mut self, up: Option<bool>, left: Series) -> Option<Operand> {
        if let Some(scaled) = self.attempt(|c| {
            let factor = c.number()?;
            c.eat(C::Times).then_some(())?;
            c.eat(C::Of);
            Some(Operand::Scaled { series: c.series(up)?, factor })
        }) {
            return Some(scaled);
        }
        if self.eat(C::Currency) {
            return self.fail("a fixed price level is not supported; name an average, a band or a high");
        }
        if let Some(series) = self.attempt(|c| c.series(up)) {
            return Some(Operand::Series(series));
        }
        let level = self.number()?;
        let percent = self.peek() == Some(C::Percent);
        let takes = left.unit() == Unit::Percent || left.unit().bounded();
        if percent && takes {
            self.at += 1;
        }
        (!percent || takes).then_some(Operand::Level(level))
    }

    /// Verb, direction and equality: "crosses above", "is at or below", "breaks".
    pub(super) fn said(&mut self) -> Option<Said> {
        let words = self.lexemes.get(self.at)?.text.to_lowercase();
        let verb = self.take(|concept| match concept {
            C::Verb(verb) => Some(verb),
            _ => None,
        });
        let up = self.direction();
        let or_equal = up.is_some() && self.eat(C::OrEqual);
        let fixed = |relation| Some(Said::Rel(Rel::Fixed(relation)));
        let crossing = |up| if up { Relation::CrossesAbove } else { Relation::CrossesBelow };
        match (verb, up) {
            (None | Some(Verb::State), Some(up)) => fixed(level_relation(up, or_equal)),
            _ if or_equal => self.fail("a crossing has no `or equal`"),
            (Some(Verb::Cross | Verb::Break), Some(up)) => fixed(crossing(up)),
            (Some(Verb::Move), Some(up)) => {
                self.note_event(&words, up);
                fixed(crossing(up))
            }
            (Some(Verb::Rise), Some(true)) | (Some(Verb::Fall), Some(false)) => {
                self.note_event(&words, verb == Some(Verb::Rise));
                fixed(crossing(verb == Some(Verb::Rise)))
            }
            (Some(Verb::Rise | Verb::Fall), Some(_)) => self.fail("the direction contradicts the verb"),
            (Some(Verb::BreakDown), None | Some(false)) => fixed(Relation::CrossesBelow),
            (Some(Verb::Cross), None) => Some(Said::Rel(Rel::Either)),
            (Some(Verb::Break), None) => Some(Said::Break),
            (Some(Verb::Touch), None) => Some(Said::Touch),
            _ => None,
        }
    }

    fn note_event(&mut self, verb: &str, up: bool) {
        let direction = if up { "above" } else { "below" };
        self.note(format!("`{verb} {direction}` is the moment of crossing, not the state after it"));
    }

    /// Puts the two sides together when that makes sense.
    pub(super) fn compare(&mut self, left: Series, said: Said, right: Operand) -> Option<Draft> {
        // "volume above its 20-day average" is that of the volume.
        let right = match (left.unit(), right) {
            (Unit::Volume, Operand::Series(series)) => Operand::Series(of_volume(series)),
            (Unit::Volume, Operand::Scaled { series, factor }) => {
                Operand::Scaled { series: of_volume(series), factor }
            }
            (_, right) => right,
        };
        if let Operand::Level(level) = right
            && left.unit() == Unit::Price
        {
            return self.fail(format!(
                "`{level}` as a price level is not supported; name an average, a band or a high"
            ));
        }
        if let Some(other) = right.series() {
            if other == left && matches!(right, Operand::Series(_)) {
                return self.fail(format!("`{left}` is compared with itself"));
            }
            if other.unit() != left.unit() {
                return self.fail(format!("`{left}` and `{other}` cannot be compared"));
            }
        }
        let draft = |left, rel| Some(Draft { left, rel, right });
        let column = Series::price;
        match (said, right) {
            (Said::Rel(Rel::Either), right) if !turns_at(right) => {
                self.fail("say `above` or `below`: it can be crossed from both sides")
            }
            (Said::Rel(rel), _) => draft(left, rel),
            (_, Operand::Scaled { .. } | Operand::Offset { .. } | Operand::Earlier { .. }) => {
                self.fail("say `above` or `below`")
            }
            (
                Said::Break,
                Operand::Series(
                    Series::Channel { extreme: Extreme::High, .. }
                    | Series::Bollinger { band: Band::Upper, .. },
                ),
            ) => draft(left, Rel::Fixed(Relation::CrossesAbove)),
            (
                Said::Break,
                Operand::Series(
                    Series::Channel { extreme: Extreme::Low, .. }
                    | Series::Bollinger { band: Band::Lower, .. },
                ),
            ) => draft(left, Rel::Fixed(Relation::CrossesBelow)),
            (Said::Break, right) if turns_at(right) => draft(left, Rel::Either),
            (Said::Break, _) => self.fail("say `above` or `below`"),
            (Said::Touch, Operand::Series(_)) if left != Series::CLOSE => self.fail("say `above` or `below`"),
            (Said::Touch, Operand::Series(Series::Bollinger { band: Band::Upper, .. })) => {
                self.note("touching the upper band means that the bar's high reaches it");
                draft(column(Price::High), Rel::Fixed(Relation::AtOrAbove))
            }
            (Said::Touch, Operand::Series(Series::Bollinger { band: Band::Lower, .. })) => {
                self.note("touching the lower band means that the bar's low reaches it");
                draft(column(Price::Low), Rel::Fixed(Relation::AtOrBelow))
            }
            (Said::Touch, Operand::Series(Series::Channel { extreme: Extreme::High, .. })) => {
                draft(left, Rel::Fixed(Relation::Above))
            }
            (Said::Touch, Operand::Series(Series::Channel { extreme: Extreme::Low, .. })) => {
                draft(left, Rel::Fixed(Relation::Below))
            }
            (Said::Touch, _) => self.fail("say `above` or `below`: it can be reached from both sides"),
        }
    }
}

const fn level_relation(up: bool, or_equal: bool) -> Relation {
    match (up, or_equal) {
        (true, false) => Relation::Above,
        (true, true) => Relation::AtOrAbove,
        (false, false) => Relation::Below,
        (false, true) => Relation::AtOrBelow,
    }
}

/// The same average of the volume.
const fn of_volume(series: Series) -> Series {
    match series {
        Series::Average { kind, period, of: Price::Close } => {
            Series::Average { kind, period, of: Price::Volume }
        }
        other => other,
    }
}

/// Lines that are bullish above and bearish below, so that a crossing has a usual direction.
fn turns_at(right: Operand) -> bool {
    match right {
        // Levels with a unit of price are refused before; an RSI level is a matter of taste, the MACD's zero is not.
        Operand::Level(level) => level.get() == 0.0,
        Operand::Series(
            Series::Average { .. }
            | Series::MacdSignal { .. }
            | Series::StochasticD { .. }
            | Series::Vwap { .. }
            | Series::MinusDi { .. },
        ) => true,
        _ => false,
    }
}
