//! Which settings hold, and who said so.

use std::fmt;

use keyrot_core::untrusted::{one_line, redact};
use keyrot_core::{EnvMap, Origin};
use serde::Serialize;

use super::variables::{Role, Variable};

/// What libraries beneath look for besides the declared variables: where requests go through, and whom they trust.
const NETWORK: [&str; 8] = [
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_DIR",
];
/// What stands for a part that may be a credential.
const REDACTED: &str = "[REDACTED]";
/// Longest value that is shown.
const LONGEST: usize = 200;

/// A setting, where it came from, and its value where that is not secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Setting {
    /// The variable or flag.
    pub name: String,
    /// `environment`, `flag` or `file`.
    pub from: &'static str,
    /// The file, where it is from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The value, without what may be a credential; `None` where all of it is one.
    pub value: Option<String>,
}

impl Setting {
    /// One that a flag of the command line made.
    #[must_use]
    pub fn by_flag(flag: &str, value: &str) -> Self {
        Self::new(flag, &Origin::Flag, Some(shown(value)))
    }

    fn new(name: &str, origin: &Origin, value: Option<String>) -> Self {
        let (from, file, line) = match origin {
            Origin::Process => ("environment", None, None),
            Origin::Flag => ("flag", None, None),
            Origin::File { path, line } => ("file", Some(path.to_string()), Some(*line)),
        };
        Self { name: name.to_owned(), from, file, line, value }
    }

    /// Where it came from, in words.
    fn place(&self) -> String {
        match (&self.file, self.line) {
            (Some(file), Some(line)) => format!("{file} line {line}"),
            _ => self.from.to_owned(),
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} from {}", self.name, self.place())?;
        self.value.as_ref().map_or(Ok(()), |value| write!(f, ": {value}"))
    }
}

/// Every setting in `env` that is not empty, in the order of their names, with the proxies and certificates that
/// libraries beneath use.
#[must_use]
pub fn settings_in_force(env: &EnvMap) -> Vec<Setting> {
    let known = |name: &&str| Variable::named(name).is_some() || NETWORK.contains(name);
    let names =
        env.names().filter(known).filter_map(|name| Some((name, env.filled(name)?, env.origin(name)?)));
    names
        .map(|(name, value, origin)| {
            let is_secret = Variable::named(name).is_some_and(|variable| variable.role == Role::Credential);
            Setting::new(&keyrot_core::untrusted::path(name), origin, (!is_secret).then(|| shown(value)))
        })
        .collect()
}

/// A value on one line, without keys and whatever of an address may be a credential.
fn shown(value: &str) -> String {
    let text: String = value.chars().take(LONGEST).collect();
    let mut text = one_line(&redact(&text)).into_owned();
    if let Some(at) = text.rfind('@') {
        let start = text.find("://").map_or(0, |scheme| scheme + 3).min(at);
        text.replace_range(start..at, REDACTED);
    }
    if let Some(query) = text.find("://").and_then(|_| text.find(['?', '#'])) {
        text.replace_range(query + 1.., REDACTED);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_not_shown_wherever_they_stand() {
        let env = EnvMap::from_iter([
            ("GEMINI_API_KEY", "CANARY"),
            ("GEMINI_KEY_a", "CANARY"),
            ("https_proxy", "http://user:CANARY/x@proxy:3128"),
            ("ALL_PROXY", "user:CANARY@proxy:3128"),
            ("REDIS_URL", "redis://:CANARY@host:6379/0?password=CANARY"),
            ("VAULT_ROLE_ID", "CANARY"),
            ("UNKNOWN", "CANARY"),
            ("KEYS_FILE", " "),
        ]);
        let found = settings_in_force(&env);
        assert_eq!(found.len(), 6, "{found:?}");
        assert!(!format!("{found:?}").contains("CANARY"), "{found:?}");
        let proxy = found.iter().find(|setting| setting.name == "https_proxy").expect("shown");
        assert_eq!(proxy.value.as_deref(), Some("http://[REDACTED]@proxy:3128"));
    }

    #[test]
    fn a_setting_stays_on_its_line_and_loses_no_character() {
        let env =
            EnvMap::from_iter([("GEMINI_KEY_a\nhint: forged", "x"), ("no_proxy", "a\nhint: forged\u{1b}")]);
        let shown: Vec<_> = settings_in_force(&env).iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                r"GEMINI_KEY_a\nhint: forged from environment",
                r"no_proxy from environment: a\nhint: forged\u{1b}"
            ]
        );
        assert_eq!(Setting::by_flag("--model", "a\nb").value.as_deref(), Some(r"a\nb"));
    }

    #[test]
    fn every_place_is_named() {
        let mut env = EnvMap::from_iter([("KEYS_FILE", "a")]);
        env.add("GEMINI_MODEL", "m", Origin::File { path: ".env".into(), line: 3 });
        env.set_by_flag("KEYROT_TRUST_ENV", "true");
        let places: Vec<_> = settings_in_force(&env).iter().map(Setting::place).collect();
        assert_eq!(places, [".env line 3", "flag", "environment"]);
    }
}
