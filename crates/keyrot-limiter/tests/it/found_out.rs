//! The comparison of two stores bites: each of these faults is found.

use std::sync::Arc;
use std::time::Duration;

use keyrot_core::{
    Ask, Candidate, CoolFor, CoolReport, Cooled, Cost, Ended, FakeClock, Lifted, LimitError, Method, Permit,
    PermitId, RateLimiter, Reply, Scope, Standing,
};
use keyrot_limiter::MemoryLimiter;
use keyrot_testkit::limiter::{Shared, lives, relive, search};
use parking_lot::Mutex;

#[derive(Debug, Clone, Copy)]
enum Fault {
    LiftsAreLost,
    SettlingIsLost,
    ReleasesAreLost,
    SuccessIsTakenForFailure,
    RefundsAreLost,
    HintsAreIgnored,
    StormsTakeMore,
    RepeatsAreChargedAgain,
    MethodsAreConfused,
    LeasesAreLonger,
}

#[derive(Debug, Clone)]
struct Faulty {
    store: Shared<MemoryLimiter>,
    fault: Fault,
    /// The newest question.
    asked: Arc<Mutex<PermitId>>,
}

impl RateLimiter for Faulty {
    async fn reserve(&self, ask: &Ask<'_>) -> Result<Reply, LimitError> {
        let mut ask = *ask;
        let name = ask.permit;
        let before = std::mem::replace(&mut *self.asked.lock(), name);
        match self.fault {
            Fault::RepeatsAreChargedAgain if before == name => ask.permit = PermitId(name.0 + 1_000_000),
            Fault::MethodsAreConfused => ask.method = Method::Generate,
            Fault::LeasesAreLonger => ask.lease += Duration::from_millis(1),
            _ => {}
        }
        let mut reply = self.store.reserve(&ask).await?;
        if let Some(grant) = &mut reply.grant {
            grant.permit.id = name;
        }
        Ok(reply)
    }

    async fn settle(&self, permit: &Permit, tokens: u64) -> Result<(), LimitError> {
        if matches!(self.fault, Fault::SettlingIsLost) {
            Ok(())
        } else {
            self.store.settle(permit, tokens).await
        }
    }

    async fn release(&self, permit: &Permit, ended: Ended) -> Result<(), LimitError> {
        let ended = match (self.fault, ended) {
            (Fault::ReleasesAreLost, _) => return Ok(()),
            (Fault::SuccessIsTakenForFailure, Ended::Succeeded)
            | (Fault::RefundsAreLost, Ended::NeverSent) => Ended::Failed,
            (_, ended) => ended,
        };
        self.store.release(permit, ended).await
    }

    async fn cool(&self, report: &CoolReport) -> Result<Cooled, LimitError> {
        let mut report = report.clone();
        match (self.fault, &mut report.cool) {
            (Fault::HintsAreIgnored, CoolFor::Escalating { at_least }) => *at_least = Duration::ZERO,
            (Fault::StormsTakeMore, _) => report.projects += 2,
            _ => {}
        }
        self.store.cool(&report).await
    }

    fn lifted(&self) -> Lifted {
        self.store.lifted()
    }

    async fn listen(&self) -> Result<(), LimitError> {
        self.store.listen().await
    }

    async fn lift(&self, scope: &Scope) -> Result<(), LimitError> {
        if matches!(self.fault, Fault::LiftsAreLost) { Ok(()) } else { self.store.lift(scope).await }
    }

    async fn snapshot(
        &self,
        candidates: &[Candidate<'_>],
        method: Method,
        cost: Cost,
    ) -> Result<Vec<Standing>, LimitError> {
        self.store.snapshot(candidates, method, cost).await
    }
}

fn memory(clock: FakeClock) -> MemoryLimiter {
    MemoryLimiter::new(Arc::new(clock))
}

#[test]
fn each_fault_is_found() {
    for fault in [
        Fault::LiftsAreLost,
        Fault::SettlingIsLost,
        Fault::ReleasesAreLost,
        Fault::SuccessIsTakenForFailure,
        Fault::RefundsAreLost,
        Fault::HintsAreIgnored,
        Fault::StormsTakeMore,
        Fault::RepeatsAreChargedAgain,
        Fault::MethodsAreConfused,
        Fault::LeasesAreLonger,
    ] {
        let make = async |clock| {
            let asked = Arc::new(Mutex::new(PermitId(0)));
            let faulty = Faulty { store: Shared::new(memory(clock)), fault, asked };
            async move || faulty.clone()
        };
        let found = search(&lives(), |life| pollster::block_on(relive(memory, make, life)));
        assert!(found.is_err(), "{fault:?} was not found");
    }
}
