//! Settings, read out of the environment and checked.

use std::fmt;

use aws_credential_types::Credentials;
use keyrot_core::{EnvMap, SecretError, leak};
use url::Url;

use crate::name;

/// As `SECRET_STORE_TYPE` names this store.
pub(crate) const STORE: &str = "aws";
/// The fields of a JSON secret that a key is looked for in, in this order.
pub(crate) const FIELDS: [&str; 2] = ["api_key", "value"];

const DEFAULT_PREFIX: &str = "keyrot/";

/// What the environment says; what it does not say, the SDK looks for by itself.
#[derive(Clone)]
pub(crate) struct Settings {
    /// What stands before a key's label in its secret's name.
    pub(crate) prefix: String,
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) credentials: Option<Credentials>,
    /// A proxy for HTTPS, and what is reached without it. The address may hold a password.
    pub(crate) proxy: Option<(String, String)>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { prefix, region, endpoint, profile, credentials: _, proxy: _ } = self;
        f.debug_struct("Settings")
            .field("prefix", prefix)
            .field("region", region)
            .field("endpoint", endpoint)
            .field("profile", profile)
            .finish_non_exhaustive()
    }
}

impl Settings {
    pub(crate) fn read(env: &EnvMap) -> Result<Self, SecretError> {
        // Set and empty means: no prefix.
        let prefix = env.get("AWS_SECRET_PREFIX").map_or(DEFAULT_PREFIX, str::trim);
        if !name::is_spelt(prefix) || leak::looks_like_a_key(prefix) {
            return Err(wrong(
                "AWS_SECRET_PREFIX",
                "no name can begin with it",
                "it has ASCII letters, digits and `/_+=.@-`, as in `keyrot/`",
            ));
        }
        let region = env.filled("AWS_REGION");
        let is_region = |r: &str| r.len() <= 63 && r.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if region.is_some_and(|region| !is_region(region) || leak::looks_like_a_key(region)) {
            return Err(wrong("AWS_REGION", "it is no region", "set it to the likes of `eu-central-1`"));
        }
        let of_service = "AWS_ENDPOINT_URL_SECRETS_MANAGER";
        let endpoint_from = if env.filled(of_service).is_some() { of_service } else { "AWS_ENDPOINT_URL" };
        let endpoint = env.filled(endpoint_from);
        if endpoint.is_some_and(|endpoint| !is_endpoint(endpoint)) {
            return Err(wrong(
                endpoint_from,
                "it is no address of a server",
                "set it to the likes of `https://vpce-1.secretsmanager.eu-central-1.vpce.amazonaws.com`, without \
                 user and password, or unset it for Amazon's own",
            ));
        }
        let either = |upper: &str| env.filled(upper).or_else(|| env.filled(&upper.to_lowercase()));
        let proxy = either("HTTPS_PROXY")
            .map(|proxy| (proxy.to_owned(), either("NO_PROXY").unwrap_or_default().to_owned()));
        Ok(Self {
            prefix: prefix.to_owned(),
            region: region.map(str::to_owned),
            endpoint: endpoint.map(str::to_owned),
            profile: env.filled("AWS_PROFILE").map(str::to_owned),
            credentials: credentials(env)?,
            proxy,
        })
    }
}

/// The keys that the environment holds. The SDK would find those of the process by itself, first of all; these
/// may be of an environment that the process does not have.
fn credentials(env: &EnvMap) -> Result<Option<Credentials>, SecretError> {
    let token = env.filled("AWS_SESSION_TOKEN").map(str::to_owned);
    match (env.filled("AWS_ACCESS_KEY_ID"), env.filled("AWS_SECRET_ACCESS_KEY")) {
        (Some(id), Some(secret)) => Ok(Some(Credentials::new(id, secret, token, None, "environment"))),
        (Some(_), None) => {
            Err(wrong("AWS_SECRET_ACCESS_KEY", "it is unset", "`AWS_ACCESS_KEY_ID` is set: set both"))
        }
        (None, Some(_)) => {
            Err(wrong("AWS_ACCESS_KEY_ID", "it is unset", "`AWS_SECRET_ACCESS_KEY` is set: set both"))
        }
        (None, None) => Ok(None),
    }
}

fn is_endpoint(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        let is_plain = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && is_plain
            && !leak::looks_like_a_key(text)
    })
}

fn wrong(variable: &str, why: &str, hint: &str) -> SecretError {
    SecretError::Misconfigured {
        store: STORE,
        why: format!("`{variable}`: {why}"),
        hint: format!("`{variable}`: {hint}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, SecretError> {
        Settings::read(&pairs.iter().copied().collect())
    }

    #[test]
    fn nothing_has_to_be_set() {
        let settings = read(&[]).expect("the SDK looks for the rest");
        assert_eq!(settings.prefix, "keyrot/");
        assert!(settings.region.is_none() && settings.endpoint.is_none() && settings.credentials.is_none());
        assert_eq!(read(&[("AWS_SECRET_PREFIX", "")]).expect("no prefix").prefix, "");
    }

    #[test]
    fn the_services_own_endpoint_wins() {
        let env = [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:2"),
        ];
        assert_eq!(read(&env).expect("both legal").endpoint.as_deref(), Some("http://127.0.0.1:2"));
    }

    #[test]
    fn what_makes_no_sense_is_named_and_not_repeated() {
        for (name, value) in [
            ("AWS_SECRET_PREFIX", "CANARY prefix"),
            ("AWS_REGION", "CANARY/region"),
            ("AWS_ENDPOINT_URL", "CANARY"),
            ("AWS_ENDPOINT_URL", "ftp://CANARY"),
            ("AWS_ENDPOINT_URL", "https://user:CANARY@host"),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "CANARY"),
        ] {
            let error = read(&[(name, value)]).expect_err(name);
            let said = format!("{error} {error:?}");
            assert!(said.contains(name) && said.contains("hint: ") && !said.contains("CANARY"), "{said}");
        }
    }

    #[test]
    fn half_a_pair_of_keys_names_the_other_half() {
        for (set, missing) in [
            ("AWS_ACCESS_KEY_ID", "`AWS_SECRET_ACCESS_KEY`: it is unset"),
            ("AWS_SECRET_ACCESS_KEY", "`AWS_ACCESS_KEY_ID`: it is unset"),
        ] {
            let error = read(&[(set, "CANARY")]).expect_err(set);
            let said = format!("{error} {error:?}");
            assert!(said.contains(missing) && !said.contains("CANARY"), "{said}");
        }
    }

    #[test]
    fn keys_and_passwords_are_in_no_debug_text() {
        let env = [
            ("AWS_ACCESS_KEY_ID", "CANARY-id"),
            ("AWS_SECRET_ACCESS_KEY", "CANARY-secret"),
            ("AWS_SESSION_TOKEN", "CANARY-token"),
            ("HTTPS_PROXY", "http://user:CANARY@proxy:3128"),
        ];
        let settings = read(&env).expect("legal");
        assert!(!format!("{settings:?}").contains("CANARY"), "{settings:?}");
    }
}
