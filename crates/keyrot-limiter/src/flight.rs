//! Requests in flight, for keys whose concurrency is limited.

use std::time::Duration;

use keyrot_core::{LimitKind, PermitId, Refusal, Timestamp, Why};

use crate::scopes::lasts;

/// The places one key has given away. A place comes back when its permit ends or its lease passes.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Vec<(PermitId, Timestamp)>);

impl InFlight {
    /// Why nobody may enter at `now`, if so. The wait is for leases to pass, as many as it takes.
    pub(crate) fn refusal(&mut self, limit: u32, now: Timestamp) -> Option<Refusal> {
        self.0.retain(|(_, until)| *until > now);
        let leaving = (self.0.len() + 1).saturating_sub(limit as usize);
        if leaving == 0 {
            return None;
        }
        if limit == 0 {
            return Some(Refusal { retry_after: Duration::MAX, why: Why::TooLarge(LimitKind::Concurrency) });
        }
        let (_, (_, last), _) = self.0.select_nth_unstable_by_key(leaving - 1, |(_, until)| *until);
        let retry_after = lasts(*last, now);
        Some(Refusal { retry_after, why: Why::Limit(LimitKind::Concurrency) })
    }

    pub(crate) fn enter(&mut self, permit: PermitId, lease: Duration, now: Timestamp) {
        self.0.push((permit, now + lease));
    }

    pub(crate) fn leave(&mut self, permit: PermitId) {
        self.0.retain(|(id, _)| *id != permit);
    }

    pub(crate) fn count(&self, now: Timestamp) -> u32 {
        u32::try_from(self.0.iter().filter(|(_, until)| *until > now).count()).unwrap_or(u32::MAX)
    }
}

#[cfg(feature = "sqlite")]
impl FromIterator<(PermitId, Timestamp)> for InFlight {
    fn from_iter<I: IntoIterator<Item = (PermitId, Timestamp)>>(places: I) -> Self {
        Self(places.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn full_with(leases: &[u64]) -> InFlight {
        let mut places = InFlight::default();
        for (id, ms) in leases.iter().enumerate() {
            places.enter(PermitId(id as u128), Duration::from_millis(*ms), at(0));
        }
        places
    }

    #[test]
    fn a_lowered_limit_waits_for_as_many_leases_as_it_takes() {
        let mut places = full_with(&[50, 10, 40, 20, 30]);
        let refusal = places.refusal(2, at(0)).expect("five in flight, two allowed");
        assert_eq!(refusal.retry_after, Duration::from_millis(40));
        assert!(places.refusal(2, at(39)).is_some());
        assert_eq!(places.refusal(2, at(40)), None);
    }

    #[test]
    fn a_limit_of_none_at_all_admits_nobody_ever() {
        let refusal = InFlight::default().refusal(0, at(0)).expect("nobody");
        assert_eq!(refusal.retry_after, Duration::MAX);
    }
}
