//! What of a caller's request travels on to Gemini: everything here is a list of what does.
//!
//! A list of what does not would have to know every way to name another credential, another project
//! to bill, or another method; Google adds such ways, and each exists as a header and as a query
//! parameter. Headers that are not listed are dropped: HTTP libraries and proxies add many that no
//! caller chose. Query parameters that are not listed are refused: somebody wrote them on purpose,
//! and without them the request would be another one.

use std::time::Duration;

use http::Method;
use http::header::{self, HeaderMap, HeaderName};
use url::Url;

use crate::delay;

pub(crate) const SERVER_TIMEOUT: HeaderName = HeaderName::from_static("x-server-timeout");

/// Headers are named one by one: with `x-goog-upload-header-*`, for instance, an upload sets any
/// header of the request that stores it. `Accept-Encoding` is missing because nothing here
/// decompresses an answer.
const HEADERS: [HeaderName; 24] = [
    header::CONTENT_TYPE,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::USER_AGENT,
    header::RANGE,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    SERVER_TIMEOUT,
    HeaderName::from_static("x-goog-api-client"),
    HeaderName::from_static("x-goog-fieldmask"),
    // Resumable uploads, as the SDKs of today and the ones before them start and continue them.
    HeaderName::from_static("x-goog-upload-protocol"),
    HeaderName::from_static("x-goog-upload-command"),
    HeaderName::from_static("x-goog-upload-offset"),
    HeaderName::from_static("x-goog-upload-file-name"),
    HeaderName::from_static("x-goog-upload-header-content-length"),
    HeaderName::from_static("x-goog-upload-header-content-type"),
    HeaderName::from_static("x-upload-content-type"),
    HeaderName::from_static("x-upload-content-length"),
    header::CONTENT_RANGE,
];

/// Both spellings of a name are the same to Google; `$alt` and its like are not overrides, but
/// `$httpMethod` and `$httpHeaders` are.
const PARAMETERS: [&str; 24] = [
    "alt",
    "$alt",
    "fields",
    "$fields",
    "prettyPrint",
    "$prettyPrint",
    "pageSize",
    "page_size",
    "pageToken",
    "page_token",
    "filter",
    "updateMask",
    "update_mask",
    "force",
    "returnPartialSuccess",
    "return_partial_success",
    "tunedModelId",
    "tuned_model_id",
    "uploadType",
    "upload_id",
    "upload_protocol",
    // The Interactions API.
    "stream",
    "last_event_id",
    "include_input",
];

/// TRACE would echo the key back, CONNECT would open a tunnel.
const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// The headers that travel on, each as often as it came.
pub(crate) fn headers(given: &HeaderMap) -> HeaderMap {
    given
        .iter()
        .filter(|(name, _)| HEADERS.contains(name))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

/// Checks the method.
pub(crate) fn method(method: &Method) -> Result<(), String> {
    match METHODS.contains(method) {
        true => Ok(()),
        false => Err(format!("the method `{}` is not passed on", shown(method.as_str()))),
    }
}

/// Checks the query's parameters and writes them anew, so that no server reads other names or
/// another number of them out of the same bytes. A fragment is never sent.
pub(crate) fn query(url: &mut Url) -> Result<(), String> {
    url.set_fragment(None);
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    if let Some((name, _)) = pairs.iter().find(|(name, _)| !PARAMETERS.contains(&name.as_str())) {
        return Err(format!("the query parameter `{}` is not passed on", shown(name)));
    }
    url.set_query(None);
    if !pairs.is_empty() {
        url.query_pairs_mut().extend_pairs(pairs);
    }
    Ok(())
}

/// The shortest deadline that the caller set the server, in seconds on the wire.
pub(crate) fn server_timeout(headers: &HeaderMap) -> Option<Duration> {
    headers.get_all(SERVER_TIMEOUT).iter().filter_map(|value| delay::seconds(value.to_str().ok()?)).min()
}

fn shown(name: &str) -> String {
    name.chars().take(40).collect()
}
