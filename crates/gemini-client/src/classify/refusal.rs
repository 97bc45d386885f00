//! Every refusal: status, reason and prose to [`Outcome`]. 429 is [`quota`](super::quota)'s.

use keyrot_core::Evidence::{self, Hinted, Named};
use keyrot_core::{Deadline, KeyFault, Outcome, ProjectFault};

use super::{Envelope, Head, quota};

/// What an error object under this status means.
pub(super) fn outcome(head: &Head<'_>, error: &Envelope) -> Outcome {
    let status = head.status;
    match status {
        504 if head.callers_deadline() => Outcome::OwnDeadline(Deadline::Caller),
        // The same text as a 503.
        503 if head.callers_deadline() && error.message.starts_with("Deadline expired") => {
            Outcome::OwnDeadline(Deadline::Caller)
        }
        400 => named(error).unwrap_or(Outcome::BadRequest),
        401 => named(error).unwrap_or(rejected(KeyFault::Unauthenticated, Hinted)),
        402 => named(error).unwrap_or_else(|| project(ProjectFault::Billing, payment(error), error)),
        403 => named(error).unwrap_or(Outcome::BadRequest),
        404 => not_found(error),
        429 => quota::outcome(head, error),
        408 | 499 => Outcome::ServerError { status },
        503 | 504 => Outcome::Overloaded,
        405..=498 => Outcome::BadRequest,
        _ => Outcome::ServerError { status },
    }
}

fn named(error: &Envelope) -> Option<Outcome> {
    by_reason(error).or_else(|| by_message(error))
}

fn rejected(fault: KeyFault, evidence: Evidence) -> Outcome {
    Outcome::KeyRejected { fault, evidence }
}

pub(super) fn project(fault: ProjectFault, evidence: Evidence, error: &Envelope) -> Outcome {
    Outcome::ProjectRejected { fault, number: error.project_number(), evidence }
}

/// How well a 402 proves that the project owes: a gateway's own account may be meant.
fn payment(error: &Envelope) -> Evidence {
    let named = error.word.as_deref() == Some("payment_required") || out_of_credit(error);
    if named { Named } else { Hinted }
}

/// Whether the message says that prepaid credit is used up.
pub(super) fn out_of_credit(error: &Envelope) -> bool {
    error.message.contains("prepayment credits are depleted")
}

/// By the machine-readable reason. Where an answer names several, the narrowest damage is not
/// assumed: a dead key is dead whatever else is wrong.
fn by_reason(error: &Envelope) -> Option<Outcome> {
    let is = |name: &str| error.reason(|reason| reason == name);
    let fault = if is("API_KEY_INVALID") && says_key_not_found(&error.message) {
        return Some(rejected(KeyFault::Invalid, Hinted));
    } else if is("API_KEY_INVALID") {
        let expired = error.message.starts_with("API key expired");
        return Some(rejected(if expired { KeyFault::Expired } else { KeyFault::Invalid }, Named));
    } else if error.reason(|reason| reason.starts_with("API_KEY_") && reason.ends_with("_BLOCKED")) {
        return Some(Outcome::KeyRestricted { number: error.project_number() });
    } else if is("ACCESS_TOKEN_EXPIRED") {
        // The token is the key: its project's other keys are not meant.
        return Some(rejected(KeyFault::Expired, Named));
    } else if error.reason(|reason| reason.starts_with("ACCESS_TOKEN_")) {
        return Some(rejected(KeyFault::Unauthenticated, Named));
    } else if is("CREDENTIALS_MISSING") {
        // No key was sent: a bug of the program, not of any key.
        return Some(Outcome::BadRequest);
    } else if is("SERVICE_DISABLED") {
        ProjectFault::ServiceDisabled
    } else if is("CONSUMER_SUSPENDED") {
        ProjectFault::Suspended
    } else if is("BILLING_DISABLED") {
        ProjectFault::Billing
    } else if error.reason(|reason| DENIALS.contains(&reason)) {
        ProjectFault::Denied
    } else {
        return None;
    };
    Some(project(fault, Named, error))
}

/// Reasons that put a whole project out without saying more.
const DENIALS: [&str; 5] = [
    "CONSUMER_INVALID",
    "USER_PROJECT_DENIED",
    "RESOURCE_QUOTA_EXCEEDED",
    "SECURITY_POLICY_VIOLATED",
    "LOCATION_TAX_POLICY_VIOLATED",
];

/// By the start of the message, for the refusals that come without details.
fn by_message(error: &Envelope) -> Option<Outcome> {
    let message = error.message.as_str();
    let starts = |prefix: &str| message.starts_with(prefix);
    let fault = if says_key_not_found(message) {
        return Some(rejected(KeyFault::Invalid, Hinted));
    } else if starts("API key not valid") || starts("Invalid Auth key") {
        return Some(rejected(KeyFault::Invalid, Named));
    } else if starts("API key expired") {
        return Some(rejected(KeyFault::Expired, Named));
    } else if starts("Your API key was reported as leaked") {
        return Some(rejected(KeyFault::Leaked, Named));
    } else if starts("Method doesn't allow unregistered callers")
        || starts("Request is missing required authentication credential")
    {
        return Some(Outcome::BadRequest);
    } else if (starts("Requests to this API ") || starts("Requests from "))
        && message.ends_with("are blocked.")
    {
        return Some(Outcome::KeyRestricted { number: error.project_number() });
    } else if starts("The caller does not have permission") {
        return Some(Outcome::OperationDenied);
    } else if starts("You do not have permission to access the File") || starts("CachedContent not found") {
        return Some(Outcome::AffinityMiss);
    } else if starts("User location is not supported for the API use without a billing account") {
        // A project with billing on would be served from here.
        ProjectFault::Billing
    } else if starts("User location is not supported") {
        return Some(Outcome::LocationBlocked);
    } else if starts("Generative Language API has not been used in project") {
        ProjectFault::ServiceDisabled
    } else if starts("Your project has been denied access") {
        // A project that was denied one model or one tier gets the same text.
        return Some(project(ProjectFault::Denied, Hinted, error));
    } else if starts("Permission denied: Consumer ") && message.ends_with("has been suspended.") {
        ProjectFault::Suspended
    } else if starts("Gemini API free tier is not available in your country") {
        // Likewise.
        ProjectFault::Billing
    } else {
        return None;
    };
    Some(project(fault, Named, error))
}

/// Whether a text begins as Google's does of a key that it does not know, or does not know yet: a
/// key minutes old gets it as well.
pub(super) fn says_key_not_found(text: &str) -> bool {
    const WORDS: &str = "API key not found";
    let text = text.trim_start().trim_start_matches('"');
    text.get(..WORDS.len()).is_some_and(|start| start.eq_ignore_ascii_case(WORDS))
}

fn not_found(error: &Envelope) -> Outcome {
    let message = error.message.as_str();
    // Google closes older models project by project: "… is no longer available to new users".
    if message.contains("no longer available to new users") {
        return Outcome::ModelGated;
    }
    let model = error.word.as_deref() == Some("model_not_found")
        || message.contains("Call ListModels")
        || message.contains("Call ModelService.ListModels")
        || message.contains("is not found for API version")
        || message.starts_with("Model is not found: ")
        || message.contains("is no longer available");
    if model {
        Outcome::ModelNotFound
    } else if message.starts_with("CachedContent not found") {
        Outcome::AffinityMiss
    } else {
        Outcome::BadRequest
    }
}
