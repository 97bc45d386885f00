//! Why nothing may go, as far as it is known here: told without a question to the store, and without a
//! look at every key.

use std::time::Duration;

use keyrot_core::select::{Hint, Pick};
use keyrot_core::{LimitKind, Timestamp, Why};

use crate::acquire::Search;
use crate::exhausted::{Exhausted, KeyRefusal, Reasons};
use crate::retry::Tried;

/// The most keys that a refusal names one by one.
const MOST_NAMED: usize = 20;

impl Search<'_> {
    /// The refusal of a request that `tried` what it tried and waited for `waited`.
    pub(crate) fn exhausted(&self, tried: &Tried, waited: Duration) -> Exhausted {
        let now = self.pool.clock.now();
        let (wide, earliest, reasons) = {
            let mut draw = self.lane.draw.lock();
            let wide = if self.profile.cost.tokens > draw.most_tokens(&self.lane.groups, now) {
                Some(Hint::of(Timestamp::NEVER, Some(Why::TooLarge(LimitKind::Tpm))))
            } else {
                draw.wide.filter(|hint| hint.until > now)
            };
            let out = draw.selector.earliest().map(|at| at.max(now));
            let own = tried.earliest(now);
            let earliest = wide.map_or_else(|| own.into_iter().chain(out).min(), |hint| Some(hint.until));
            let reasons = wide.map_or_else(
                || Reasons::of(draw.selector.reasons()),
                |hint| Reasons::all(hint.why, self.lane.groups.len()),
            );
            (wide, earliest.filter(|at| *at < Timestamp::NEVER), reasons)
        };
        let named = self.lane.roster.keys.len() <= MOST_NAMED;
        let keys = if named { self.each_key(tried, wide, now) } else { Vec::new() };
        // What was known may be over by the time it is told.
        let free = keys.iter().filter_map(|key| key.until).min();
        let earliest = earliest.into_iter().chain(free).min();
        Exhausted {
            model: self.lane.key.model.clone(),
            keys,
            reasons,
            earliest,
            eta: earliest.map(|at| at.since(now)),
            waited,
        }
    }

    fn each_key(&self, tried: &Tried, wide: Option<Hint>, now: Timestamp) -> Vec<KeyRefusal> {
        let roster = &self.lane.roster;
        let mut keys = Vec::new();
        for (index, key) in roster.indexed() {
            if (Some(index) == roster.last_resort) != self.lane.key.last_resort {
                continue;
            }
            let resolved = self.pool.secrets.get(&key.id);
            let pick = self.lane.group(&key.project).map(|group| Pick { key: index, group });
            let known = || pick.and_then(|pick| wide.or(self.lane.draw.lock().selector.known_of(pick)));
            let (why, until) = if let Some(why) =
                self.lane.out(index, &self.pool.secrets, resolved.as_deref(), now)
            {
                (why, None)
            } else if let Some(Hint { until, why: Some(why), .. }) = known().filter(|hint| hint.until > now) {
                // A place in flight may come back at any moment: it is asked for again and again.
                let is_known = until < Timestamp::NEVER && why != Why::Limit(LimitKind::Concurrency);
                (why.to_string(), is_known.then_some(until))
            } else if pick.is_some_and(|pick| self.barred(tried, pick, now)) {
                ("already failed this request".to_owned(), None)
            } else {
                ("free again just now".to_owned(), Some(now))
            };
            keys.push(KeyRefusal { key: key.id.clone(), project: key.project.clone(), why, until });
        }
        keys
    }
}
