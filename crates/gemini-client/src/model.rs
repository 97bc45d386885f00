//! A model's name as a path segment.

use keyrot_core::UntrustedText;

use crate::error::Error;

/// `models/{id}` for either `id` or `models/{id}`.
///
/// # Errors
/// Refuses what is no single plain path segment: a name must not be able to reach another method,
/// resource or query.
pub(crate) fn resource(name: &str) -> Result<String, Error> {
    let id = name.strip_prefix("models/").unwrap_or(name);
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
    if id.is_empty() || !id.chars().all(plain) || id.chars().all(|c| c == '.') {
        let why = format!("`{}` is not a model name", UntrustedText::from(name));
        return Err(Error::invalid_request(&why));
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
            assert_eq!(resource(name).unwrap(), "models/gemini-2.5-flash");
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
            assert_eq!(resource(name).expect_err(name).outcome(), Outcome::BadRequest, "{name:?}");
        }
    }
}
