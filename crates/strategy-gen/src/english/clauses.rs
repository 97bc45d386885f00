//! Sentences: an action with its condition, in either order, and what surrounds them.

use super::condition::{Draft, Rel, Tree};
use super::cursor::Cursor;
use super::lexicon::{Action, Concept as C, Lexeme};
use super::risk::{Limit, Risk};
use super::topic::Topic;
use crate::spec::{Distance, Size, Target};

/// Everything the text says, in its own terms.
#[derive(Debug, Clone, Default)]
pub(super) struct Clauses {
    pub(super) rules: Vec<(Action, Tree)>,
    /// Actions said to happen on the opposite of the entry.
    pub(super) opposite: Vec<Action>,
    pub(super) stop_loss: Option<Distance>,
    pub(super) trailing_stop: Option<Distance>,
    pub(super) take_profit: Option<Target>,
    pub(super) max_bars: Option<u32>,
    pub(super) size: Option<Size>,
    /// Shorts do the opposite of longs.
    pub(super) mirror: bool,
    pub(super) topics: Vec<Topic>,
    pub(super) long_only: bool,
    /// A distance was said in terms of a long position.
    pub(super) long_words: bool,
}

/// Where reading stopped, and why if known.
#[derive(Debug)]
pub(super) struct Stuck {
    pub(super) unplaced: Vec<String>,
    pub(super) reason: Option<String>,
}

/// What stood before, as far as it matters for a stop or target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    Exit,
    Risk,
    Other,
}

impl Cursor<'_> {
    /// Reads the whole text; every word has its place or the text is not accepted.
    pub(super) fn clauses(&mut self) -> Result<Clauses, Stuck> {
        let mut clauses = Clauses::default();
        let mut last = Last::Other;
        loop {
            let dangling = self.separators();
            if self.at_end() {
                return match dangling {
                    Some(at) => Err(self.stuck(at)),
                    None => Ok(clauses),
                };
            }
            let start = self.at;
            let alternative =
                dangling.is_some() && matches!(self.lexemes.get(start - 1).map(|l| l.concept), Some(C::Or));
            let before = std::mem::replace(&mut last, Last::Other);
            let risk = match before {
                Last::Exit if !alternative => self.risk(),
                Last::Exit | Last::Risk => self.leaving_risk(),
                Last::Other => self.risk(),
            };
            if let Some(risk) = risk.filter(|_| before != Last::Other || !alternative) {
                self.keep_risk(&mut clauses, risk, start)?;
                last = Last::Risk;
                continue;
            }
            if alternative {
                return Err(self.stuck(start - 1));
            }
            if self.eat(C::LongOnly) {
                clauses.long_only = true;
                continue;
            }
            if self.eat(C::Mirror) {
                clauses.mirror = true;
                continue;
            }
            if self.eat(C::Opposite) {
                clauses.opposite.push(Action::Exit);
                continue;
            }
            if let Some(action) = self.action() {
                last = self.rule(&mut clauses, action, start)?;
                continue;
            }
            // A name stands before the rules; behind them it would swallow the rest of a condition.
            if clauses.rules.is_empty()
                && let Some(topic) = self.attempt(Self::topic)
            {
                self.topic = topic.subject();
                clauses.topics.push(topic);
                continue;
            }
            self.condition_first(&mut clauses, start)?;
        }
    }

    /// Skips what joins clauses; tells where a connective stands that still needs something after it.
    fn separators(&mut self) -> Option<usize> {
        let mut dangling = None;
        while let Some(next) = self.peek() {
            match next {
                C::Break | C::Comma | C::Colon => {}
                C::And | C::Then | C::Or if dangling.is_none() => dangling = Some(self.at),
                C::Then => {}
                _ => break,
            }
            self.at += 1;
        }
        dangling
    }

    fn action(&mut self) -> Option<Action> {
        self.take(|concept| match concept {
            C::Action(action) => Some(action),
            _ => None,
        })
    }

    /// What follows an action: a stop or target, the opposite, or a condition.
    fn rule(&mut self, clauses: &mut Clauses, action: Action, start: usize) -> Result<Last, Stuck> {
        self.eat(C::Colon);
        if action == Action::Short && self.attempt(Self::the_opposite).is_some() {
            clauses.mirror = true;
            return Ok(Last::Other);
        }
        if matches!(action, Action::Buy | Action::Short) {
            if let Some(units) = self.units() {
                self.keep_risk(clauses, units, start)?;
            }
            self.eat(C::Units);
        }
        if matches!(action, Action::Sell | Action::Exit | Action::Cover) {
            if let Some(risk) = self.leaving_risk() {
                return self.keep_risk(clauses, risk, start).map(|()| Last::Risk);
            }
            if self.attempt(Self::the_opposite).is_some() {
                clauses.opposite.push(action);
                return Ok(Last::Exit);
            }
        }
        let condition = self.attempt(|c| {
            c.link();
            c.condition()
        });
        match condition {
            Some(condition) => {
                clauses.rules.push((action, condition));
                Ok(if matches!(action, Action::Buy | Action::Short) { Last::Other } else { Last::Exit })
            }
            None => {
                let mut stuck = self.stuck(start);
                let word = &self.lexemes[start].text;
                stuck.reason.get_or_insert_with(|| format!("`{word}` has no condition that could be read"));
                Err(stuck)
            }
        }
    }

    /// "on the opposite"
    fn the_opposite(&mut self) -> Option<()> {
        self.link();
        self.eat(C::Opposite).then_some(())
    }

    /// At most one "at" and one "when" or "after".
    fn link(&mut self) {
        self.eat(C::At);
        let _ = self.eat(C::When) || self.eat(C::After);
    }

    /// "When the RSI is below 30, buy."
    fn condition_first(&mut self, clauses: &mut Clauses, start: usize) -> Result<(), Stuck> {
        let condition = self.attempt(|c| {
            c.link();
            c.condition()
        });
        let Some(condition) = condition else { return Err(self.stuck(start)) };
        self.eat(C::Comma);
        self.eat(C::Then);
        let Some(action) = self.action() else {
            let mut stuck = self.stuck(start);
            stuck.reason.get_or_insert_with(|| "the condition has no action".to_owned());
            return Err(stuck);
        };
        // The action must close the clause, or it is not clear which condition belongs to it.
        if !self.at_end()
            && !matches!(self.peek(), Some(C::Break | C::Comma | C::And | C::Then | C::When | C::With))
        {
            return Err(self.stuck(self.at));
        }
        clauses.rules.push((action, condition));
        Ok(())
    }

    fn keep_risk(&mut self, clauses: &mut Clauses, risk: Risk, start: usize) -> Result<(), Stuck> {
        clauses.long_words |= risk.long_words;
        let kept = match risk.limit {
            Limit::Loss(value) => keep(&mut clauses.stop_loss, value),
            Limit::Trail(value) => keep(&mut clauses.trailing_stop, value),
            Limit::Gain(value) => keep(&mut clauses.take_profit, value),
            Limit::Bars(value) => keep(&mut clauses.max_bars, value),
            Limit::Size(value) => keep(&mut clauses.size, value),
        };
        if kept {
            return Ok(());
        }
        let mut stuck = self.stuck_between(start, self.at);
        stuck.reason = Some("two different distances, sizes or times are given".to_owned());
        Err(stuck)
    }

    /// The words from here to the end of the clause.
    fn stuck(&self, from: usize) -> Stuck {
        let end = self
            .lexemes
            .iter()
            .enumerate()
            .skip(from + 1)
            .find(|(_, lexeme)| matches!(lexeme.concept, C::Break | C::Action(_)))
            .map_or(self.lexemes.len(), |(at, _)| at);
        self.stuck_between(from, end)
    }

    fn stuck_between(&self, from: usize, to: usize) -> Stuck {
        let reason = self.problem.as_ref().filter(|(at, _)| *at >= from).map(|(_, reason)| reason.clone());
        Stuck { unplaced: vec![shown(self.lexemes.get(from..to).unwrap_or_default())], reason }
    }
}

/// Puts a value in its place; `false` when another stands there.
fn keep<T: PartialEq + Copy>(slot: &mut Option<T>, value: T) -> bool {
    *slot.get_or_insert(value) == value
}

/// The words as they may be shown: without the action and the joints around what could not be read.
fn shown(lexemes: &[Lexeme]) -> String {
    let joint = |lexeme: &Lexeme| {
        matches!(lexeme.concept, C::Action(_) | C::When | C::At | C::And | C::Then | C::Comma | C::Colon)
    };
    let first = lexemes.iter().position(|lexeme| !joint(lexeme));
    let last = lexemes.iter().rposition(|lexeme| !joint(lexeme));
    let core = match (first, last) {
        (Some(first), Some(last)) => &lexemes[first..=last],
        _ => lexemes,
    };
    let mut text = String::new();
    for lexeme in core {
        let glued =
            matches!(lexeme.concept, C::CloseParen | C::Comma | C::Percent | C::Colon) || text.ends_with('(');
        if !text.is_empty() && !glued {
            text.push(' ');
        }
        text.push_str(&lexeme.text);
    }
    text
}

/// The condition of a directionless crossing of two lines.
pub(super) fn either(left: crate::spec::Series, right: crate::spec::Series) -> Tree {
    Tree::One(Draft { left, rel: Rel::Either, right: crate::spec::Operand::Series(right) })
}
