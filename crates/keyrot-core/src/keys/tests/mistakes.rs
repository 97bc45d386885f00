//! Each mistake is reported where it stands, and all of them at once.

use super::{bad, good, only};
use crate::keys::Severity;

#[test]
fn every_mistake_of_a_file_is_reported_with_its_place() {
    let text = r#"# my keys
{
  "keys": [
    { "key_id": "flash_01", "project": "a", "rpm": 0, "tmp": 5 },
    { "key_id": "flash 02", "project": "b", "weight": -1, "active": "true" },
    { "key_id": "größe", "rpm": "60" }, { "key_id": "flash_04", "project": "c", "tpm": 1.5 }, // here
    17,
  ],
  "config": { "max_retrys": 3, "max_wait_ms": -1, },
}
"#;
    let shown: Vec<String> = bad(text).iter().map(ToString::to_string).collect();
    let expected = [
        "keys.json:4:52: key `flash_01`, field `rpm`: must be a whole number above 0, not `0`",
        "keys.json:4:62: warning: key `flash_01`, field `tmp`: there is no such field; it is ignored\n\
         hint: did you mean `tpm`?",
        "keys.json:5:17: field `key_id`: `flash 02` is not a legal key id\nhint: use 1 to 64",
        "keys.json:5:55: key `flash 02`, field `weight`: must be a number above 0",
        "keys.json:5:69: key `flash 02`, field `active`: must be true or false, not a text\nhint: remove the quotes",
        "keys.json:6:17: field `key_id`: `größe` is not a legal key id",
        "keys.json:6:33: key `größe`, field `rpm`: must be a whole number above 0, not a text\nhint: remove the quotes",
        "keys.json:6:88: key `flash_04`, field `tpm`: must be a whole number above 0, not `1.5`",
        "keys.json:7:5: must be an object with `key_id`, not a number",
        "keys.json:9:29: warning: field `config.max_retrys`: there is no such field; it is ignored\n\
         hint: did you mean `max_retries`?",
        "keys.json:9:47: field `config.max_wait_ms`: must be a whole number, 0 or above, not `-1`",
    ];
    assert_eq!(shown.len(), expected.len(), "{shown:#?}");
    for (shown, expected) in shown.iter().zip(expected) {
        assert!(shown.starts_with(expected), "{shown}\nshould begin with\n{expected}");
    }
}

#[test]
fn a_file_without_keys_says_how_to_get_some() {
    for text in ["", "  \n", "// nothing\n# at all", "[]", r#"{"keys": []}"#] {
        assert!(only(text).contains("cp keys_example.json keys.json"), "{text}");
    }
    for (text, words) in [
        ("keys", "not valid JSON: unexpected word"),
        ("[{]", "not valid JSON"),
        (r#"[{"key_id": 'a'}]"#, "use double quotes"),
        (r#"[{"key_id": "a" "rpm": 1}]"#, "put a `,` between"),
        (r#"[{"key_id": "a""#, "a `}` is missing"),
        ("{}", "there is no `keys`"),
        (r#"{"key_id": "a"}"#, "there is no `keys`"),
        (r#""keys""#, "must be a list of keys"),
        (r#"{"keys": {"key_id": "a"}}"#, "must be a list of keys, not an object"),
        (r#"[{"rpm": 5}]"#, "the key has no `key_id`"),
        (r#"[{"key_id": null}]"#, "the key has no `key_id`"),
        (r#"[{"key_id": 5}]"#, "must be a text, not a number"),
    ] {
        let shown: Vec<String> = bad(text).iter().map(ToString::to_string).collect();
        assert!(shown.iter().any(|shown| shown.contains(words)), "{text}: {shown:?}");
    }
}

#[test]
fn numbers_that_are_no_limits_are_refused() {
    for field in ["rpm", "tpm", "rpd", "burst_capacity", "concurrency"] {
        for number in ["0", "-0", "-5", "1.5", "1e13", "1e999", "\"60\"", "true", "[1]", "{}"] {
            let shown = only(&format!(r#"[{{"key_id": "a", "{field}": {number}}}]"#));
            assert!(
                shown.starts_with(&format!("keys.json:1:{}: key `a`, field `{field}`: ", 22 + field.len()))
            );
        }
        for (number, value) in [("60", 60), ("60.0", 60), ("1e6", 1_000_000), ("4294967295", 4_294_967_295)] {
            let set = good(&format!(r#"[{{"key_id": "a", "{field}": {number}}}]"#)).set;
            let (key, limits) = (&set.keys[0], set.keys[0].limits);
            let read = [limits.rpm, limits.tpm, limits.rpd, limits.burst, key.concurrency.map(u64::from)];
            assert_eq!(read.into_iter().flatten().collect::<Vec<_>>(), [value], "{field}: {number}");
        }
    }
    for weight in ["0", "-1", "1e400", "NaN", "\"1\""] {
        assert!(!bad(&format!(r#"[{{"key_id": "a", "weight": {weight}}}]"#)).is_empty(), "{weight}");
    }
}

#[test]
fn every_field_refuses_what_is_not_its_kind() {
    for (member, words) in [
        (r#""provider": "openai""#, "the only provider is `gemini`"),
        (r#""model_name": []"#, "the list of models is empty"),
        (r#""model_name": ["a", 5]"#, "must be a text, not a number"),
        (r#""model_name": "a b""#, "names no model"),
        (r#""model_name": "models/""#, "names no model"),
        (r#""project": " ""#, "must not be empty"),
        (r#""project": "a\u0000""#, "holds a control character"),
        (r#""workload_type": 5"#, "must be a text, not a number"),
        (r#""tags": ["a"]"#, "must be an object such as"),
        (r#""tags": {"a": 1}"#, "field `tags.a`: must be a text, not a number"),
        (r#""limits": {"m": 5}"#, "field `limits.m`: must be an object such as"),
        (r#""limits": {"m": {"rpm": -5}}"#, "field `limits.m.rpm`: must be a whole number above 0"),
        (r#""limits": {"m": {}, "models/m": {}}"#, "names a model a second time"),
        (r#""secret": "hunter2""#, "must be `store:name`"),
        (r#""secret": "env:""#, "must be `store:name`"),
        (r#""secret": "gcp:name""#, "use one of `env`, `vault`, `aws`, `azure`"),
        (r#""created_at": "yesterday""#, "must be an RFC 3339 date"),
        (r#""created_at": "1960-01-01T00:00:00Z""#, "after 1970"),
        (
            r#""created_at": "2026-02-01", "expires_at": "2026-01-31""#,
            "field `expires_at`: 2026-01-31T00:00:00Z is before",
        ),
        (r#""rpm": 5, "rpm": 6"#, "field `rpm`: is given twice, first on line 1"),
        (r#""priority": -1"#, "must be a whole number, 0 or above"),
        (r#""priority": 4294967296"#, "is `4294967296`, which is more than 4294967295"),
    ] {
        let shown = only(&format!(r#"[{{"key_id": "a", {member}}}]"#));
        assert!(shown.contains(words), "{member}: {shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn config_is_checked_like_keys() {
    let with = |config: &str| format!(r#"{{"keys": [{{"key_id": "a"}}], "config": {config}}}"#);
    for (config, words) in [
        ("5", "field `config`: must be an object"),
        (r#"{"max_retries": 1.5}"#, "must be a whole number"),
        (r#"{"base_backoff_ms": 70000}"#, "`base_backoff_ms` (70000) is above `max_backoff_ms` (60000)"),
        (r#"{"max_backoff_ms": 100}"#, "field `config.max_backoff_ms`: `base_backoff_ms` (500) is above"),
        (r#"{"model_fallback": {"m": ["n", "models/m"]}}"#, "`m` falls back to itself"),
        (r#"{"model_fallback": ["m"]}"#, "must be an object whose members are models"),
        (r#"{"enable_fallback": 1}"#, "must be true or false, not a number"),
    ] {
        let shown = only(&with(config));
        assert!(shown.contains(words), "{config}: {shown}");
    }
}

#[test]
fn ids_that_cannot_be_told_apart_are_refused() {
    let two = |a: &str, b: &str| {
        format!(
            "[{{\"key_id\": \"{a}\", \"project\": \"p\"}},\n {{\"key_id\": \"{b}\", \"project\": \"q\"}}]"
        )
    };
    assert_eq!(
        only(&two("a", "a")),
        "keys.json:2:13: key `a`, field `key_id`: is taken: the key on line 1 has the same id\n\
         hint: rename one of the two"
    );
    for (a, b) in [("a-1", "a_1"), ("a_1", "A_1"), ("A-1", "a_1"), ("a-b-c", "A_b-C")] {
        let shown = only(&two(a, b));
        let words = format!("key `{b}`, field `key_id`: shares the variable");
        assert!(shown.contains(&words) && shown.contains(&format!("with key `{a}` on line 1")), "{shown}");
    }
    assert_eq!(good(&two("a1", "a_1")).warnings, []);
    let apart =
        r#"[{"key_id": "a-1", "project": "p", "secret": "vault:x"}, {"key_id": "a_1", "project": "q"}]"#;
    assert_eq!(good(apart).warnings, []);
}

#[test]
fn what_is_odd_but_harmless_is_a_warning() {
    let parsed =
        good(r#"[{"key_id": "a", "model": "m", "colour": "red", "rpm": null, "expires_at": "2001-01-01"}]"#);
    let shown: Vec<String> = parsed.warnings.iter().map(ToString::to_string).collect();
    assert!(parsed.warnings.iter().all(|w| w.severity == Severity::Warning));
    assert!(
        shown[0].contains("field `model`") && shown[0].contains("did you mean `model_name`?"),
        "{shown:?}"
    );
    assert!(
        shown[1].contains("field `colour`") && shown[1].contains("the known fields are key_id, "),
        "{shown:?}"
    );
    assert_eq!(shown.len(), 2, "being expired is a fact, not a finding: {shown:?}");
}

#[test]
fn names_out_of_the_file_cannot_forge_lines() {
    let text = format!(r#"[{{"key_id": "a\nb", "c\r\nd": 1, "rpm": 0, "{}": 1}}]"#, "x".repeat(10_000));
    for finding in bad(&text) {
        let shown = [finding.key_id, finding.field, Some(finding.message)];
        let shown: String = shown.into_iter().flatten().collect();
        assert!(!shown.contains(char::is_control) && shown.len() < 500, "{shown:?}");
    }
}
