//! Conditions: comparisons joined by "and" and "or".
//!
//! "and" binds tighter than "or", as in most languages; parentheses group.

use super::cursor::Cursor;
use super::lexicon::Concept as C;
use crate::spec::{Condition, Operand, Relation, Series, Signal};

/// Deepest nesting of parentheses.
const MAX_DEPTH: usize = 8;

/// A relation whose direction may only follow from what is done.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rel {
    Fixed(Relation),
    /// "crosses": up for buying and covering, down for selling and shorting.
    Either,
    /// "20-day breakout": up, and contradictory where something is sold.
    Breakout,
}

/// A comparison before its direction is settled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Draft {
    pub(super) left: Series,
    pub(super) rel: Rel,
    pub(super) right: Operand,
}

/// A condition before its directions are settled.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    One(Draft),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Tree {
    /// Settles every direction; `Err` names what cannot be settled.
    pub(super) fn bind(&self, up: bool, notes: &mut Vec<String>) -> Result<Condition, String> {
        let all = |parts: &[Self], notes: &mut Vec<String>| {
            parts.iter().map(|part| part.bind(up, notes)).collect::<Result<Vec<_>, _>>()
        };
        match self {
            Self::All(parts) => Ok(Condition::All(all(parts, notes)?)),
            Self::Any(parts) => Ok(Condition::Any(all(parts, notes)?)),
            Self::One(Draft { left, rel, right }) => {
                let relation = match rel {
                    Rel::Fixed(relation) => *relation,
                    Rel::Breakout if up => Relation::CrossesAbove,
                    Rel::Breakout => {
                        return Err("a breakout goes up; say `breaks below the 20-day low`".to_owned());
                    }
                    Rel::Either => {
                        let relation = if up { Relation::CrossesAbove } else { Relation::CrossesBelow };
                        super::cursor::state(
                            notes,
                            format!("`{left}` crossing `{right}` without a direction means: {relation}"),
                        );
                        relation
                    }
                };
                Ok(Condition::Signal(Signal { left: *left, relation, right: *right }))
            }
        }
    }
}

impl Cursor<'_> {
    /// A whole condition, as long as it goes.
    pub(super) fn condition(&mut self) -> Option<Tree> {
        self.previous_left = None;
        let tree = self.attempt(Self::any_of)?;
        let events = |tree: &Tree| match tree {
            Tree::One(draft) => !matches!(draft.rel, Rel::Fixed(relation) if !relation.is_cross()),
            _ => false,
        };
        if matches!(&tree, Tree::All(parts) if parts.iter().filter(|part| events(part)).count() > 1) {
            self.note("several crossings joined by `and` must happen on the same bar");
        }
        self.previous_left = None;
        Some(tree)
    }

    fn any_of(&mut self) -> Option<Tree> {
        let mut parts = vec![self.all_of()?];
        while let Some(part) = self.attempt(|c| {
            c.eat(C::Comma);
            if !c.eat(C::Or) {
                return None;
            }
            c.eat(C::When);
            c.all_of()
        }) {
            parts.push(part);
        }
        if parts.len() == 1 {
            return parts.pop();
        }
        // A group in parentheses is also `All`; the note is true for both.
        if parts.iter().any(|part| matches!(part, Tree::All(_))) {
            self.note("`and` binds tighter than `or`");
        }
        Some(Tree::Any(parts))
    }

    fn all_of(&mut self) -> Option<Tree> {
        let mut parts = vec![self.atom()?];
        while let Some(part) = self.attempt(|c| {
            c.eat(C::Comma);
            if !(c.eat(C::And) || c.eat(C::With)) {
                return None;
            }
            c.eat(C::When);
            c.atom()
        }) {
            parts.push(part);
        }
        if parts.len() == 1 { parts.pop() } else { Some(Tree::All(parts)) }
    }

    fn atom(&mut self) -> Option<Tree> {
        if self.depth < MAX_DEPTH
            && let Some(group) = self.attempt(|c| {
                if !c.eat(C::OpenParen) {
                    return None;
                }
                c.depth += 1;
                let group = c.any_of()?;
                c.depth -= 1;
                c.eat(C::CloseParen).then_some(group)
            })
        {
            return Some(group);
        }
        let draft = self.signal()?;
        // Touching compares another column; what is watched is still the price.
        let watched = if matches!(draft.left, Series::Price { .. }) { Series::CLOSE } else { draft.left };
        self.compared.push((watched, draft.right));
        self.previous_left = Some(watched);
        Some(Tree::One(draft))
    }
}
