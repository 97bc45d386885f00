//! What is answered to which request.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::state::{Mood, State, Version};
use super::{CLIENT, CLIENT_SECRET, FEDERATED, TENANT};

type Answer = Response<Full<Bytes>>;

const PAGE: &str = "<html><body>It works!</body></html>";

/// The answer; `None` when there will be none.
pub(super) fn to(state: &mut State, parts: &Parts, body: &[u8]) -> Option<Answer> {
    let path = parts.uri.path();
    if path == format!("/{TENANT}/oauth2/v2.0/token") {
        state.counts.logins += 1;
        return login(state, body);
    }
    if path.ends_with("/oauth2/v2.0/token") {
        state.counts.logins += 1;
        return Some(refused_login(90_002, "AADSTS90002: Tenant was not found."));
    }
    if path == "/metadata/identity/oauth2/token" || path == "/msi/token" {
        state.counts.probes += 1;
        return machine(state, parts);
    }
    vault(state, parts, body)
}

fn mooded(mood: Mood) -> Option<Option<Answer>> {
    let page = |status: StatusCode| {
        let mut page = Response::new(Full::from(PAGE));
        *page.status_mut() = status;
        Some(page)
    };
    Some(match mood {
        Mood::Silent => None,
        Mood::Babbling => page(StatusCode::OK),
        Mood::Elsewhere => page(StatusCode::NOT_FOUND),
        Mood::Down => Some(failed(503, "ServiceUnavailable", "", "The service is busy.")),
        Mood::Throttling(seconds) => {
            let mut answer =
                failed(429, "Throttled", "", "Request was not processed because too many requests.");
            answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            Some(answer)
        }
        _ => return None,
    })
}

fn login(state: &mut State, body: &[u8]) -> Option<Answer> {
    if let Some(answer) = mooded(state.login) {
        return answer;
    }
    let form: BTreeMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    let by_secret = field("client_secret") == CLIENT_SECRET;
    let by_assertion = field("client_assertion") == FEDERATED
        && field("client_assertion_type") == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    Some(match state.login {
        Mood::Expired => {
            refused_login(7_000_222, "AADSTS7000222: The provided client secret keys are expired.")
        }
        _ if field("client_id") != CLIENT => {
            refused_login(700_016, "AADSTS700016: Application was not found in the directory.")
        }
        Mood::Refusing => refused_login(7_000_215, "AADSTS7000215: Invalid client secret provided."),
        _ if !by_secret && !by_assertion && !field("client_assertion").is_empty() => {
            refused_login(700_213, "AADSTS700213: No matching federated identity record found.")
        }
        _ if !by_secret && !by_assertion => {
            refused_login(7_000_215, "AADSTS7000215: Invalid client secret provided.")
        }
        _ if field("grant_type") != "client_credentials"
            || field("scope") != format!("{}/.default", state.resource) =>
        {
            refused_login(70_011, "AADSTS70011: The provided scope is not valid.")
        }
        _ => {
            let token = state.token();
            said(200, &json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": token }))
        }
    })
}

fn refused_login(code: u32, text: &str) -> Answer {
    let text = format!("{text} Trace ID: 0 Correlation ID: 0");
    said(401, &json!({ "error": "invalid_client", "error_description": text, "error_codes": [code] }))
}

fn machine(state: &mut State, parts: &Parts) -> Option<Answer> {
    if let Some(answer) = mooded(state.machine) {
        return answer;
    }
    let is_marked = parts.headers.get("metadata").is_some_and(|value| value == "true");
    if state.machine != Mood::Well || !is_marked {
        return Some(said(
            400,
            &json!({ "error": "invalid_request", "error_description": "Identity not found" }),
        ));
    }
    let token = state.token();
    Some(said(
        200,
        &json!({ "access_token": token, "expires_on": "4102444800", "resource": state.resource, "token_type": "Bearer" }),
    ))
}

fn vault(state: &mut State, parts: &Parts, body: &[u8]) -> Option<Answer> {
    let token = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|value| value.strip_prefix("Bearer "));
    let known = token.is_some_and(|token| state.tokens.contains(token));
    if token.is_some() && state.vault == Mood::Silent {
        state.counts.waiting += 1;
    }
    if let Some(answer) = mooded(state.vault) {
        return answer;
    }
    if !known || state.vault == Mood::Foreign {
        state.counts.challenges += 1;
        let text = if known {
            "AKV10032: Invalid issuer."
        } else {
            "AKV10000: Request is missing a Bearer or PoP token."
        };
        let mut answer = failed(401, "Unauthorized", "", text);
        let challenge = format!(
            "Bearer authorization=\"https://localhost:{}/{TENANT}\", resource=\"{}\"",
            state.port, state.resource
        );
        if let Ok(challenge) = challenge.parse() {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        return Some(answer);
    }
    if parts.method == Method::GET {
        state.counts.reads += 1;
    } else {
        state.counts.writes += 1;
    }
    let forbidden = |inner, text| Some(failed(403, "Forbidden", inner, text));
    match state.vault {
        Mood::Forbidding => {
            return forbidden("ForbiddenByRbac", "Caller is not authorized to perform action on resource.");
        }
        Mood::WithoutPolicy => {
            return forbidden(
                "AccessDenied",
                "The application does not have secrets get permission on key vault.",
            );
        }
        Mood::Firewalled => {
            return forbidden(
                "ForbiddenByFirewall",
                "Client address is not authorized and caller is not a trusted service.",
            );
        }
        _ => {}
    }
    let path: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
    Some(match (&parts.method, path.as_slice()) {
        (&Method::GET, ["secrets"]) => {
            let all: Vec<Value> = state.names().map(|name| json!({ "id": id(state, name, "") })).collect();
            said(200, &json!({ "value": all, "nextLink": null }))
        }
        (_, [_, name, ..]) if !is_legal(name) => {
            failed(400, "BadParameter", "", "The request URI contains an invalid name.")
        }
        (&Method::GET, ["secrets", name]) => read(state, name, state.newest(name)),
        (&Method::GET, ["secrets", name, id]) => read(state, name, state.version(name, id)),
        (&Method::GET, ["deletedsecrets", name]) if state.is_deleted(name) => said(
            200,
            &json!({ "recoveryId": format!("https://localhost:{}/deletedsecrets/{name}", state.port) }),
        ),
        (&Method::PUT, ["secrets", name]) if state.is_deleted(name) => failed(
            409,
            "Conflict",
            "ObjectIsDeletedButRecoverable",
            "Secret is currently in a deleted but recoverable state, and its name cannot be reused.",
        ),
        (&Method::PUT, ["secrets", name]) => write(state, name, body),
        _ => failed(404, "SecretNotFound", "", "A secret was not found in this key vault."),
    })
}

fn is_legal(name: &str) -> bool {
    (1..=127).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn read(state: &State, name: &str, version: Option<&Version>) -> Answer {
    match version {
        None => failed(404, "SecretNotFound", "", "A secret was not found in this key vault."),
        Some(version) if version.disabled => {
            failed(403, "Forbidden", "SecretDisabled", "Operation get is not allowed on a disabled secret.")
        }
        Some(version) => said(200, &shown(state, name, version)),
    }
}

fn write(state: &mut State, name: &str, body: &[u8]) -> Answer {
    let Ok(sent) = serde_json::from_slice::<Value>(body) else {
        return failed(400, "BadParameter", "", "The request body is no JSON.");
    };
    let Some(value) = sent["value"].as_str().filter(|value| value.len() <= 25_600) else {
        return failed(400, "BadParameter", "", "Property value has invalid value.");
    };
    let tags = sent["tags"].as_object().into_iter().flatten();
    let version = Version {
        value: value.to_owned(),
        content_type: sent["contentType"].as_str().map(str::to_owned),
        tags: tags.filter_map(|(name, tag)| Some((name.clone(), tag.as_str()?.to_owned()))).collect(),
        ..Version::default()
    };
    state.add(name, version);
    read(state, name, state.newest(name))
}

fn id(state: &State, name: &str, version: &str) -> String {
    format!("https://localhost:{}/secrets/{name}/{version}", state.port)
}

fn shown(state: &State, name: &str, version: &Version) -> Value {
    let mut attributes = json!({
        "enabled": true, "created": version.written, "updated": version.written,
        "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": 90,
    });
    for (field, second) in [("nbf", version.not_before), ("exp", version.expires)] {
        if let Some(second) = second {
            attributes[field] = second.into();
        }
    }
    let mut shown =
        json!({ "value": version.value, "id": id(state, name, &version.id), "attributes": attributes });
    if let Some(content_type) = &version.content_type {
        shown["contentType"] = content_type.as_str().into();
    }
    if !version.tags.is_empty() {
        shown["tags"] = json!(version.tags);
    }
    shown
}

fn failed(status: u16, code: &str, inner: &str, text: &str) -> Answer {
    let mut error = json!({ "code": code, "message": text });
    if !inner.is_empty() {
        error["innererror"] = json!({ "code": inner });
    }
    said(status, &json!({ "error": error }))
}

fn said(status: u16, body: &Value) -> Answer {
    let mut answer = Response::new(Full::from(body.to_string()));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    answer
}
