//! A secret pasted into keys.json: into every field, into comments, into broken JSON.

use keyrot::{Assembly, EnvMap, KeySet};
use keyrot_testkit::canary::{OTHER, PLAIN, STANDARD, TELLTALE};

use crate::ear;

/// Files with `key` somewhere in them. `\u{1}` stands where it goes.
const FILES: &[&str] = &[
    // In the place of a value.
    r#"[{"key_id": "@"}]"#,
    r#"[{"key_id": "my key is @"}]"#,
    r#"[{"key_id": "this is the key of the production project, made by Ann @"}]"#,
    r#"[{"key_id": "this is the key of the production project, made by Ann in spring and by Bob @"}]"#,
    r#"[{"key_id": "a", "model_name": "@"}]"#,
    r#"[{"key_id": "a", "model_name": ["gemini-2.5-pro", "models/@"]}]"#,
    r#"[{"key_id": "a", "provider": "@"}]"#,
    r#"[{"key_id": "a", "project": "@"}, {"key_id": "b", "project": "@", "rpm": 1}, {"key_id": "c", "project": "@", "rpm": 2}]"#,
    r#"[{"key_id": "a", "rpm": "@", "tpm": "@", "rpd": "@", "concurrency": "@", "weight": "@", "active": "@"}]"#,
    r#"[{"key_id": "a", "limits": {"@": {"rpm": "@", "@": 1}}}]"#,
    r#"[{"key_id": "a", "limits": "@", "tags": "@", "priority": "@", "burst_capacity": "@"}]"#,
    r#"[{"key_id": "a", "tags": {"@": "@", "b": 1}, "workload_type": "@"}]"#,
    r#"[{"key_id": "a", "tags": {"@": 1}}]"#,
    r#"[{"key_id": "a", "secret": "@"}]"#,
    r#"[{"key_id": "a", "secret": "env:@"}, {"key_id": "b", "secret": "@:b"}, {"key_id": "c", "secret": "vault:@"}]"#,
    r#"[{"key_id": "a", "created_at": "@", "updated_at": "@", "expires_at": "@"}]"#,
    // Fields nobody knows.
    r#"[{"key_id": "a", "api_key": "@"}]"#,
    r#"[{"key_id": "a", "@": "b"}]"#,
    r#"[{"key_id": "a", "api_key": {"value": ["@", {"@": "@"}]}}]"#,
    r#"{"keys": [{"key_id": "a"}], "@": 1, "config": {"@": 2}}"#,
    r#"{"keys": "@"}"#,
    r#"{"keys": ["@"], "config": "@"}"#,
    r#"{"keys": [{"key_id": "a"}], "config": {"max_retries": "@", "model_fallback": {"@": ["@"], "b": "@"}}}"#,
    r#""@""#,
    // Names that are told together.
    r#"[{"key_id": "@"}, {"key_id": "@"}]"#,
    r#"[{"key_id": "x-@"}, {"key_id": "x_@"}]"#,
    r#"[{"key_id": "@-a"}, {"key_id": "@_a"}]"#,
    r#"[{"key_id": "a", "@": 1, "@": 2}]"#,
    // Comments.
    "[{\"key_id\": \"a\"}] // @",
    "[{\"key_id\": \"a\"}] # @",
    "[{\"key_id\": \"a\"} /* @ */]",
    "# @\n// @\n[{\"key_id\": \"a\", \"rpm\": -1}]",
    // Broken JSON.
    "@",
    "[@]",
    "[{key_id: @}]",
    "[{'key_id': '@'}]",
    "[{\"key_id\": \"@}]",
    "[{\"key_id\": \"a\" \"@\"}]",
    "[{\"key_id\": \"a\", \"@\"}]",
    "[{\"key_id\": \"a\"} @]",
    "[{\"key_id\": \"a\"}] @",
    "[{\"key_id\": \"\\x@\"}]",
    "[{\"key_id\": \"a\\u@\"}]",
    "[{\"key_id\": \"a\"}] /* @",
    "GEMINI_API_KEY=@\n",
    // Written by a program that escapes.
    "[{\"key_id\": \"a\", \"project\": \"^\"}]",
    "[{\"key_id\": \"a\", \"^\": 1}]",
    "[{\"key_id\": \"^\"}]",
];

/// `key` with its first letter as a JSON escape.
fn escaped(key: &str) -> String {
    let first = u32::from(key.as_bytes()[0]);
    format!("\\u{first:04x}{}", &key[1..])
}

#[tokio::test]
async fn no_file_gives_a_secret_away_that_was_pasted_into_it() {
    let heard = ear::listen();
    for key in TELLTALE {
        for file in FILES {
            let text = file.replace('@', key).replace('^', &escaped(key));
            let path = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(path.path(), &text).expect("written");
            let findings = KeySet::parse("keys.json", &text).expect_err(&text);
            ear::error("findings", &findings);
            findings.iter().for_each(|finding| ear::both("finding", finding));
            assert!(
                findings.iter().any(|finding| finding.message.contains("looks like an API key")),
                "not pointed out: {text}\n{findings}"
            );
            let name = path.path().to_str().expect("a plain path");
            let env = [("ENABLE_KEY_ROTATION", "true"), ("KEYS_FILE", name), ("GEMINI_KEY_a", OTHER)];
            let made = Assembly::new(EnvMap::from_iter(env)).make().await;
            ear::error("setup", &made.expect_err("no file to be used"));
        }
    }
    heard.assert_clean();
}

#[tokio::test]
async fn a_key_of_no_known_shape_is_not_repeated_where_a_secret_is_likely() {
    let heard = ear::listen();
    for file in
        [r#"[{"key_id": "a", "api_key": "@"}]"#, r#"[{"key_id": "a", "secret": "@"}]"#, "@", "[@]", "{'@'}"]
    {
        match KeySet::parse("keys.json", &file.replace('@', PLAIN)) {
            Ok(parsed) => ear::debug("parsed", &parsed),
            Err(findings) => ear::error("findings", &findings),
        }
    }
    heard.assert_clean();
}

#[tokio::test]
async fn a_file_that_is_another_file_is_not_shown() {
    let heard = ear::listen();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys.json");
    std::fs::write(&file, [b"[{\"key_id\": \"\xff", STANDARD.as_bytes(), b"\"}]"].concat()).expect("written");
    for path in [file.as_path(), folder.path()] {
        let env = [("ENABLE_KEY_ROTATION", "true"), ("KEYS_FILE", path.to_str().expect("plain"))];
        let made = Assembly::new(EnvMap::from_iter(env)).make().await;
        ear::error("setup", &made.expect_err("not readable"));
    }
    heard.assert_clean();
}
