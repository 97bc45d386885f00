//! Reading lexemes one after the other, with the way back.

use std::mem::discriminant;

use super::lexicon::{Concept, Lexeme, Line};
use crate::spec::{Band, MacdPeriods, Number, Operand, Series, StochasticPeriods};

/// Longest period taken, in bars.
pub(super) const MAX_PERIOD: u32 = 1000;

/// Parameters that the text states somewhere, to be used where it states none.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Stated {
    pub(super) lines: Vec<(Line, u32)>,
    pub(super) stochastic: Vec<StochasticPeriods>,
    pub(super) macd: Vec<MacdPeriods>,
    pub(super) band_period: Vec<u32>,
    pub(super) band_deviations: Vec<Number>,
    pub(super) channel: Vec<u32>,
    pub(super) named_cross: Vec<(Series, Series)>,
}

pub(super) fn state<T: PartialEq>(list: &mut Vec<T>, value: T) {
    if !list.contains(&value) {
        list.push(value);
    }
}

/// The state of reading. Cloned to try a reading and to drop it without a trace.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    pub(super) lexemes: &'a [Lexeme],
    pub(super) at: usize,
    pub(super) depth: usize,
    /// What the first reading found, for parameters left out.
    pub(super) known: &'a Stated,
    pub(super) stated: Stated,
    pub(super) notes: Vec<String>,
    /// Left sides and comparisons so far: what "it" may mean.
    pub(super) compared: Vec<(Series, Operand)>,
    pub(super) previous_left: Option<Series>,
    pub(super) topic: Option<Series>,
    /// Why the furthest attempt failed; survives the way back.
    pub(super) problem: Option<(usize, String)>,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(lexemes: &'a [Lexeme], known: &'a Stated) -> Self {
        Self {
            lexemes,
            at: 0,
            depth: 0,
            known,
            stated: Stated::default(),
            notes: Vec::new(),
            compared: Vec::new(),
            previous_left: None,
            topic: None,
            problem: None,
        }
    }

    pub(super) fn peek(&self) -> Option<Concept> {
        self.peek_at(0)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<Concept> {
        self.lexemes.get(self.at + ahead).map(|lexeme| lexeme.concept)
    }

    pub(super) fn at_end(&self) -> bool {
        self.at >= self.lexemes.len()
    }

    /// Takes the next lexeme when `pick` likes it.
    pub(super) fn take<T>(&mut self, pick: impl Fn(Concept) -> Option<T>) -> Option<T> {
        let taken = pick(self.peek()?)?;
        self.at += 1;
        Some(taken)
    }

    /// Takes the next lexeme when it is exactly this concept.
    pub(super) fn eat(&mut self, concept: Concept) -> bool {
        let found = self.peek() == Some(concept);
        self.at += usize::from(found);
        found
    }

    /// Takes as many of these as there are.
    pub(super) fn eat_any(&mut self, concepts: &[Concept]) {
        while self.peek().is_some_and(|next| concepts.contains(&next)) {
            self.at += 1;
        }
    }

    pub(super) fn next_is_like(&self, concept: Concept) -> bool {
        self.peek().is_some_and(|next| discriminant(&next) == discriminant(&concept))
    }

    /// Whether the text names this anywhere.
    pub(super) fn mentions(&self, concept: Concept) -> bool {
        self.lexemes.iter().any(|lexeme| lexeme.concept == concept)
    }

    /// Runs a reading; on `None` nothing has happened, but the reason is kept.
    pub(super) fn attempt<T>(&mut self, reading: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        let before = self.clone();
        let found = reading(self);
        if found.is_none() {
            let problem = self.problem.take();
            *self = Self { problem, ..before };
        }
        found
    }

    /// Fails with a reason; the reason of the furthest failure is told.
    pub(super) fn fail<T>(&mut self, reason: impl Into<String>) -> Option<T> {
        if self.problem.as_ref().is_none_or(|(at, _)| self.at >= *at) {
            self.problem = Some((self.at, reason.into()));
        }
        None
    }

    pub(super) fn note(&mut self, note: impl Into<String>) {
        state(&mut self.notes, note.into());
    }

    pub(super) fn number(&mut self) -> Option<Number> {
        self.take(|concept| match concept {
            Concept::Number(number) => Some(number),
            _ => None,
        })
    }

    /// A number of bars; other numbers fail with a reason.
    pub(super) fn period(&mut self) -> Option<u32> {
        let number = self.number()?;
        match number.whole() {
            Some(period @ 1..=MAX_PERIOD) => Some(period),
            _ => self.fail(format!(
                "`{number}` is not a period: it must be a whole number from 1 to {MAX_PERIOD}"
            )),
        }
    }

    /// "day", "bars": the unit of a period.
    pub(super) fn bars(&mut self) -> bool {
        if self.eat(Concept::Day) {
            self.note("one day is one bar: meant for daily data");
            return true;
        }
        self.eat(Concept::Bars)
    }

    /// A number of bars with its unit.
    pub(super) fn bars_counted(&mut self) -> Option<u32> {
        self.attempt(|c| {
            let period = c.period()?;
            c.bars().then_some(period)
        })
    }

    pub(super) fn percent(&mut self) -> Option<Number> {
        self.attempt(|c| {
            let number = c.number()?;
            c.eat(Concept::Percent).then_some(number)
        })
    }

    pub(super) fn side(&mut self) -> Option<Band> {
        self.take(|concept| match concept {
            Concept::Side(band) => Some(band),
            _ => None,
        })
    }

    /// The only stated value, the default (with a note) where none is, or a failure where several are.
    pub(super) fn left_out<T: Clone>(
        &mut self,
        stated: &[T],
        default: T,
        name: &str,
        note: impl FnOnce() -> String,
    ) -> Option<T> {
        match stated {
            [] => {
                self.note(note());
                Some(default)
            }
            [only] => {
                self.note(format!("{name} without its own parameters has those named elsewhere in the text"));
                Some(only.clone())
            }
            _ => self.fail(format!("which {name} is meant? several are named")),
        }
    }
}
