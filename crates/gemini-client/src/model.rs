//! A model's name as a path segment.

use secrecy::SecretString;

use crate::error::Error;
use crate::scrub;

/// `models/{id}` for either `id` or `models/{id}`.
///
/// # Errors
/// Refuses what is no single plain path segment: a name must not be able to reach another method,
/// resource or query.
pub(crate) fn resource(name: &str, key: &SecretString) -> Result<String, Error> {
    let id = name.strip_prefix("models/").unwrap_or(name);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if id.is_empty() || !id.chars().all(plain) || id.chars().all(|c| c == '.') {
        // Scrubbed before its escapes would hide a key.
        let shown = scrub::scrub(name, [key]);
        return Err(Error::invalid_request(&format!("`{}` is no model name", shown.escape_debug()), key));
    }
    Ok(format!("models/{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyrot_core::Outcome;

    #[test]
    fn plain_names_pass_with_or_without_their_prefix() {
        for name in ["gemini-2.5-flash", "models/gemini-2.5-flash"] {
            assert_eq!(resource(name, &"key".into()).unwrap(), "models/gemini-2.5-flash");
        }
    }

    #[test]
    fn nothing_else_passes() {
        for name in [
            "",
            "models/",
            ".",
            "..",
            "a/b",
            "models/../x",
            "a?b",
            "a#b",
            "a:b",
            "a%2fb",
            "a b",
            "é",
            "a\\b",
            "a\n",
        ] {
            assert_eq!(
                resource(name, &"key".into()).expect_err(name).outcome(),
                Outcome::BadRequest,
                "{name:?}"
            );
        }
    }
}
