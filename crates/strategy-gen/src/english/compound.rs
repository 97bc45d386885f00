//! Conditions that are more than one comparison of two lines.

use super::condition::{Draft, Rel, Tree};
use super::cursor::Cursor;
use super::lexicon::{Concept as C, Verb};
use super::signal::Said;
use crate::spec::{Number, Operand, Price, Relation, Series, Unit};

impl Cursor<'_> {
    pub(super) fn compound(&mut self) -> Option<Tree> {
        self.attempt(Self::negated)
            .or_else(|| self.attempt(Self::not_zone))
            .or_else(|| self.attempt(Self::within))
            .or_else(|| self.attempt(Self::against_both))
            .or_else(|| self.attempt(Self::candles))
            .or_else(|| self.attempt(Self::change).map(Tree::One))
            .or_else(|| self.attempt(Self::slope).map(Tree::One))
            .or_else(|| self.attempt(Self::offset).map(Tree::One))
    }

    /// "not (RSI > 70)".
    fn negated(&mut self) -> Option<Tree> {
        self.eat(C::Not).then_some(())?;
        let tree = self.atom()?;
        match tree.negated() {
            Some(contrary) => Some(contrary),
            None => self.fail("the contrary of a crossing is no signal; say `above` or `below`"),
        }
    }

    /// "RSI is not overbought".
    fn not_zone(&mut self) -> Option<Tree> {
        let series = self.series(None)?;
        self.eat(C::Not).then_some(())?;
        let draft = self.zone_of(Some(series))?;
        Tree::One(draft).negated()
    }

    /// "RSI is between 40 and 50".
    fn within(&mut self) -> Option<Tree> {
        let left = self.series(None)?;
        self.eat(C::Verb(Verb::State));
        self.eat(C::Between).then_some(())?;
        let low = self.operand(None, left)?;
        self.eat(C::And).then_some(())?;
        let high = self.operand(None, left)?;
        if let (Operand::Level(low), Operand::Level(high)) = (low, high)
            && low >= high
        {
            return self.fail("the lower bound comes first");
        }
        let at_least = self.compare(left, Said::Rel(Rel::Fixed(Relation::AtOrAbove)), low)?;
        let at_most = self.compare(left, Said::Rel(Rel::Fixed(Relation::AtOrBelow)), high)?;
        self.note("`between` includes its bounds");
        Some(Tree::All(vec![Tree::One(at_least), Tree::One(at_most)]))
    }

    /// "price is above the 50 and 200 SMA".
    fn against_both(&mut self) -> Option<Tree> {
        let left = self.series(None)?;
        let said = self.said()?;
        if !matches!(said, Said::Rel(Rel::Fixed(relation)) if !relation.is_cross()) {
            return None;
        }
        let from = self.at;
        let (fast, slow) = self.average_pair()?;
        let joined = self.lexemes.get(from..self.at)?.iter().any(|lexeme| lexeme.concept == C::And);
        // "above 20 EMA and 50 EMA above ..." begins another comparison.
        let goes_on = self.next_is_like(C::Verb(Verb::Cross)) || self.next_is_like(C::Direction(true));
        if !joined || goes_on || self.next_is_like(C::Slope(true)) {
            return None;
        }
        let both = [fast, slow].map(|right| self.compare(left, said, Operand::Series(right)).map(Tree::One));
        let [Some(a), Some(b)] = both else { return None };
        Some(Tree::All(vec![a, b]))
    }

    /// "three green candles in a row", "the price closes higher".
    fn candles(&mut self) -> Option<Tree> {
        self.eat(C::Price(Price::Close));
        let bars = self.attempt(Self::period);
        self.eat(C::Row);
        let (up, body) = self.take(|concept| match concept {
            C::Candle { up, body } => Some((up, body)),
            _ => None,
        })?;
        let right =
            if body { Series::price(Price::Open) } else { Series::Price { column: Price::Close, ago: 1 } };
        let relation = if up { Relation::Above } else { Relation::Below };
        let one = Tree::One(Draft {
            left: Series::CLOSE,
            rel: Rel::Fixed(relation),
            right: Operand::Series(right),
        });
        let Some(bars) = bars else { return Some(one) };
        self.eat(C::Row);
        Some(if bars == 1 { one } else { Tree::Held(Box::new(one), bars) })
    }

    /// "price drops more than 5% in 3 days".
    fn change(&mut self) -> Option<Draft> {
        let subject =
            self.attempt(|c| c.series(None)).or_else(|| self.only_subject()).unwrap_or(Series::CLOSE);
        if subject != Series::CLOSE {
            return None;
        }
        let up = self.take(|concept| match concept {
            C::Verb(Verb::Rise) | C::Trend(true) => Some(true),
            C::Verb(Verb::Fall) | C::Trend(false) => Some(false),
            _ => None,
        })?;
        let strict = self.eat(C::Direction(true)) && !self.eat(C::OrEqual);
        let percent = self.percent()?;
        self.eat_any(&[C::For, C::Of, C::Direction(true)]);
        self.eat(C::Past);
        let period = match self.bars_counted() {
            Some(period) => period,
            None if self.eat(C::Day) => 1,
            None => return self.fail("the change over how many bars? write `drops 5% in 3 days`"),
        };
        let relation = match (up, strict) {
            (true, true) => Relation::Above,
            (true, false) => Relation::AtOrAbove,
            (false, true) => Relation::Below,
            (false, false) => Relation::AtOrBelow,
        };
        if percent.get() <= 0.0 {
            return self.fail("a change of nothing");
        }
        self.note("a change over n bars is that of the close against the close n bars before");
        let level = if up { percent } else { percent.negated() };
        Some(Draft { left: Series::Roc { period }, rel: Rel::Fixed(relation), right: Operand::Level(level) })
    }

    /// "the 50-day SMA is rising".
    fn slope(&mut self) -> Option<Draft> {
        let left = self.series(None)?;
        let text = self.lexemes.get(self.at)?.text.to_lowercase();
        let up = match self.peek()? {
            C::Slope(up) => up,
            C::Verb(Verb::Rise) if text == "rising" => true,
            C::Verb(Verb::Fall) if text == "falling" => false,
            _ => return None,
        };
        self.at += 1;
        if self.next_is_like(C::Direction(true)) || self.next_is_like(C::Number(0.into())) {
            return None;
        }
        self.note("a line rises when it stands above its value of the bar before, and falls below it");
        let relation = if up { Relation::Above } else { Relation::Below };
        Some(Draft { left, rel: Rel::Fixed(relation), right: Operand::Earlier { series: left, bars: 1 } })
    }

    /// "price is more than 4% below the 50-day SMA".
    fn offset(&mut self) -> Option<Draft> {
        let left = self.series(None)?;
        let verb = self.take(|concept| match concept {
            C::Verb(verb) => Some(verb),
            _ => None,
        });
        let strict = self.eat(C::Direction(true)) && !self.eat(C::OrEqual);
        let percent = self.percent()?;
        let up = self.direction()?;
        let series = self.series(Some(up))?;
        if series.unit() != left.unit() || !matches!(left.unit(), Unit::Price | Unit::Volume) {
            return self.fail("only prices and volumes can be compared by per cent");
        }
        let relation = match (verb, up, strict) {
            (None | Some(Verb::State), true, true) => Relation::Above,
            (None | Some(Verb::State), true, false) => Relation::AtOrAbove,
            (None | Some(Verb::State), false, true) => Relation::Below,
            (None | Some(Verb::State), false, false) => Relation::AtOrBelow,
            (Some(Verb::Rise), false, _) | (Some(Verb::Fall), true, _) => {
                return self.fail("the direction contradicts the verb");
            }
            (Some(Verb::Cross | Verb::Break | Verb::Move | Verb::Rise), true, _) => Relation::CrossesAbove,
            (Some(Verb::Cross | Verb::Break | Verb::Move | Verb::Fall), false, _) => Relation::CrossesBelow,
            (Some(Verb::Touch | Verb::BreakDown), ..) => return self.fail("say `above` or `below`"),
        };
        let percent: Number = if up { percent } else { percent.negated() };
        Some(Draft { left, rel: Rel::Fixed(relation), right: Operand::Offset { series, percent } })
    }

    /// "... for 3 days", "3 days in a row" behind a condition.
    pub(super) fn held(&mut self, tree: Tree) -> Option<Tree> {
        let bars = self.attempt(|c| {
            let introduced = c.eat(C::For);
            if c.eat(C::Direction(true)) && !c.eat(C::OrEqual) {
                return None;
            }
            c.eat(C::Past);
            let bars = c.period()?;
            let row = c.eat(C::Row);
            c.bars().then_some(())?;
            let row = c.eat(C::Row) || row;
            (introduced || row).then_some(bars)
        });
        match bars {
            None => Some(tree),
            Some(_) if matches!(tree, Tree::Held(..)) || tree.negated().is_none() => {
                self.fail("a crossing is an event of one bar and cannot last")
            }
            Some(1) => Some(tree),
            Some(bars) => {
                self.note(format!(
                    "`for {bars} bars` counts the current bar and belongs to the words just before it"
                ));
                Some(Tree::Held(Box::new(tree), bars))
            }
        }
    }
}
