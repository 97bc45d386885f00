//! Which variables hold secrets. They are remembered before anything else happens, so that no text may carry one,
//! whether or not anything in this process uses it.

use keyrot_core::{EnvMap, untrusted};
use secrecy::SecretString;

/// Variables whose whole value is a secret.
const SECRETS: [&str; 8] = [
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "OPENAI_API_KEY",
    "VAULT_TOKEN",
    "VAULT_SECRET_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_CLIENT_SECRET",
];

/// How the names of variables begin whose values are keys; `GEMINI_API_KEYS` is read where lists are read.
const KEY_PREFIX: &str = "GEMINI_KEY_";

/// Variables whose value is a URL that may hold a password. Programs read the proxies in both spellings.
const URLS: [&str; 9] = [
    "REDIS_URL",
    "GEMINI_BASE_URL",
    "GOOGLE_GEMINI_BASE_URL",
    "OPENAI_BASE_URL",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
];

/// Remembers the secrets of `env`.
pub(super) fn remember(env: &EnvMap) {
    let whole = SECRETS.into_iter().chain(env.names().filter(|name| name.starts_with(KEY_PREFIX)));
    let listed = env.filled("GEMINI_API_KEYS").unwrap_or_default().split(',');
    let listed = listed.map(|entry| entry.split_once('=').map_or(entry, |(_, key)| key));
    let passwords = URLS.into_iter().filter_map(|name| password(env.filled(name)?));
    for secret in whole.filter_map(|name| env.filled(name)).chain(listed).chain(passwords) {
        untrusted::remember(&SecretString::from(
            secret.trim_matches(|c: char| c.is_whitespace() || "'\"".contains(c)),
        ));
    }
}

/// The password in a URL, with its escapes.
fn password(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_the_environment_leave_in_no_text() {
        let env = EnvMap::from_iter([
            ("VAULT_TOKEN", "hvs.settings-4Kw9Qz"),
            ("GEMINI_KEY_flash_01", "\"settings-key-Zq8Lw3\""),
            ("GEMINI_API_KEYS", "team=settings-list-Pn5Td1, settings-more-Xc6Rb2"),
            ("REDIS_URL", "rediss://user:settings%2Fpass%40Hj7@host:1/0"),
            ("HTTPS_PROXY", "http://proxy-host.example:3128"),
            ("KEYROT_POOL", "pool-of-ours"),
        ]);
        remember(&env);
        for secret in [
            "hvs.settings-4Kw9Qz",
            "settings-key-Zq8Lw3",
            "settings-list-Pn5Td1",
            "settings-more-Xc6Rb2",
            "settings/pass@Hj7",
            "settings%2Fpass%40Hj7",
        ] {
            assert_eq!(untrusted::redact(secret), "[REDACTED]");
        }
        for name in ["proxy-host.example", "pool-of-ours", "team", "user"] {
            assert_eq!(untrusted::redact(name), name);
        }
    }

    #[test]
    fn a_url_without_a_password_has_none() {
        for url in ["redis://host:1", "redis://host/a:b@c", "nothing", "redis://user@host", "x://"] {
            assert_eq!(password(url), None, "{url}");
        }
        assert_eq!(password("redis://:p:w@h"), Some("p:w"));
    }
}
