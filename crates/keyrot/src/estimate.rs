//! How far a rule of thumb for input tokens is off, model by model: an average of `promptTokenCount`
//! over the estimate in which recent requests count most.
//!
//! Processes that share a store share it: each goes on from the last value written, and the last writer
//! wins. What another one saw in the same half minute may be lost by that, which costs sharpness and
//! nothing else.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use keyrot_core::{Fact, FactStore, LimitError, ModelId};
use parking_lot::RwLock;

use crate::pool::Pool;
use crate::profile::Profile;

const PREFIX: &str = "estimate/";
/// Corrections are in millionths.
const ONE: u64 = 1_000_000;
/// However far off a request was: 1/4 and 8.
const LEAST: u64 = ONE / 4;
const MOST: u64 = 8 * ONE;
/// The newest request has a tenth of the weight, the first ones more.
const WINDOW: u64 = 10;
/// What an answer adds of its own would drown the rule in smaller requests.
const SMALLEST: u64 = 64;

/// What estimates for a model are to be multiplied by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Correction {
    millionths: u64,
    /// Requests it was learned from.
    seen: u64,
}

impl Correction {
    const NONE: Self = Self { millionths: ONE, seen: 0 };

    fn of(self, estimate: u64) -> u64 {
        let tokens = (u128::from(estimate) * u128::from(self.millionths)).div_ceil(u128::from(ONE));
        u64::try_from(tokens).unwrap_or(u64::MAX)
    }

    /// One more request: `estimate` by the rule, `counted` by Google. A single one moves the correction by
    /// half of it at most, and by a tenth once there were some.
    fn learn(self, estimate: u64, counted: u64) -> Self {
        let Self { millionths, seen } = self;
        let ratio = u128::from(counted) * u128::from(ONE) / u128::from(estimate.max(1));
        let ratio = u64::try_from(ratio).unwrap_or(u64::MAX);
        let ratio = ratio.clamp(LEAST.max(millionths / 2), MOST.min(millionths * 2));
        let window = WINDOW.min(seen.saturating_add(2));
        Self { millionths: (millionths * (window - 1) + ratio) / window, seen: seen.saturating_add(1) }
    }
}

impl fmt::Display for Correction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.millionths, self.seen)
    }
}

impl FromStr for Correction {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (millionths, seen) = text.split_once(' ').ok_or(())?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| ());
        Ok(Self { millionths: number(millionths)?.clamp(LEAST, MOST), seen: number(seen)? })
    }
}

/// The corrections in use.
#[derive(Debug, Default)]
pub(crate) struct Estimates(RwLock<HashMap<ModelId, Known>>);

#[derive(Debug)]
struct Known {
    correction: Correction,
    /// Whether it says more than the store.
    news: bool,
}

impl Estimates {
    /// `profile` with its estimate, if it has one, as `model` will count it.
    pub(crate) fn corrected<'a>(&self, profile: &'a Profile, model: &ModelId) -> Cow<'a, Profile> {
        let Some(estimate) = profile.estimate else { return Cow::Borrowed(profile) };
        let Some(correction) = self.0.read().get(model).map(|known| known.correction) else {
            return Cow::Borrowed(profile);
        };
        let mut profile = profile.clone();
        profile.cost.tokens = correction.of(estimate);
        Cow::Owned(profile)
    }

    pub(crate) fn learn(&self, model: &ModelId, estimate: u64, counted: u64) {
        if estimate < SMALLEST {
            return;
        }
        let mut known = self.0.write();
        match known.get_mut(model) {
            Some(known) => {
                known.correction = known.correction.learn(estimate, counted);
                known.news = true;
            }
            None => {
                let correction = Correction::NONE.learn(estimate, counted);
                known.insert(model.clone(), Known { correction, news: true });
            }
        }
    }

    /// The store's word on `model`: it counts, unless there is newer knowledge here.
    fn heard(&self, model: ModelId, fact: &Fact) {
        let Ok(correction) = fact.value.parse() else { return };
        let mut known = self.0.write();
        let known = known.entry(model).or_insert(Known { correction, news: false });
        if !known.news {
            known.correction = correction;
        }
    }

    /// What the store does not know yet.
    fn news(&self) -> Vec<(ModelId, Correction)> {
        if !self.0.read().values().any(|known| known.news) {
            return Vec::new();
        }
        let mut known = self.0.write();
        let news = known.iter_mut().filter(|(_, known)| known.news);
        news.map(|(model, known)| {
            known.news = false;
            (model.clone(), known.correction)
        })
        .collect()
    }
}

impl Pool {
    /// Reads what other processes wrote.
    pub(crate) async fn hear_estimates(&self) -> Result<(), LimitError> {
        for (name, fact) in self.patiently(self.limiter.scan(PREFIX)).await? {
            self.estimates.heard(ModelId::new(&name[PREFIX.len()..]), &fact);
        }
        Ok(())
    }

    /// Writes what is new.
    pub(crate) async fn write_estimates(&self) -> Result<(), LimitError> {
        for (model, correction) in self.estimates.news() {
            let (name, value) = (format!("{PREFIX}{model}"), correction.to_string());
            self.patiently(self.limiter.put(&name, &value, None)).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn learned(samples: impl IntoIterator<Item = (u64, u64)>) -> Correction {
        let learn = |known: Correction, (estimate, counted)| known.learn(estimate, counted);
        samples.into_iter().fold(Correction::NONE, learn)
    }

    #[test]
    fn it_finds_the_ratio_and_follows_when_that_changes() {
        let known = learned([(1_000, 1_300); 50]);
        assert!((1_295..=1_300).contains(&known.of(1_000)), "{known:?}");
        let later = (0..50).fold(known, |known, _| known.learn(1_000, 800));
        assert!((800..=806).contains(&later.of(1_000)), "{later:?}");
    }

    #[test]
    fn one_absurd_request_moves_it_little() {
        for absurd in [0, 1, u64::MAX] {
            let known = learned([(1_000, 1_300); 50]).learn(1_000, absurd);
            assert!((1_200..=1_435).contains(&known.of(1_000)), "{absurd}: {known:?}");
            let first = learned([(64, absurd)]);
            assert!((750..=1_500).contains(&first.of(1_000)), "{absurd}: {first:?}");
        }
    }

    #[test]
    fn a_newer_word_of_its_own_is_not_overheard_and_is_written_once() {
        let (estimates, model) = (Estimates::default(), ModelId::new("m"));
        let fact = Fact { value: "2000000 5".to_owned(), at: keyrot_core::Timestamp::from_millis(1) };
        let tokens = |estimates: &Estimates| {
            estimates.corrected(&Profile::new("m").estimated(100), &model).cost.tokens
        };
        estimates.heard(model.clone(), &fact);
        assert_eq!((tokens(&estimates), estimates.news()), (200, vec![]));
        estimates.learn(&model, SMALLEST - 1, u64::MAX);
        assert_eq!(tokens(&estimates), 200, "too small to tell");
        estimates.learn(&model, 1_000, 1_000);
        estimates.heard(model.clone(), &fact);
        assert_eq!(tokens(&estimates), 186);
        assert_eq!(estimates.news().len(), 1);
        assert_eq!(estimates.news(), vec![]);
        assert_eq!(estimates.corrected(&Profile::new("m").tokens(100), &model).cost.tokens, 100);
    }

    #[test]
    fn what_makes_no_sense_is_not_believed() {
        for text in ["", "1", "1 x", "-1 1", "1.5 1", " 1 1"] {
            assert!(text.parse::<Correction>().is_err(), "{text}");
        }
        assert_eq!("99000000 1".parse(), Ok(Correction { millionths: MOST, seen: 1 }));
    }

    proptest! {
        #[test]
        fn it_stays_within_its_bounds_and_survives_its_text(
            samples in prop::collection::vec((any::<u64>(), any::<u64>()), 0..40),
            estimate in 1_u64..,
        ) {
            let known = learned(samples);
            prop_assert!((LEAST..=MOST).contains(&known.millionths));
            prop_assert_eq!(known.to_string().parse(), Ok(known));
            prop_assert!(known.of(estimate) >= estimate.div_ceil(4));
            prop_assert!(known.of(estimate) <= estimate.saturating_mul(8));
        }
    }
}
