//! `GEMINI_API_KEY`: one key and nothing else.

use keyrot_core::EnvMap;

/// The names of the single key's variable; the first that is set wins.
pub const SINGLE_NAMES: [&str; 2] = ["GEMINI_API_KEY", "GOOGLE_API_KEY"];

/// The variable that holds the single key, if one is set; a warning when both are and they differ.
#[must_use]
pub fn single(env: &EnvMap, warnings: &mut Vec<String>) -> Option<&'static str> {
    let [first, second] = SINGLE_NAMES;
    if let (Some(one), Some(other)) = (env.filled(first), env.filled(second))
        && one != other
    {
        warnings.push(format!("`{first}` and `{second}` are both set and differ: `{first}` wins"));
    }
    SINGLE_NAMES.into_iter().find(|name| env.filled(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_wins_with_a_warning_when_they_differ() {
        let mut warnings = Vec::new();
        let env = EnvMap::from_iter([("GOOGLE_API_KEY", "b"), ("GEMINI_API_KEY", "a")]);
        assert_eq!(single(&env, &mut warnings), Some("GEMINI_API_KEY"));
        assert_eq!(warnings.len(), 1);
        let env = EnvMap::from_iter([("GOOGLE_API_KEY", "b"), ("GEMINI_API_KEY", " ")]);
        assert_eq!(single(&env, &mut warnings), Some("GOOGLE_API_KEY"));
        assert_eq!(warnings.len(), 1);
    }
}
