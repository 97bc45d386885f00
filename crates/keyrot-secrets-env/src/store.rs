//! The store: a key's label becomes the name of a variable.

use async_trait::async_trait;
use keyrot_core::{EnvMap, Secret, SecretError, SecretStore};
use secrecy::SecretString;

use crate::list::{self, Listed, list};
use crate::single::SINGLE_NAMES;

const STORE: &str = "env";

/// Secrets out of environment variables.
///
/// The secret called `flash_01` is in `GEMINI_KEY_flash_01`. Where that is unset, the name with `_`
/// for `-` is tried, then that in upper case. The labels of `GEMINI_API_KEYS` and the two names of
/// the single key are found as well.
///
/// ```
/// use keyrot_core::EnvMap;
/// use keyrot_secrets_env::EnvStore;
/// let store = EnvStore::new(EnvMap::from_iter([("GEMINI_KEY_FLASH_01", "AIza…")]));
/// ```
#[derive(Debug)]
pub struct EnvStore(EnvMap);

impl EnvStore {
    /// A store over `env`.
    #[must_use]
    pub fn new(env: EnvMap) -> Self {
        Self(env)
    }
}

/// The variable that holds the secret called `name`, if one is set.
#[must_use]
pub fn variable(env: &EnvMap, name: &str) -> Option<String> {
    own_variable(env, name).or_else(|| listed(env, name).map(|_| list::NAME.to_owned()))
}

fn own_variable(env: &EnvMap, name: &str) -> Option<String> {
    if SINGLE_NAMES.contains(&name) {
        return env.get(name).map(|_| name.to_owned());
    }
    let exact = format!("GEMINI_KEY_{name}");
    let plain = format!("GEMINI_KEY_{}", name.replace('-', "_"));
    let upper = plain.to_uppercase();
    [exact, plain, upper].into_iter().find(|variable| env.get(variable).is_some())
}

/// The key called `name` in the list. Warnings and errors of the list were told when the pool was made from it.
fn listed(env: &EnvMap, name: &str) -> Option<Listed> {
    list(env, &mut Vec::new()).unwrap_or_default().into_iter().find(|key| key.id.as_str() == name)
}

#[async_trait]
impl SecretStore for EnvStore {
    /// The environment was read once, at the start.
    fn is_fixed(&self) -> bool {
        true
    }

    async fn fetch(&self, name: &str) -> Result<Secret, SecretError> {
        if let Some(raw) = own_variable(&self.0, name).and_then(|variable| self.0.get(&variable)) {
            return Secret::of(STORE, name, raw);
        }
        listed(&self.0, name).map(|key| Secret::new(key.secret)).ok_or_else(|| SecretError::NotFound {
            store: STORE,
            name: name.to_owned(),
            hint: self.hint(name),
        })
    }

    async fn put(&self, name: &str, _: &SecretString) -> Result<Option<String>, SecretError> {
        let hint =
            format!("set `GEMINI_KEY_{name}` where the programs get their environment, and restart them");
        Err(SecretError::ReadOnly { hint })
    }
}

impl EnvStore {
    fn hint(&self, name: &str) -> String {
        let close = self.0.names().filter(|n| n.starts_with("GEMINI_KEY_")).count();
        let set = if SINGLE_NAMES.contains(&name) { name.to_owned() } else { format!("GEMINI_KEY_{name}") };
        match (close, self.0.get(list::NAME)) {
            (0, None) => format!("set `{set}` in the environment or in `.env`"),
            _ => format!("set `{set}`; {close} other `GEMINI_KEY_…` variables are set"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use secrecy::ExposeSecret;

    fn fetch(env: &[(&str, &str)], name: &str) -> Result<String, SecretError> {
        let store = EnvStore::new(env.iter().copied().collect());
        let secret = store.fetch(name).now_or_never().expect("no waiting")?;
        Ok(secret.value.expose_secret().to_owned())
    }

    #[test]
    fn names_are_tried_exact_then_plain_then_upper() {
        let all = [("GEMINI_KEY_a-b", "1"), ("GEMINI_KEY_a_b", "2"), ("GEMINI_KEY_A_B", "3")];
        for (from, expected) in [(0, "1"), (1, "2"), (2, "3")] {
            assert_eq!(fetch(&all[from..], "a-b").expect("found"), expected);
        }
        assert!(matches!(fetch(&[], "a-b"), Err(SecretError::NotFound { .. })));
    }

    #[test]
    fn listed_and_single_keys_are_found_by_their_labels() {
        let env = [("GEMINI_API_KEYS", "p=one,two"), ("GEMINI_API_KEY", "three")];
        assert_eq!(fetch(&env, "key_02").expect("found"), "two");
        assert_eq!(fetch(&env, "GEMINI_API_KEY").expect("found"), "three");
    }

    #[test]
    fn what_cannot_be_a_key_is_refused_without_being_shown() {
        let error = fetch(&[("GEMINI_KEY_a", "CANARY with spaces")], "a").expect_err("refused");
        assert!(!format!("{error} {error:?}").contains("CANARY"));
    }
}
