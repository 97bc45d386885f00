//! The rotator's free questions, as the simulator answers them: what each state of a key, a project
//! and a model proves, and that nothing is charged.

use gemini_client::{Client, Config, Probing};
use gemini_sim::{
    Fault, FaultRule, KeySpec, KeyState, OverloadText, ProjectSpec, ProjectState, Sim, SimServer,
};
use keyrot_core::Evidence::{self, Hinted, Named};
use keyrot_core::call::{Prober, Proof};
use keyrot_core::{ModelId, Outcome};
use secrecy::SecretString;

const MODEL: &str = "gemini-2.5-flash";
const KEY: &str = "AIza-canary-probing";

async fn server() -> SimServer {
    let builder = Sim::builder().project(ProjectSpec::new("pa").number("111"));
    builder.key(KeySpec::new(KEY, "pa")).start().await.expect("a server")
}

fn probing(server: &SimServer) -> Probing {
    Probing::new(Client::new(&Config::at(server.base_url())).expect("a client"))
}

async fn probe(server: &SimServer, model: &str) -> Proof {
    probing(server).probe(&SecretString::from(KEY), &ModelId::from(model)).await
}

/// The name and the evidence of a refusal.
async fn refusal(server: &SimServer) -> (&'static str, Option<Evidence>) {
    match probe(server, MODEL).await {
        Proof::Refused(outcome) => (outcome.label(), outcome.evidence()),
        Proof::Works => ("works", None),
        Proof::Unknown => ("unknown", None),
    }
}

#[tokio::test]
async fn a_good_key_works_and_a_bad_one_is_refused_by_name() {
    let server = server().await;
    assert_eq!(probe(&server, MODEL).await, Proof::Works);
    let get = || "models.get".to_owned();
    for (state, label, evidence) in [
        (KeyState::Invalid, "key_rejected", Named),
        (KeyState::InvalidUntyped, "key_rejected", Named),
        (KeyState::NotFound, "key_rejected", Hinted),
        (KeyState::Expired, "key_rejected", Named),
        (KeyState::Leaked, "key_rejected", Named),
        (KeyState::BadAuthKey, "key_rejected", Named),
        (KeyState::TokenTypeUnsupported, "key_rejected", Named),
        (KeyState::ServiceBlocked, "key_restricted", Named),
        (KeyState::ReferrerBlocked, "key_restricted", Named),
        (KeyState::IpBlocked, "key_restricted", Named),
        (KeyState::NoPermission { operation: get() }, "operation_denied", Hinted),
    ] {
        server.set_key_state(KEY, state.clone());
        assert_eq!(refusal(&server).await, (label, Some(evidence)), "{state:?}");
    }
    server.set_key_state(KEY, KeyState::Valid);
    assert_eq!(probe(&server, MODEL).await, Proof::Works);
    let log = server.log();
    assert!(log.iter().all(|entry| entry.operation == "models.get" && !entry.charged), "{log:?}");
}

#[tokio::test]
async fn a_project_that_is_out_is_refused_by_name() {
    let server = server().await;
    for (state, label, evidence) in [
        (ProjectState::ServiceDisabled, "project_rejected", Some(Named)),
        (ProjectState::Denied, "project_rejected", Some(Hinted)),
        (ProjectState::Suspended, "project_rejected", Some(Named)),
        (ProjectState::LocationNeedsBilling, "project_rejected", Some(Named)),
        (ProjectState::LocationBlocked, "location_blocked", None),
    ] {
        server.set_project_state("pa", state);
        assert_eq!(refusal(&server).await, (label, evidence), "{state:?}");
    }
    // Generation is refused, the card is not: the key and its project are known.
    server.set_project_state("pa", ProjectState::PrepayDepleted);
    assert_eq!(probe(&server, MODEL).await, Proof::Works);
}

#[tokio::test]
async fn a_model_is_there_or_not_and_load_proves_nothing() {
    let server = server().await;
    assert_eq!(probe(&server, "gemini-9-nowhere").await, Proof::Refused(Outcome::ModelNotFound));
    for fault in [
        Fault::Overloaded(OverloadText::New),
        Fault::DeadlineExceeded,
        Fault::Internal,
        Fault::BadGatewayHtml,
        Fault::Cancelled,
        Fault::TooManyBare,
        Fault::BadRequest("Request contains an invalid argument.".to_owned()),
        Fault::Reset,
    ] {
        server.push_fault(FaultRule::new(fault.clone()));
        assert_eq!(probe(&server, MODEL).await, Proof::Unknown, "{fault:?}");
    }
    assert_eq!(probe(&server, MODEL).await, Proof::Works);
}

#[tokio::test]
async fn the_models_of_a_key_are_listed() {
    let server = server().await;
    let key = SecretString::from(KEY);
    let models = probing(&server).models(&key).await.expect("a list");
    assert!(models.contains(&ModelId::from(MODEL)), "{models:?}");
    server.push_fault(FaultRule::new(Fault::InternalShort));
    assert_eq!(probing(&server).models(&key).await, None);
    assert_eq!(probing(&server).models(&SecretString::from("AIza-nobodys")).await, None);
    assert!(server.log().iter().all(|entry| entry.operation == "models.list" && !entry.charged));
}

#[tokio::test]
async fn a_list_of_many_pages_is_read_whole() {
    let mut builder = Sim::builder().project(ProjectSpec::new("pa")).key(KeySpec::new(KEY, "pa"));
    for number in 0..2500 {
        builder = builder.model(gemini_sim::ModelSpec::new(format!("many-{number}")));
    }
    let server = builder.start().await.expect("a server");
    let models = probing(&server).models(&SecretString::from(KEY)).await.expect("a list");
    assert!((0..2500).all(|number| models.contains(&ModelId::from(format!("many-{number}").as_str()))));
    assert!((3..=4).contains(&server.log().len()));
}
