//! The recorded refusals but 429, each with its outcome.

use keyrot_core::{KeyFault, Outcome, ProjectFault};
use serde_json::{Value, json};

use super::{denied_by_hint, indebted_by_hint, project, rejected, rejected_by_hint, restricted};

fn info(reason: &str, metadata: &Value) -> Value {
    json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason, "domain": "googleapis.com", "metadata": metadata
    })
}

/// Status, rpc status, message, details, outcome: the rows of the page of wire facts.
pub(super) fn recorded() -> Vec<(u16, &'static str, &'static str, Vec<Value>, Outcome)> {
    use KeyFault::{Expired, Invalid, Leaked, Unauthenticated};
    use Outcome::{
        AffinityMiss, BadRequest, LocationBlocked, ModelGated, ModelNotFound, OperationDenied, Overloaded,
        ServerError,
    };
    use ProjectFault::{Billing, Denied, ServiceDisabled, Suspended};
    let service = || json!({"service": "generativelanguage.googleapis.com"});
    let consumer =
        || json!({"service": "generativelanguage.googleapis.com", "consumer": "projects/123456789"});
    let number = Some("123456789");
    let localized = json!({
        "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
        "locale": "en-US", "message": "API key not valid. Please pass a valid API key."
    });
    let argument = "INVALID_ARGUMENT";
    let denied = "PERMISSION_DENIED";
    let mut rows = vec![
        (
            400,
            argument,
            "API key not valid. Please pass a valid API key.",
            vec![info("API_KEY_INVALID", &service()), localized],
            rejected(Invalid),
        ),
        (
            400,
            argument,
            "API key expired. Please renew the API key.",
            vec![info("API_KEY_INVALID", &service())],
            rejected(Expired),
        ),
        (400, argument, "API key expired. Please renew the API key.", vec![], rejected(Expired)),
        // A key that is minutes old gets these as well.
        (
            400,
            argument,
            "API Key not found. Please pass a valid API key.",
            vec![info("API_KEY_INVALID", &service())],
            rejected_by_hint(Invalid),
        ),
        (400, argument, "API Key not found. Please pass a valid API key.", vec![], rejected_by_hint(Invalid)),
        (403, denied, "API key not found", vec![], rejected_by_hint(Invalid)),
        (400, argument, "Invalid Auth key.", vec![], rejected(Invalid)),
        (
            401,
            "UNAUTHENTICATED",
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project.",
            vec![info(
                "ACCESS_TOKEN_TYPE_UNSUPPORTED",
                &json!({"method": "google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent", "service": "generativelanguage.googleapis.com"}),
            )],
            rejected(Unauthenticated),
        ),
        (401, "UNAUTHENTICATED", "Something new.", vec![], rejected_by_hint(Unauthenticated)),
        (
            401,
            "UNAUTHENTICATED",
            "Expired.",
            vec![info("ACCESS_TOKEN_EXPIRED", &consumer())],
            rejected(Expired),
        ),
        (
            401,
            "UNAUTHENTICATED",
            "Request is missing required authentication credential. Expected …",
            vec![info("CREDENTIALS_MISSING", &service())],
            BadRequest,
        ),
        (402, "", "Payment required.", vec![], indebted_by_hint()),
        (402, "", "Your prepayment credits are depleted.", vec![], project(Billing, None)),
        (
            403,
            denied,
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
            vec![],
            BadRequest,
        ),
        (
            403,
            denied,
            "Your API key was reported as leaked. Please use another API key.",
            vec![],
            rejected(Leaked),
        ),
        (
            403,
            denied,
            "Requests to this API generativelanguage.googleapis.com method google.ai.generativelanguage.v1beta.GenerativeService.StreamGenerateContent are blocked.",
            vec![info("API_KEY_SERVICE_BLOCKED", &consumer())],
            restricted(number),
        ),
        (
            403,
            denied,
            "Requests to this API generativelanguage.googleapis.com method google.ai.generativelanguage.v1beta.GenerativeService.StreamGenerateContent are blocked.",
            vec![],
            restricted(None),
        ),
        (
            403,
            denied,
            "Requests from referer <empty> are blocked.",
            vec![info("API_KEY_HTTP_REFERRER_BLOCKED", &json!({"httpReferrer": "<empty>"}))],
            restricted(None),
        ),
        (403, denied, "Requests from referer <empty> are blocked.", vec![], restricted(None)),
        (403, denied, "…", vec![info("API_KEY_IP_ADDRESS_BLOCKED", &consumer())], restricted(number)),
        (403, denied, "…", vec![info("API_KEY_ANDROID_APP_BLOCKED", &consumer())], restricted(number)),
        (403, denied, "…", vec![info("API_KEY_IOS_APP_BLOCKED", &consumer())], restricted(number)),
        (
            403,
            denied,
            "Generative Language API has not been used in project 123456789 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/… then retry.",
            vec![info("SERVICE_DISABLED", &consumer())],
            project(ServiceDisabled, number),
        ),
        (
            403,
            denied,
            "Generative Language API has not been used in project 123456789 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/… then retry.",
            vec![],
            project(ServiceDisabled, number),
        ),
        (
            403,
            denied,
            "Your project has been denied access. Please contact support.",
            vec![],
            denied_by_hint(),
        ),
        (
            403,
            denied,
            "Permission denied: Consumer 'api_key:AIzaSyFAKE' has been suspended.",
            vec![info("CONSUMER_SUSPENDED", &consumer())],
            project(Suspended, number),
        ),
        (
            403,
            denied,
            "Permission denied: Consumer 'api_key:AIzaSyFAKE' has been suspended.",
            vec![],
            project(Suspended, None),
        ),
        (403, denied, "The caller does not have permission", vec![], OperationDenied),
        (
            403,
            denied,
            "You do not have permission to access the File abc123 or it may not exist.",
            vec![],
            AffinityMiss,
        ),
        (403, denied, "CachedContent not found (or permission denied)", vec![], AffinityMiss),
        (403, denied, "Something new.", vec![], BadRequest),
        (
            404,
            "NOT_FOUND",
            "models/gemini-9 is not found for API version v1beta, or is not supported for generateContent. Call ModelService.ListModels to see the list of available models and their supported methods.",
            vec![],
            ModelNotFound,
        ),
        (
            404,
            "NOT_FOUND",
            "models/gemini-9 is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models and their supported methods.",
            vec![],
            ModelNotFound,
        ),
        (
            404,
            "NOT_FOUND",
            "This model models/gemini-2.5-flash is no longer available to new users. Please update your code to use a newer model for the latest features and improvements.",
            vec![],
            ModelGated,
        ),
        (
            404,
            "NOT_FOUND",
            "This model models/gemini-1.5-flash is no longer available. Please update your code to use a newer model.",
            vec![],
            ModelNotFound,
        ),
        (
            404,
            "NOT_FOUND",
            "Model is not found: models/gemini-9 for api version v1beta",
            vec![],
            ModelNotFound,
        ),
        (404, "NOT_FOUND", "Requested entity was not found.", vec![], BadRequest),
        (
            400,
            "FAILED_PRECONDITION",
            "User location is not supported for the API use.",
            vec![],
            LocationBlocked,
        ),
        (
            400,
            "FAILED_PRECONDITION",
            "User location is not supported for the API use without a billing account linked.",
            vec![],
            project(Billing, None),
        ),
        (
            400,
            "FAILED_PRECONDITION",
            "Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.",
            vec![],
            project(Billing, None),
        ),
        (499, "CANCELLED", "The operation was cancelled.", vec![], ServerError { status: 499 }),
        (
            500,
            "INTERNAL",
            "An internal error has occurred. Please retry or report in https://developers.generativeai.google/guide/troubleshooting",
            vec![],
            ServerError { status: 500 },
        ),
        (500, "INTERNAL", "Internal error encountered.", vec![], ServerError { status: 500 }),
        (503, "UNAVAILABLE", "The model is overloaded. Please try again later.", vec![], Overloaded),
        (
            503,
            "UNAVAILABLE",
            "This model is currently experiencing high demand. Spikes in demand are usually temporary. Please try again later.",
            vec![],
            Overloaded,
        ),
        (503, "UNAVAILABLE", "Deadline expired before operation could complete.", vec![], Overloaded),
        (504, "DEADLINE_EXCEEDED", "Deadline expired before operation could complete.", vec![], Overloaded),
        (501, "UNIMPLEMENTED", "Operation is not implemented.", vec![], ServerError { status: 501 }),
        (409, "ABORTED", "…", vec![], BadRequest),
        (418, "", "…", vec![], BadRequest),
        (599, "", "…", vec![], ServerError { status: 599 }),
    ];
    for (reason, fault) in [
        ("BILLING_DISABLED", Billing),
        ("CONSUMER_INVALID", Denied),
        ("USER_PROJECT_DENIED", Denied),
        ("RESOURCE_QUOTA_EXCEEDED", Denied),
        ("SECURITY_POLICY_VIOLATED", Denied),
        ("LOCATION_TAX_POLICY_VIOLATED", Denied),
    ] {
        rows.push((403, denied, "…", vec![info(reason, &consumer())], project(fault, number)));
    }
    for message in [
        "The input token count exceeds the maximum number of tokens allowed (1048576).",
        "Request contains an invalid argument.",
        "Invalid JSON payload received. Unknown name \"x\": Cannot find field.",
        "Function call is missing a thought_signature in functionCall parts. …",
        "Invalid thought signature.",
        "Thought signature is not valid",
        "Cached content is too small. total_token_count=16, min_total_token_count=1024",
        "CachedContent can not be used with GenerateContent request setting system_instruction, tools or tool_config.…",
        "Request payload size exceeds the limit: 20971520 bytes.",
    ] {
        rows.push((400, argument, message, vec![], BadRequest));
    }
    rows
}
