//! Names of secrets: `mount/path/name`.

use keyrot_core::SecretError;

use crate::settings::STORE;

/// Longer than any path that people write.
const LONGEST: usize = 512;

/// Whether `name` can be a secret's: a mount and a path of plain characters.
///
/// # Errors
/// [`SecretError::Misconfigured`] that says what is wrong.
pub(crate) fn check(name: &str) -> Result<(), SecretError> {
    let wrong = |why: &str| {
        Err(SecretError::Misconfigured {
            store: STORE,
            why: format!("`{}` is no name of a secret: {why}", name.chars().take(80).collect::<String>()),
            hint: "a full name is `mount/path/name`, as in `secret/keyrot/flash_01`: see `VAULT_SECRET_PATH`, or \
                   `secret` of the key in keys.json"
                .to_owned(),
        })
    };
    if name.len() > LONGEST {
        return wrong("it is too long");
    }
    if !name.bytes().all(is_plain) {
        return wrong("it has a character other than letters, digits and `/_.@+=:-`");
    }
    if name.split('/').any(|part| part.is_empty() || part.bytes().all(|byte| byte == b'.')) {
        return wrong("it has an empty part, or one of dots alone");
    }
    if !name.contains('/') {
        return wrong("it has no mount, or nothing behind it");
    }
    Ok(())
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/_.@+=:-".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_mount_and_a_path() {
        for name in ["secret/a", "team/kv/keyrot/flash-01", "secret/a.b@c+d=e:f"] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "secret",
            "/secret/a",
            "secret/a/",
            "secret//a",
            "secret/../sys",
            "secret/a?b",
            "secret/a b",
            "secret/%2e",
        ] {
            assert!(matches!(check(name), Err(SecretError::Misconfigured { .. })), "{name}");
        }
        assert!(check(&format!("secret/{}", "a".repeat(600))).is_err());
    }
}
