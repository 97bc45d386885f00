//! Every row of the outcome table through the pool, panics and cancellations while a key is held,
//! and the debug text of everything that might hold one.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use gemini_client::wire::GenerateRequest;
use gemini_sim::{
    Fault, FaultRule, KeySpec, KeyState, OverloadText, ProjectSpec, ProjectState, Quota, SimServer, Tier,
};
use keyrot::{Lease, LeaseError, Outcome, Profile};
use keyrot_testkit::canary::{ALL, OTHER, STANDARD};
use keyrot_testkit::secrets::ChangingStore;
use keyrot_testkit::world::World;

use crate::ear;

const MODEL: &str = "gemini-2.5-flash";

/// A pool whose key `k` has this secret; `spare` is a second one, of another project.
async fn world(secret: &str, quota: Quota, spare: bool) -> World {
    let mut world = World::builder()
        .project(ProjectSpec::new("p").tier(Tier::Paid1).quota(MODEL, quota))
        .project(ProjectSpec::new("q"))
        .first_byte(Duration::from_millis(80))
        .key("k", "p", |k| k.priority = 1)
        .env("GEMINI_KEY_k", secret)
        .sim(|sim| sim.key(KeySpec::new(secret, "p")));
    if spare {
        let other = if secret == OTHER { STANDARD } else { OTHER };
        world = world.key("spare", "q", |k| k.priority = 2).env("GEMINI_KEY_spare", other);
        world = world.sim(|sim| sim.key(KeySpec::new(other, "q")));
    }
    world.start().await
}

/// Asks, and says all there is to say of it.
async fn ask(world: &World) {
    let profile = Profile::new(MODEL).max_wait(Duration::from_secs(5));
    let request = GenerateRequest::text("hi");
    let count = request.clone().into();
    match world.pass_time(world.gemini.generate(&profile, &request)).await {
        Ok(answer) => ear::debug("answer", &answer),
        Err(error) => ear::error("generate", &error),
    }
    if let Err(error) = world.pass_time(world.gemini.count_tokens(MODEL, &count)).await {
        ear::error("count", &error);
    }
    tell(world).await;
}

async fn tell(world: &World) {
    let rotator = world.gemini.rotator();
    let status = rotator.status(MODEL).await;
    ear::debug("status", &status);
    ear::say(&serde_json::to_string_pretty(&status).expect("JSON"));
    ear::debug("world", world);
    ear::debug("log of the server", &world.sim.log());
    if let Err(LeaseError::Exhausted(exhausted)) =
        world.pass_time(rotator.lease(&Profile::new(MODEL).max_wait(Duration::ZERO))).await
    {
        ear::error("exhausted", &exhausted);
        ear::say(&serde_json::to_string(&exhausted).expect("JSON"));
    }
}

fn faults() -> Vec<Fault> {
    vec![
        Fault::TooManyBare,
        Fault::SpendCap,
        Fault::PrepayDepleted,
        Fault::Overloaded(OverloadText::New),
        Fault::DeadlineExceeded,
        Fault::Internal,
        Fault::BadGatewayHtml,
        Fault::Cancelled,
        Fault::ModelNotFound,
        Fault::NoLongerAvailable,
        Fault::BadRequest("Request contains an invalid argument.".to_owned()),
        Fault::InputTooLong,
        Fault::LocationBlocked,
        Fault::FileForbidden,
        Fault::CacheForbidden,
        Fault::CallerNoPermission,
        Fault::SafetyBlock,
        Fault::EmptyMaxTokens,
        Fault::Stall,
        Fault::Reset,
    ]
}

type Break = Box<dyn Fn(&SimServer, &str)>;

/// Every way for key and project to be refused.
fn refusals() -> Vec<Break> {
    let key = |state: KeyState| -> Break {
        Box::new(move |sim, secret| assert!(sim.set_key_state(secret, state.clone())))
    };
    let project =
        |state: ProjectState| -> Break { Box::new(move |sim, _| assert!(sim.set_project_state("p", state))) };
    let fault = |fault: Fault| -> Break {
        Box::new(move |sim, _| sim.push_fault(FaultRule::new(fault.clone()).on_project("p").always()))
    };
    let keys = [
        KeyState::Invalid,
        KeyState::Expired,
        KeyState::Leaked,
        KeyState::ServiceBlocked,
        KeyState::ReferrerBlocked,
        KeyState::IpBlocked,
        KeyState::BadAuthKey,
        KeyState::TokenTypeUnsupported,
        KeyState::NoPermission { operation: "generateContent".to_owned() },
    ];
    let projects = [
        ProjectState::ServiceDisabled,
        ProjectState::Denied,
        ProjectState::Suspended,
        ProjectState::PrepayDepleted,
        ProjectState::LocationBlocked,
    ];
    let all = keys.into_iter().map(key).chain(projects.into_iter().map(project));
    all.chain(faults().into_iter().map(fault)).collect()
}

#[tokio::test]
async fn no_outcome_gives_a_key_away() {
    let heard = ear::listen();
    for secret in ALL {
        for spoil in refusals() {
            let world = world(secret, Quota::UNLIMITED, false).await;
            ask(&world).await;
            spoil(&world.sim, secret);
            ask(&world).await;
        }
    }
    heard.assert_clean();
    ear::assert_heard(&["keyrot", "gemini_client", "hyper_util", "reqwest"]);
}

#[tokio::test]
async fn the_suspended_consumer_is_named_by_its_key_and_not_repeated() {
    let heard = ear::listen();
    for secret in ALL {
        let world = world(secret, Quota::UNLIMITED, true).await;
        world.sim.set_project_state("p", ProjectState::Suspended);
        world.sim.set_project_state("q", ProjectState::Suspended);
        let profile = Profile::new(MODEL).max_wait(Duration::ZERO);
        let request = GenerateRequest::text("hi");
        let error = world.pass_time(world.gemini.generate(&profile, &request)).await.expect_err("suspended");
        assert!(error.to_string().contains("Consumer 'api_key:[REDACTED]'"), "{error}");
        ear::error("suspended", &error);
        tell(&world).await;
    }
    heard.assert_clean();
}

#[tokio::test]
async fn no_quota_gives_a_key_away() {
    let heard = ear::listen();
    let one = |rpm, tpm, rpd| Quota { rpm, tpm, rpd };
    let quotas =
        [one(Some(1), None, None), one(None, Some(1), None), one(None, None, Some(1)), Quota::DISABLED];
    for secret in ALL {
        for quota in quotas {
            for spare in [false, true] {
                let world = world(secret, quota, spare).await;
                ask(&world).await;
                ask(&world).await;
            }
        }
    }
    heard.assert_clean();
}

#[tokio::test]
async fn a_key_whose_secret_changes_is_given_away_neither_before_nor_after() {
    let heard = ear::listen();
    for (old, new) in ALL.into_iter().zip(ALL.into_iter().cycle().skip(1)) {
        let store = ChangingStore::new(old);
        let world = World::builder()
            .project(ProjectSpec::new("p"))
            .key("k", "p", |_| {})
            .sim(|sim| sim.key(KeySpec::new(old, "p")))
            .store(Arc::new(store.clone()))
            .start()
            .await;
        store.change(new);
        assert!(world.sim.replace_key(old, new));
        ask(&world).await;
        assert_eq!(world.story()[..2], ["k key_rejected", "k success"]);
        assert!(world.sim.set_key_state(new, KeyState::Leaked));
        ask(&world).await;
    }
    heard.assert_clean();
}

/// An error whose debug text is a lease's.
fn refused(lease: Lease) -> Result<(), Box<Lease>> {
    Err(Box::new(lease))
}

#[tokio::test]
async fn nothing_that_holds_a_key_shows_it() {
    let heard = ear::listen();
    for secret in ALL {
        let world = world(secret, Quota::UNLIMITED, true).await;
        let rotator = world.gemini.rotator();
        let profile = Profile::new(MODEL);
        ear::debug("profile", &profile);
        let lease = rotator.lease(&profile).await.expect("a lease");
        ear::debug("lease", &lease);
        ear::debug("secret", lease.secret());
        ear::debug("fingerprint", &lease.fingerprint());
        ear::both("key", lease.key_id());
        // Settled later: what waits to be settled is said by whoever settles it.
        drop(lease);
        let lease = rotator.lease(&profile).await.expect("a lease");
        lease.end(&Outcome::BadRequest).await;

        // A panic under a lease says what the lease says of itself.
        let panics = rotator.run(&profile, |lease| {
            let text = format!("a bug while {lease:?} was held with {:?}", lease.secret());
            async move {
                if !text.is_empty() {
                    panic!("{text}");
                }
                Ok::<_, gemini_client::Error>(((), Outcome::Blocked))
            }
        });
        let panicked = std::panic::AssertUnwindSafe(panics).catch_unwind().await;
        let payload = panicked.expect_err("it panicked");
        ear::debug("payload", &payload.downcast_ref::<String>());
        let task = rotator.clone();
        let spawned = tokio::spawn(async move {
            let lease = task.lease(&Profile::new(MODEL)).await.expect("a lease");
            refused(lease).expect("a bug with a lease in its hands");
        });
        ear::error("join", &spawned.await.expect_err("it panicked"));

        // A call that is dropped on the wire.
        world.sim.push_fault(FaultRule::new(Fault::Stall).on_project("p"));
        let request = GenerateRequest::text("hi");
        let call = world.gemini.generate(&profile, &request);
        let cut = tokio::time::timeout(Duration::from_millis(20), call).await;
        ear::debug("cut", &cut);
        assert!(rotator.shutdown(Duration::from_secs(5)).await);
        tell(&world).await;
        world.sim.shutdown().await;
        ear::debug("gemini", &world.gemini);
        let gone = world.gemini.generate(&profile.max_wait(Duration::ZERO), &request).await;
        ear::error("no server", &gone.expect_err("no server"));
    }
    heard.assert_clean();
}
