//! What a secret may be called, and when two names mean the same one.

use keyrot_core::SecretError;

use crate::settings::STORE;

/// What the service allows besides letters and digits.
const ALSO: &str = "/_+=.@-";
const LONGEST: usize = 512;
/// The longest ARN the service takes.
const LONGEST_ARN: usize = 2048;
/// What the service puts behind a name in its ARN: a hyphen and six characters.
const SUFFIX: usize = 7;

/// Whether it consists of what names may consist of.
pub(crate) fn is_spelt(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || ALSO.contains(c))
}

pub(crate) fn is_arn(name: &str) -> bool {
    name.starts_with("arn:")
}

/// Refuses what cannot be a secret's name or ARN, before anybody is asked.
pub(crate) fn check(name: &str) -> Result<(), SecretError> {
    let in_arn = |c: char| c.is_ascii_alphanumeric() || c == ':' || ALSO.contains(c);
    let why = if name.is_empty() {
        "the name is empty".to_owned()
    } else if is_arn(name) && (resource(name).is_none() || !name.chars().all(in_arn)) {
        format!("`{name}` is no ARN of a secret")
    } else if !is_arn(name) && !is_spelt(name) {
        format!("no secret there can be called `{name}`")
    } else if name.len() > if is_arn(name) { LONGEST_ARN } else { LONGEST } {
        format!("a name of {} characters is too long", name.len())
    } else {
        return Ok(());
    };
    let hint = format!(
        "names have at most {LONGEST} ASCII letters, digits and `{ALSO}`; an ARN is \
         `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-XXXXXX`; see `AWS_SECRET_PREFIX`, or `secret` in keys.json"
    );
    Err(SecretError::Misconfigured { store: STORE, why, hint })
}

/// The part of a secret's ARN behind `:secret:`.
fn resource(arn: &str) -> Option<&str> {
    let (head, resource) = arn.split_once(":secret:")?;
    let is_secret = head.split(':').nth(2) == Some("secretsmanager") && head.split(':').count() == 5;
    (is_secret && !resource.is_empty()).then_some(resource)
}

/// The region in an ARN.
pub(crate) fn region(arn: &str) -> Option<&str> {
    resource(arn)?;
    arn.split(':').nth(3)
}

/// Whether `asked`, a name or an ARN, with the service's suffix or without, means the secret that an answer
/// calls `told`, which is a name or a whole ARN.
pub(crate) fn means(asked: &str, told: &str) -> bool {
    let without_suffix = |text: &str| {
        let cut = text.len().checked_sub(SUFFIX)?;
        let (start, end) = (text.get(..cut)?.to_owned(), text.get(cut..)?);
        end.starts_with('-').then_some(start)
    };
    match (resource(asked), resource(told)) {
        (None, None) => asked == told,
        (Some(_), Some(_)) => asked == told || without_suffix(told).is_some_and(|told| told == asked),
        (None, Some(resource)) => without_suffix(resource).is_some_and(|name| name == asked),
        (Some(resource), None) => {
            resource == told || without_suffix(resource).is_some_and(|name| name == told)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:keyrot/a-b-AbCdEf";
    const PARTIAL: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:keyrot/a-b";

    #[test]
    fn names_and_arns_pass_and_others_are_refused_with_what_is_legal() {
        let longest = "x".repeat(LONGEST);
        for good in ["a", "keyrot/flash_01", "a+b=c.d@e-f", &longest, ARN, PARTIAL] {
            assert!(check(good).is_ok(), "{good}");
        }
        let too_long = "x".repeat(LONGEST + 1);
        for bad in ["", "a b", "a:b", "schlüssel", "arn:aws:s3:::bucket", "arn:", "a\nb", &too_long] {
            let error = check(bad).expect_err(bad).to_string();
            assert!(error.contains("hint: ") && error.contains("ASCII letters"), "{error}");
        }
        assert!(check(&format!("{ARN} x")).is_err());
        assert!(check(&format!("arn:aws:s3:eu-west-1:1:secret:{longest}")).is_err(), "another service's");
    }

    #[test]
    fn a_name_and_an_arn_are_known_for_the_same_secret() {
        for asked in [ARN, PARTIAL, "keyrot/a-b"] {
            assert!(means(asked, ARN) && means(asked, "keyrot/a-b"), "{asked}");
            assert!(!means(asked, "keyrot/a") && !means(asked, &ARN.replace("/a-b", "/a")), "{asked}");
        }
        assert_eq!(region(ARN), Some("eu-west-1"));
        assert_eq!(region("keyrot/a"), None);
    }

    #[test]
    fn a_name_that_ends_like_an_arn_does_is_itself() {
        assert!(means("team-gemini", "team-gemini"));
        assert!(!means("team-gemini", "team"));
        let arn = "arn:aws:secretsmanager:eu-west-1:1:secret:team-gemini-AbCdEf";
        assert!(means("team-gemini", arn) && means(arn, "team-gemini") && !means("team", arn));
    }
}
