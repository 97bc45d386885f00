//! One run: a case, a policy, and everything that happened.

use std::sync::Arc;

use anyhow::{Context, Result};
use parking_lot::Mutex;
use tokio::task::JoinSet;

use crate::bench::policy::{Kind, Policy};
use crate::bench::scenario::{Arrivals, Case, Trouble};
use crate::bench::traffic::{Request, requests};
use crate::bench::world::{Attempt, World};

/// Everything that happened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Trace {
    /// In order of arrival, each with whether it was answered.
    pub(crate) requests: Vec<(Request, bool)>,
    /// In the order in which they ended.
    pub(crate) attempts: Vec<Attempt>,
}

/// Who asks, whom, and what came of it.
struct Load {
    case: Case,
    world: Arc<World>,
    policy: Policy,
    served: Mutex<Vec<(Request, bool)>>,
}

impl Load {
    async fn serve(&self, request: Request) {
        if self.policy.serve(&self.world, &request).await {
            self.served.lock()[request.number].1 = true;
        }
    }

    /// Asks again and again until no more requests arrive.
    async fn client(&self) {
        loop {
            let now = self.world.clock.millis();
            if now >= self.case.span.to {
                return;
            }
            let request = {
                let mut served = self.served.lock();
                let request = Request::new(&self.case, served.len(), now);
                served.push((request, false));
                request
            };
            self.serve(request).await;
        }
    }
}

/// Runs `case` under `kind` in virtual time.
pub(crate) fn run(case: &Case, kind: Kind) -> Result<Trace> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .context("no runtime")?;
    runtime.block_on(async {
        let world = World::new(case)?;
        let policy = Policy::start(kind, case, &world).await?;
        if case.scenario.trouble == Trouble::KeyRevoked {
            let (world, at) = (Arc::clone(&world), case.span.middle());
            tokio::spawn(async move {
                world.clock.until(at).await;
                world.revoke();
            });
        }
        let load = Arc::new(Load {
            case: case.clone(),
            world: Arc::clone(&world),
            policy,
            served: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        if let Arrivals::Clients(clients) = case.scenario.arrivals {
            for _ in 0..clients {
                let load = Arc::clone(&load);
                tasks.spawn(async move { load.client().await });
            }
        }
        for request in requests(case) {
            world.clock.until(request.arrives).await;
            load.served.lock().push((request, false));
            let load = Arc::clone(&load);
            tasks.spawn(async move { load.serve(request).await });
        }
        while let Some(done) = tasks.join_next().await {
            done.context("a request's task failed")?;
        }
        let requests = std::mem::take(&mut *load.served.lock());
        let attempts = world.attempts();
        Ok(Trace { requests, attempts })
    })
}
