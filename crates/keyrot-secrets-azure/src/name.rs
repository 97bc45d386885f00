//! Names: what Key Vault allows, and what becomes of a key's label.

use std::collections::HashMap;

use keyrot_core::{KeyId, SecretError};

/// The store, as `SECRET_STORE_TYPE` names it.
pub(crate) const STORE: &str = "azure";
/// The most characters a name may have.
const MOST: usize = 127;

/// The name of the secret of `key`: Key Vault has no `_`, so that becomes `-`.
pub(crate) fn of(key: &KeyId) -> Result<String, SecretError> {
    let name = key.as_str().replace('_', "-");
    check(&name).map(|()| name)
}

/// Refuses a name that no vault can hold, before a vault is asked.
pub(crate) fn check(name: &str) -> Result<(), SecretError> {
    let why = if name.is_empty() {
        "a secret's name is empty".to_owned()
    } else if name.len() > MOST {
        format!("a secret's name has {} characters, more than {MOST}", name.len())
    } else if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Ok(());
    } else {
        format!("`{name}` cannot be a secret's name")
    };
    Err(SecretError::Misconfigured {
        store: STORE,
        why,
        hint: format!("use 1 to {MOST} of the characters A-Z, a-z, 0-9 and `-`, as in `azure:flash-01`"),
    })
}

/// Two keys that would share one secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collision {
    /// The one that comes first.
    pub first: KeyId,
    /// The other one.
    pub second: KeyId,
    /// The name at which they meet.
    pub name: String,
}

impl From<Collision> for SecretError {
    fn from(Collision { first, second, name }: Collision) -> Self {
        Self::Misconfigured {
            store: STORE,
            why: format!(
                "the keys `{first}` and `{second}` would both have the secret `{name}`: names in Key Vault have no \
                 `_` and no letter case"
            ),
            hint: format!(
                "give one of them a name of its own in keys.json: `\"secret\": \"azure:OTHER-NAME\"` for `{second}`"
            ),
        }
    }
}

/// Those among `keys` that meet an earlier one at one name, for `_` becomes `-` and Key Vault is blind to letter
/// case. Give it the keys that name no `secret` of their own.
///
/// ```
/// use keyrot_core::KeyId;
/// let keys = [KeyId::new("flash_01")?, KeyId::new("pro")?, KeyId::new("Flash-01")?];
/// let meeting = keyrot_secrets_azure::collisions(&keys);
/// assert_eq!(meeting[0].second, keys[2]);
/// # Ok::<(), keyrot_core::IllegalKeyId>(())
/// ```
#[must_use]
pub fn collisions<'a>(keys: impl IntoIterator<Item = &'a KeyId>) -> Vec<Collision> {
    let mut taken: HashMap<String, &KeyId> = HashMap::new();
    let mut found = Vec::new();
    for key in keys {
        let name = key.as_str().replace('_', "-").to_ascii_lowercase();
        match taken.get(&name) {
            Some(first) => found.push(Collision { first: (*first).clone(), second: key.clone(), name }),
            None => drop(taken.insert(name, key)),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(labels: &[&str]) -> Vec<KeyId> {
        labels.iter().map(|label| KeyId::new(label).unwrap()).collect()
    }

    #[test]
    fn every_label_can_be_spelt() {
        let longest = "_".repeat(KeyId::MAX_LEN);
        for (label, name) in [("flash_01", "flash-01"), ("A-b", "A-b"), (&*longest, &*"-".repeat(64))] {
            assert_eq!(of(&KeyId::new(label).unwrap()).unwrap(), name);
        }
    }

    #[test]
    fn names_that_no_vault_holds_are_refused_with_a_hint() {
        for bad in ["", "flash_01", "a/b", "a.b", "\u{e4}", "a b", &"x".repeat(128)] {
            let error = check(bad).unwrap_err();
            assert!(matches!(error, SecretError::Misconfigured { .. }), "{bad}");
            assert!(error.to_string().contains("\nhint: "), "{error}");
        }
        assert!(check(&"x".repeat(127)).is_ok());
    }

    #[test]
    fn keys_that_meet_are_named_both_with_the_way_out() {
        let found = collisions(&keys(&["a_1", "b", "A-1", "a-1"]));
        assert_eq!(found.len(), 2);
        let said = SecretError::from(found[0].clone()).to_string();
        for part in ["`a_1`", "`A-1`", "`a-1`", "\"secret\": \"azure:"] {
            assert!(said.contains(part), "{said}");
        }
        assert!(collisions(&keys(&["a_1", "a_2", "a1"])).is_empty());
    }
}
