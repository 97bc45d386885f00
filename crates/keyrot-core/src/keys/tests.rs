//! Tests of the reader.

mod leaks;
mod mistakes;
mod projects;
mod properties;
mod samples;

use super::{Finding, KeySet, Parsed};

/// The set of a file that has no errors.
fn good(text: &str) -> Parsed {
    KeySet::parse("keys.json", text).unwrap_or_else(|findings| panic!("{text}\n{findings}"))
}

/// The findings of a file that has errors.
fn bad(text: &str) -> Vec<Finding> {
    KeySet::parse("keys.json", text).expect_err(text).iter().cloned().collect()
}

/// The one finding of a file, as it is shown.
fn only(text: &str) -> String {
    match &bad(text)[..] {
        [one] => one.to_string(),
        many => panic!("{text}\n{many:#?}"),
    }
}
