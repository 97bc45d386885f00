//! Conditions: comparisons joined by "and" and "or".
//!
//! "and" binds tighter than "or", as in most languages; parentheses group.

use super::cursor::Cursor;
use super::lexicon::Concept as C;
use crate::spec::{Condition, Operand, Price, Relation, Series, Signal};

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
    /// On each of so many bars.
    Held(Box<Self>, u32),
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
            Self::Held(tree, bars) => {
                Ok(Condition::Held { condition: Box::new(tree.bind(up, notes)?), bars: *bars })
            }
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

impl Tree {
    /// The first comparison of a plain group.
    fn first(&self) -> Option<Draft> {
        match self {
            Self::One(draft) => Some(*draft),
            Self::All(parts) | Self::Any(parts) => parts.first().and_then(Self::first),
            Self::Held(tree, _) => tree.first(),
        }
    }

    /// What holds whenever this does not; `None` where an event is part of it.
    pub(super) fn negated(&self) -> Option<Self> {
        let all = |parts: &[Self]| parts.iter().map(Self::negated).collect::<Option<Vec<_>>>();
        match self {
            Self::One(draft) => match draft.rel {
                Rel::Fixed(relation) => {
                    Some(Self::One(Draft { rel: Rel::Fixed(relation.complement()?), ..*draft }))
                }
                Rel::Either | Rel::Breakout => None,
            },
            Self::All(parts) => Some(Self::Any(all(parts)?)),
            Self::Any(parts) => Some(Self::All(all(parts)?)),
            Self::Held(..) => None,
        }
    }
}

impl Cursor<'_> {
    /// A whole condition, as long as it goes.
    pub(super) fn condition(&mut self) -> Option<Tree> {
        self.previous_left = None;
        let tree = self.attempt(Self::any_of)?;
        let tree = self.exception(tree)?;
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

    /// "... unless the price is below the 200-day SMA".
    fn exception(&mut self, tree: Tree) -> Option<Tree> {
        self.eat(C::Comma);
        if !self.eat(C::Unless) {
            // The comma may part clauses.
            if matches!(self.lexemes.get(self.at.wrapping_sub(1)).map(|l| l.concept), Some(C::Comma)) {
                self.at -= 1;
            }
            return Some(tree);
        }
        let exception = self.atom()?;
        let Some(contrary) = exception.negated() else {
            return self.fail("what follows `unless` must be a state, not a crossing");
        };
        if matches!(self.peek(), Some(C::And | C::Or)) && !matches!(self.peek_at(1), Some(C::Action(_))) {
            return self.fail("say `unless` about one condition only");
        }
        Some(match tree {
            Tree::All(mut parts) => {
                parts.push(contrary);
                Tree::All(parts)
            }
            other => Tree::All(vec![other, contrary]),
        })
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
        // "between 40 and 50 and ..." is one list.
        let flat = |part: Tree| match part {
            Tree::All(parts) => parts,
            other => vec![other],
        };
        let mut parts: Vec<Tree> = parts.into_iter().flat_map(flat).collect();
        if parts.len() == 1 { parts.pop() } else { Some(Tree::All(parts)) }
    }

    /// One condition with what hangs on it.
    pub(super) fn atom(&mut self) -> Option<Tree> {
        let tree = self.bare_atom()?;
        self.held(tree)
    }

    fn bare_atom(&mut self) -> Option<Tree> {
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
        if let Some(tree) = self.attempt(Self::compound) {
            if let Some(draft) = tree.first() {
                self.watch(draft);
            }
            return Some(tree);
        }
        let mut draft = self.signal()?;
        self.watch(draft);
        // "20 EMA > 50 EMA > 100 EMA"
        let mut chain = vec![Tree::One(draft)];
        while let Some(next) = self.attempt(|c| {
            let (Rel::Fixed(relation), Operand::Series(left)) = (draft.rel, draft.right) else { return None };
            let up = c.direction()?;
            let or_equal = c.eat(C::OrEqual);
            (!relation.is_cross() && up == relation.is_up() && !or_equal).then_some(())?;
            let right = c.operand(Some(up), left)?;
            c.compare(left, super::signal::Said::Rel(Rel::Fixed(relation)), right)
        }) {
            chain.push(Tree::One(next));
            draft = next;
        }
        if chain.len() == 1 { chain.pop() } else { Some(Tree::All(chain)) }
    }

    fn watch(&mut self, draft: Draft) {
        // Touching compares another column; what is watched is still the price.
        let watched = if matches!(draft.left, Series::Price { column: Price::High | Price::Low, ago: 0 }) {
            Series::CLOSE
        } else {
            draft.left
        };
        self.compared.push((watched, draft.right));
        self.previous_left = Some(watched);
    }
}
