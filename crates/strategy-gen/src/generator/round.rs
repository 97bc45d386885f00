//! What is kept and told of each answer of a model.

use keyrot::UntrustedText;
use serde::Serialize;

use crate::finding::{Finding, Stage};

/// One answer of the model, judged; or the file that a repair begins with.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Round {
    /// 0 is the first answer, or the given file; the rest are repairs.
    pub n: u32,
    /// The version of the model that answered; `None` for a given file.
    pub model: Option<UntrustedText>,
    /// The id of the key that got the answer, where there is a pool.
    pub key_id: Option<String>,
    /// What the call used.
    pub tokens: Tokens,
    /// How long the call took, waits included, in milliseconds.
    pub ms: u64,
    /// How far the strategy got.
    pub stage: Stage,
    /// What is wrong with it, and what to look at.
    pub diagnostics: Vec<Finding>,
    /// What was mended without asking, one line each.
    pub mended: Vec<String>,
    /// The file as it could be saved for a look at it; empty where the answer holds no code. Not fit to be run.
    #[serde(skip)]
    pub draft: String,
    /// How many lines stand above the code in it.
    #[serde(skip)]
    pub(crate) above: usize,
    /// What happens next.
    #[serde(skip)]
    pub then: Then,
}

/// Tokens of a call, where reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Tokens {
    /// Of the prompt.
    pub input: Option<u64>,
    /// Of the answer.
    pub output: Option<u64>,
}

/// What follows a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Then {
    /// Nothing: the strategy is good.
    Done,
    /// The findings go back to the model.
    Repair {
        /// Which repair.
        n: u32,
        /// Of how many.
        of: u32,
        /// With another temperature, as the model repeats itself.
        differently: bool,
    },
    /// No repair is left.
    GiveUp,
    /// The model repeats itself, also when it was asked differently.
    Stuck,
}

impl Round {
    /// The errors, of which each must be repaired.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.diagnostics.iter().filter(|finding| finding.is_error())
    }

    /// Whether it got further, or as far with no more errors and later.
    fn is_better_than(&self, other: &Self) -> bool {
        self.worth() > other.worth()
    }

    /// Takes the place of the best one so far, where it is better and there is something to keep.
    pub fn keep_in(&self, best: &mut Option<Self>) {
        if !self.draft.is_empty() && best.as_ref().is_none_or(|best| self.is_better_than(best)) {
            *best = Some(self.clone());
        }
    }

    /// Later stages first; among equals fewer errors, then the later answer.
    fn worth(&self) -> (bool, Stage, std::cmp::Reverse<usize>, u32) {
        (!self.draft.is_empty(), self.stage, std::cmp::Reverse(self.errors().count()), self.n)
    }
}

/// The best of some rounds: the furthest stage, then the fewest errors, then the last.
pub(crate) fn best(rounds: &[Round]) -> Option<&Round> {
    rounds.iter().max_by_key(|round| round.worth())
}
