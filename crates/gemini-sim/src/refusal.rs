//! What the server says to callers it does not serve: unknown, blocked or unprivileged keys, refused projects,
//! foreign resources, unknown models.

use serde_json::json;

use crate::project::{KeyState, ProjectState};
use crate::route::Route;
use crate::status::{SERVICE, Status, detail, error_info, localized};

/// A request without any key.
pub(crate) fn no_key() -> Status {
    Status::denied(
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key \
         or other form of API consumer identity to call this API.",
    )
}

/// A request with a key and a bearer token at once.
pub(crate) fn two_credentials() -> Status {
    Status::bad_request("Multiple authentication credentials received. Please pass only one.")
}

/// A bearer token on the native API, a rejected standard key, or an auth key in the query string.
pub(crate) fn token_type(route: &Route) -> Status {
    Status::new(
        401,
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other \
         valid authentication credential. See \
         https://developers.google.com/identity/sign-in/web/devconsole-project.",
    )
    .details([error_info(
        "ACCESS_TOKEN_TYPE_UNSUPPORTED",
        &json!({"method": route.rpc_method(), "service": SERVICE}),
    )])
}

/// The error for a key in this state, or `None` when it may pass.
pub(crate) fn key(state: &KeyState, route: &Route, number: &str) -> Option<Status> {
    let consumer = format!("projects/{number}");
    Some(match state {
        KeyState::Valid => return None,
        KeyState::Invalid => api_key_invalid("API key not valid. Please pass a valid API key."),
        KeyState::InvalidUntyped => {
            api_key_invalid("API key not valid. Please pass a valid API key.").untyped()
        }
        KeyState::NotFound => Status::bad_request("API Key not found. Please pass a valid API key."),
        KeyState::Expired => api_key_invalid("API key expired. Please renew the API key."),
        KeyState::Leaked => {
            Status::denied("Your API key was reported as leaked. Please use another API key.")
        }
        KeyState::ServiceBlocked => {
            let method = route.rpc_method();
            Status::denied(format!("Requests to this API {SERVICE} method {method} are blocked.")).details([
                error_info(
                    "API_KEY_SERVICE_BLOCKED",
                    &json!({
                        "consumer": consumer, "service": SERVICE, "apiName": SERVICE, "methodName": method,
                    }),
                ),
            ])
        }
        KeyState::ReferrerBlocked => {
            Status::denied("Requests from referer <empty> are blocked.").details([error_info(
                "API_KEY_HTTP_REFERRER_BLOCKED",
                &json!({"service": SERVICE, "consumer": consumer, "httpReferrer": "<empty>"}),
            )])
        }
        KeyState::IpBlocked => Status::denied(
            "The provided API key has an IP address restriction. The originating IP address of the call \
             (127.0.0.1) violates this restriction.",
        )
        .details([error_info(
            "API_KEY_IP_ADDRESS_BLOCKED",
            &json!({"service": SERVICE, "consumer": consumer, "callerIp": "127.0.0.1"}),
        )]),
        KeyState::BadAuthKey => Status::bad_request("Invalid Auth key."),
        KeyState::TokenTypeUnsupported => token_type(route),
        KeyState::NoPermission { operation } if operation == route.operation() => Status::canonical(403),
        KeyState::NoPermission { .. } => return None,
    })
}

fn api_key_invalid(message: &str) -> Status {
    Status::bad_request(message)
        .details([error_info("API_KEY_INVALID", &json!({"service": SERVICE})), localized(message)])
}

/// The error for a project in this state, or `None` when it may pass. `secret` is the caller's key: one of the
/// recorded messages repeats it.
pub(crate) fn project(state: ProjectState, route: &Route, number: &str, secret: &str) -> Option<Status> {
    let consumer = format!("projects/{number}");
    Some(match state {
        ProjectState::Ok => return None,
        ProjectState::PrepayDepleted if !route.generates() => return None,
        ProjectState::PrepayDepleted => prepay_depleted(),
        ProjectState::LocationBlocked => location_blocked(),
        ProjectState::LocationNeedsBilling => Status::new(
            400,
            "FAILED_PRECONDITION",
            "User location is not supported for the API use without a billing account linked.",
        ),
        ProjectState::Denied => {
            Status::denied("Your project has been denied access. Please contact support.")
        }
        ProjectState::Suspended => Status::denied(format!(
            "Permission denied: Consumer 'api_key:{secret}' has been suspended."
        ))
        .details([error_info(
            "CONSUMER_SUSPENDED",
            &json!({
                "consumer": consumer, "service": SERVICE, "containerInfo": format!("api_key:{secret}"),
            }),
        )]),
        ProjectState::ServiceDisabled => {
            let url =
                format!("https://console.developers.google.com/apis/api/{SERVICE}/overview?project={number}");
            let message = format!(
                "Generative Language API has not been used in project {number} before or it is disabled. Enable \
                 it by visiting {url} then retry. If you enabled this API recently, wait a few minutes for the \
                 action to propagate to our systems and retry."
            );
            Status::denied(message.clone()).details([
                error_info(
                    "SERVICE_DISABLED",
                    &json!({
                        "consumer": consumer, "service": SERVICE, "activationUrl": url,
                        "serviceTitle": "Generative Language API", "containerInfo": number,
                    }),
                ),
                localized(&message),
                detail(
                    "Help",
                    json!({"links": [{"description": "Google developers console API activation", "url": url}]}),
                ),
            ])
        }
    })
}

/// The billing account's prepaid money is spent.
pub(crate) fn prepay_depleted() -> Status {
    Status::new(
        429,
        "RESOURCE_EXHAUSTED",
        "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage \
         your project and billing.",
    )
}

/// The caller's address is in a country without the API.
pub(crate) fn location_blocked() -> Status {
    Status::new(400, "FAILED_PRECONDITION", "User location is not supported for the API use.")
}

/// A file of another project, or none at all: the two look alike.
pub(crate) fn foreign_file(id: &str) -> Status {
    Status::denied(format!("You do not have permission to access the File {id} or it may not exist."))
}

/// A cached content of another project, or none at all.
pub(crate) fn foreign_cache() -> Status {
    Status::denied("CachedContent not found (or permission denied)")
}

/// A model the server does not know, or knows but not for this operation.
pub(crate) fn unknown_model(route: &Route) -> Status {
    let (model, version, operation) = (route.model(), route.version(), route.operation());
    Status::new(
        404,
        "NOT_FOUND",
        format!(
            "models/{model} is not found for API version {version}, or is not supported for {operation}. Call \
             ModelService.ListModels to see the list of available models and their supported methods."
        ),
    )
}

/// A model closed to projects that never used it.
pub(crate) fn retired_model(route: &Route) -> Status {
    Status::new(
        404,
        "NOT_FOUND",
        format!(
            "This model models/{} is no longer available to new users. Please update your code to use a newer \
             model for the latest features and improvements.",
            route.model()
        ),
    )
}

/// More input tokens than the model reads.
pub(crate) fn input_too_long(limit: u64) -> Status {
    Status::bad_request(format!(
        "The input token count exceeds the maximum number of tokens allowed ({limit})."
    ))
}
