//! Where a request goes: version, operation and model, read from its method, path and query.

/// API versions served, all alike.
const VERSIONS: [&str; 3] = ["v1", "v1beta", "v1alpha"];

/// What is asked of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Generate,
    Stream {
        sse: bool,
    },
    CountTokens,
    ListModels {
        page_size: Option<String>,
        page_token: Option<String>,
    },
    GetModel,
    /// A method of models that this server does not know.
    Other(String),
    /// No such page; answered by the front end in HTML.
    Nowhere,
}

/// A request's destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    target: Target,
    version: String,
    model: String,
}

impl Route {
    /// Reads the destination; whatever makes no sense goes nowhere.
    pub(crate) fn parse(method: &str, path: &str, query: &str) -> Self {
        let path = percent_decode(path);
        let mut segments = path.trim_start_matches('/').splitn(3, '/');
        let version = segments.next().unwrap_or_default();
        let (collection, rest) = (segments.next().unwrap_or_default(), segments.next());
        if !VERSIONS.contains(&version) || collection != "models" {
            return Self { target: Target::Nowhere, version: version.to_owned(), model: String::new() };
        }
        let (model, verb) = match rest {
            None => ("", None),
            Some(rest) => rest.split_once(':').map_or((rest, None), |(model, verb)| (model, Some(verb))),
        };
        let target = match (method, model.is_empty(), verb) {
            ("POST", false, Some("generateContent")) => Target::Generate,
            ("POST", false, Some("streamGenerateContent")) => {
                Target::Stream { sse: query_value(query, "alt").as_deref() == Some("sse") }
            }
            ("POST", false, Some("countTokens")) => Target::CountTokens,
            ("POST", false, Some(other)) => Target::Other(other.to_owned()),
            ("GET", true, None) => Target::ListModels {
                page_size: query_value(query, "pageSize"),
                page_token: query_value(query, "pageToken"),
            },
            ("GET", false, None) => Target::GetModel,
            _ => Target::Nowhere,
        };
        Self { target, version: version.to_owned(), model: model.to_owned() }
    }

    /// The operation as the log names it.
    pub(crate) fn operation(&self) -> &str {
        match &self.target {
            Target::Generate => "generateContent",
            Target::Stream { .. } => "streamGenerateContent",
            Target::CountTokens => "countTokens",
            Target::ListModels { .. } => "models.list",
            Target::GetModel => "models.get",
            Target::Other(verb) => verb,
            Target::Nowhere => "",
        }
    }

    /// The gRPC method behind the operation, as error metadata names it.
    pub(crate) fn rpc_method(&self) -> String {
        let (service, method) = match &self.target {
            Target::ListModels { .. } => ("ModelService", "ListModels".to_owned()),
            Target::GetModel => ("ModelService", "GetModel".to_owned()),
            _ => {
                let mut chars = self.operation().chars();
                let head = chars.next().map(|first| first.to_ascii_uppercase());
                ("GenerativeService", head.into_iter().chain(chars).collect())
            }
        };
        format!("google.ai.generativelanguage.{}.{service}.{method}", self.version)
    }

    /// The API version; for an unknown page whatever stood in its place.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// The model asked for, without `models/`; empty when the path names none.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// Whether the operation draws on generation quota.
    pub(crate) const fn generates(&self) -> bool {
        matches!(self.target, Target::Generate | Target::Stream { .. })
    }

    /// Whether the answer is a stream of chunks.
    pub(crate) const fn streams(&self) -> bool {
        matches!(self.target, Target::Stream { .. })
    }

    /// Whether answer and errors come as a JSON array.
    pub(crate) const fn in_array(&self) -> bool {
        matches!(self.target, Target::Stream { sse: false })
    }

    pub(crate) const fn counts_tokens(&self) -> bool {
        matches!(self.target, Target::CountTokens)
    }

    /// Whether the path names a known model method: such a request has a body and a model to look up.
    pub(crate) const fn is_model_method(&self) -> bool {
        self.generates() || self.counts_tokens()
    }

    pub(crate) const fn gets_model(&self) -> bool {
        matches!(self.target, Target::GetModel)
    }

    pub(crate) const fn leads_nowhere(&self) -> bool {
        matches!(self.target, Target::Nowhere)
    }

    /// `pageSize` and `pageToken` of a model listing.
    pub(crate) fn page(&self) -> Option<(Option<&str>, Option<&str>)> {
        match &self.target {
            Target::ListModels { page_size, page_token } => {
                Some((page_size.as_deref(), page_token.as_deref()))
            }
            _ => None,
        }
    }
}

/// The decoded value of a query parameter, the first if repeated.
pub(crate) fn query_value(query: &str, name: &str) -> Option<String> {
    query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (percent_decode(key) == name).then(|| percent_decode(&value.replace('+', " ")))
    })
}

/// Decodes `%XX`; a stray percent sign stays as it is, bytes that are not UTF-8 become U+FFFD.
fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = |offset: usize| bytes.get(at + offset).and_then(|&digit| char::from(digit).to_digit(16));
        match (byte, hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_method_is_found_under_every_version_and_encoding() {
        for path in [
            "/v1/models/m:generateContent",
            "/v1beta/models/m%3AgenerateContent",
            "/v1alpha/models/m%3agenerateContent",
        ] {
            let route = Route::parse("POST", path, "");
            assert_eq!((route.operation(), route.model()), ("generateContent", "m"), "{path}");
        }
    }

    #[test]
    fn streaming_is_sse_only_when_asked() {
        let route = |query| Route::parse("POST", "/v1/models/m:streamGenerateContent", query);
        assert!(!route("alt=sse").in_array());
        assert!(route("").in_array());
        assert!(route("alt=json&x").in_array());
    }

    #[test]
    fn anything_else_leads_nowhere() {
        for (method, path) in [
            ("GET", "/"),
            ("GET", "/v1beta"),
            ("POST", "/v2/models/m:generateContent"),
            ("GET", "/v1/models/m:generateContent"),
            ("POST", "/v1/models"),
            ("POST", "/v1/models/m"),
            ("POST", "/v1/models/:generateContent"),
            ("GET", "/%ff%zz"),
        ] {
            assert!(Route::parse(method, path, "").leads_nowhere(), "{method} {path}");
        }
    }

    #[test]
    fn the_rpc_method_follows_version_and_operation() {
        let route = Route::parse("POST", "/v1beta/models/m:streamGenerateContent", "alt=sse");
        assert_eq!(
            route.rpc_method(),
            "google.ai.generativelanguage.v1beta.GenerativeService.StreamGenerateContent"
        );
    }
}
