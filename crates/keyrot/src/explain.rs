//! Why a key may not go, what that was learned from, and what would change it.

use keyrot_core::bucket::nearest;
use keyrot_core::{KeyFault, LimitKind, ModelId, ProjectFault, Reason, ScopeKind, Why};
use serde::Serialize;

use crate::rotator::Rotator;
use crate::status::{KeyState, KeyStatus};

/// Everything there is to say of one key and one model.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The model.
    pub model: ModelId,
    /// How the key stands.
    pub key: KeyStatus,
    /// What is out: the key, its project, the model there, the model everywhere.
    pub scope: Option<&'static str>,
    /// What it was learned from.
    pub learned_from: Option<&'static str>,
    /// What would make it eligible.
    pub remedy: Option<String>,
    /// The command that has what is cooling tried again at once.
    pub lifted_by: Option<String>,
    /// What there is to say of the model's name, where nothing mentions it.
    pub doubt: Option<String>,
}

impl Rotator {
    /// How every key stands for `model`, and why.
    pub async fn explain(&self, model: &str) -> Vec<Explanation> {
        let status = self.status(model).await;
        let model = status.model;
        let pool = &self.pool;
        let mentioned =
            pool.roster().mentions(&model) || pool.aliases.knows(&model) || pool.names.is_real(&model);
        let doubt = (!mentioned).then(|| {
            let nearest =
                nearest(&model).map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
            format!("neither keys.json nor this version mentions `{model}`{nearest}")
        });
        status.keys.into_iter().map(|key| explain(model.clone(), key, doubt.clone())).collect()
    }
}

fn explain(model: ModelId, key: KeyStatus, doubt: Option<String>) -> Explanation {
    let cause = key.cause.filter(|_| key.state != KeyState::Disabled);
    let scope = cause.map(|cause| match cause {
        Why::Limit(LimitKind::Concurrency) | Why::TooLarge(LimitKind::Concurrency) => "the key",
        Why::Limit(_) | Why::TooLarge(_) => "the model in this project",
        Why::Caller(_) => "the caller",
        Why::Cooling { scope, .. } => match scope {
            ScopeKind::Key => "the key",
            ScopeKind::Permission => "the key, for generating",
            ScopeKind::Project => "the project, with all its keys",
            ScopeKind::Domain => "the model in this project",
            ScopeKind::Model => "the model, in every project",
            ScopeKind::Pool => "the whole pool",
        },
    });
    let learned_from = cause.map(|cause| match cause {
        Why::Limit(_) | Why::TooLarge(_) | Why::Caller(_) => "keyrot's own count",
        Why::Cooling { reason, .. } => learned_from(reason),
    });
    let lifted_by = cause.and_then(|cause| match cause {
        Why::Cooling { scope, .. } => Some(lifting(scope, &key)),
        Why::Limit(_) | Why::TooLarge(_) | Why::Caller(_) => None,
    });
    let remedy = remedy(&key, cause);
    Explanation { model, key, scope, learned_from, remedy, lifted_by, doubt }
}

fn learned_from(reason: Reason) -> &'static str {
    match reason {
        Reason::QuotaMinute => "a 429 from Google that named the limit per minute",
        Reason::QuotaDay => "a 429 from Google that named the limit per day",
        Reason::QuotaZero => "a 429 from Google that named a limit of zero",
        Reason::Throttled => "a 429 from Google without details",
        Reason::KeyRejected(KeyFault::Invalid) => "a 400 from Google: API key not valid",
        Reason::KeyRejected(KeyFault::Expired) => "a 400 from Google: API key expired",
        Reason::KeyRejected(KeyFault::Leaked) => "a 403 from Google: the key was reported as leaked",
        Reason::KeyRejected(KeyFault::Unauthenticated) => "a 401 from Google",
        Reason::KeyRestricted => "a 403 from Google: the key is restricted",
        Reason::OperationDenied => "a 403 from Google: the key may not use this method",
        Reason::ProjectRejected(ProjectFault::ServiceDisabled) => {
            "a 403 from Google: the API is not enabled in the project"
        }
        Reason::ProjectRejected(ProjectFault::Denied) => "a 403 from Google: the project was denied access",
        Reason::ProjectRejected(ProjectFault::Suspended) => "a 403 from Google: the project is suspended",
        Reason::ProjectRejected(ProjectFault::Billing) => "a refusal from Google about billing",
        Reason::Overloaded => "a 503 or 504 from Google",
        Reason::ModelNotFound => "a 404 from Google",
        Reason::Flaky => "failures of server or network on three requests, which other keys served",
        Reason::Operator => "an operator",
    }
}

/// The command that lifts what is out for `key` in `scope`.
fn lifting(scope: ScopeKind, key: &KeyStatus) -> String {
    match scope {
        ScopeKind::Key => format!("keyrot uncool {}", key.key_id),
        ScopeKind::Project => format!("keyrot uncool project:{}", key.project),
        ScopeKind::Domain => format!("keyrot uncool {}/{}", key.project, key.bucket),
        ScopeKind::Model => format!("keyrot uncool model:{}", key.bucket),
        ScopeKind::Permission => format!("keyrot reset {}", key.key_id),
        ScopeKind::Pool => "keyrot reset --all".to_owned(),
    }
}

fn remedy(key: &KeyStatus, cause: Option<Why>) -> Option<String> {
    let text = match (key.state, cause) {
        (KeyState::Ready, _) => return None,
        (KeyState::Disabled, _) if key.disabled => format!("`keyrot enable {}`", key.key_id),
        (KeyState::Disabled, _) => "`\"active\": true` in keys.json".to_owned(),
        (_, Some(Why::Limit(LimitKind::Concurrency))) => "the end of a request that is in flight".to_owned(),
        (_, Some(Why::Limit(_))) => {
            "waiting; or a higher limit in keys.json, where Google grants more".to_owned()
        }
        (_, Some(Why::Caller(_))) => "waiting; or a higher limit for the caller".to_owned(),
        (_, Some(Why::TooLarge(_))) => "a smaller request, or a higher limit in keys.json".to_owned(),
        (_, Some(Why::Cooling { reason, scope })) => match reason {
            Reason::KeyRejected(KeyFault::Leaked) => "a new secret for this key".to_owned(),
            Reason::KeyRejected(_) => {
                "a new secret for this key; where it works again as it is, `keyrot check --probe`".to_owned()
            }
            Reason::KeyRestricted | Reason::OperationDenied => {
                "lifting the restriction in Google Cloud; it is tried again by itself".to_owned()
            }
            Reason::ProjectRejected(_) => {
                "mending the project in Google Cloud, then `keyrot check --probe`; it is tried again by itself".to_owned()
            }
            Reason::QuotaZero => "another model, or a tier of the project that has it".to_owned(),
            Reason::ModelNotFound => {
                "another model; where the project has it by now, `keyrot check --probe`".to_owned()
            }
            Reason::Operator => format!("`{}`", lifting(scope, key)),
            Reason::QuotaMinute
            | Reason::QuotaDay
            | Reason::Throttled
            | Reason::Overloaded
            | Reason::Flaky => format!("waiting; `{}` has it tried again at once", lifting(scope, key)),
        },
        (_, None) => "what keys.json and the secret store say of it".to_owned(),
    };
    Some(text)
}
