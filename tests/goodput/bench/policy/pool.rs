//! keyrot: the real rotator over the real limiter.

use std::sync::Arc;

use anyhow::{Context, Result};
use keyrot::{Assembly, Profile, Rotator};
use keyrot_core::call::Prober;
use keyrot_core::keys::{Key, KeySet, PoolConfig};
use keyrot_core::{EnvMap, KeyId, Project};

use super::MAX_WAIT;
use crate::bench::scenario::{Case, Trouble};
use crate::bench::store::Store;
use crate::bench::traffic::Request;
use crate::bench::world::{MODEL, World, project_name, secret};

/// Input tokens of the one prompt there is.
const TOKENS: u64 = 7;

pub(crate) struct Pool {
    /// One for each process.
    rotators: Vec<Rotator>,
    profile: Profile,
}

impl Pool {
    pub(super) async fn start(case: &Case, world: &Arc<World>) -> Result<Self> {
        let mut rotators = Vec::new();
        let silent = match case.scenario.trouble {
            Trouble::StoreAway => case.span.store_away(),
            _ => (0, 0),
        };
        let store = Store::new(world.clock, silent);
        for process in 0..case.scenario.processes {
            let env = (0..case.scenario.projects)
                .map(|project| (format!("GEMINI_KEY_{}", key_name(project)), secret(project)));
            let mut assembly = Assembly::new(EnvMap::from_iter(env))
                .keys(keys(case)?)
                .clock(Arc::new(world.clock))
                .seed(case.seed.wrapping_add(process as u64));
            if case.scenario.processes > 1 {
                assembly = assembly.limiter(store.handle(process));
            }
            let rotator = assembly.make().await.context("the pool is not made")?.rotator;
            rotator.prove_with(Arc::clone(world) as Arc<dyn Prober>);
            rotators.push(rotator);
        }
        Ok(Self { rotators, profile: Profile::new(MODEL).tokens(TOKENS).max_wait(MAX_WAIT) })
    }

    pub(super) async fn serve(&self, world: &Arc<World>, request: &Request) -> bool {
        let rotator = &self.rotators[request.number % self.rotators.len()];
        let served = rotator.run(&self.profile, |lease| {
            let (world, request) = (Arc::clone(world), *request);
            let project = project_of(lease.key_id());
            async move { world.call(project, &request).await.map(|outcome| ((), outcome)) }
        });
        served.await.is_ok()
    }
}

/// keys.json, as its author believes the limits to be.
fn keys(case: &Case) -> Result<KeySet> {
    let mut keys = Vec::new();
    for project in 0..case.scenario.projects {
        let mut key = Key::new(KeyId::new(&key_name(project))?);
        key.project = Project::new(&project_name(project));
        key.project_given = true;
        key.limits.rpm = Some(case.scenario.rpm * case.scenario.declared);
        keys.push(key);
    }
    Ok(KeySet { keys, config: PoolConfig::default() })
}

fn key_name(project: usize) -> String {
    format!("k{project}")
}

/// The project of a key, by the key's name.
fn project_of(key: &KeyId) -> usize {
    key.as_str().trim_start_matches('k').parse().unwrap_or_default()
}
