//! A secret pasted into the file is pointed out and shown nowhere.

use super::bad;
use crate::keys::Severity;

/// What no output may hold; made of the three ways Google's keys begin.
fn canaries() -> [String; 3] {
    let body = "CANARY_0123456789-abcdefghijklmnopqrstuvwxyz";
    [format!("AIza{}", &body[..35]), format!("AQ.{body}"), format!("IQ.{body}")]
}

#[test]
fn a_pasted_key_is_pointed_out_wherever_it_stands() {
    for canary in canaries() {
        for (text, about) in [
            (format!(r#"[{{"key_id": "{canary}"}}]"#), "key `[REDACTED]`, field `key_id`: "),
            (format!(r#"[{{"key_id": "a", "api_key": "{canary}"}}]"#), "key `a`, field `api_key`: "),
            (format!(r#"[{{"key_id": "a", "secret": "{canary}"}}]"#), "key `a`, field `secret`: "),
            (format!(r#"[{{"key_id": "a", "secret": "env:{canary}"}}]"#), "key `a`, field `secret`: "),
            (format!(r#"[{{"key_id": "a", "tags": {{"k": "x {canary}"}}}}]"#), "key `a`, field `tags.k`: "),
            (format!(r#"[{{"key_id": "a", "{canary}": 5}}]"#), "key `a`, field `[REDACTED]`: "),
            (format!(r#"[{{"key_id": "a", "provider": "{canary}"}}]"#), "key `a`, field `provider`: "),
            (format!(r#"[{{"key_id": "a", "model_name": ["{canary}"]}}]"#), "key `a`, field `model_name`: "),
            (format!(r#"[{{"key_id": "a"}}] // {canary}"#), ""),
            (format!(r#"[{{"key_id": "a", {canary}"#), ""),
        ] {
            let findings = bad(&text);
            let told = findings.iter().find(|f| f.message.contains("looks like an API key"));
            let shown = told.map(ToString::to_string).unwrap_or_default();
            let column = text.find(&canary).map_or(0, |at| at + 1);
            let place = format!("keys.json:1:{column}: {about}holds what");
            assert!(shown.starts_with(&place), "{text}\n{shown}");
            assert!(told.is_some_and(|f| f.severity == Severity::Error));
            assert!(!format!("{findings:?}").contains("CANARY"), "{findings:?}");
        }
    }
}

#[test]
fn escapes_do_not_bring_a_key_into_a_message() {
    let [canary, ..] = canaries();
    let escaped = canary.replacen('A', "\\u0041", 1);
    for text in [
        format!(r#"[{{"key_id": "{escaped}", "rpm": 0}}]"#),
        format!(r#"[{{"key_id": "a", "{escaped}": 1, "rpm": 0}}]"#),
    ] {
        let findings = bad(&text);
        assert!(findings.iter().any(|f| f.message.contains("looks like an API key")), "{findings:?}");
        assert!(!format!("{findings:?}").contains("CANARY"), "{findings:?}");
    }
}

#[test]
fn half_a_key_is_not_shown_where_a_message_is_cut() {
    for canary in canaries() {
        for before in 0..100 {
            let text = format!(r#"[{{"key_id": "{} {canary}", "rpm": 0}}]"#, "x".repeat(before));
            let findings = bad(&text);
            let shown = format!("{findings:?}");
            assert!(!shown.contains("CANARY") && !shown.contains("AIza"), "{shown}");
        }
    }
}

#[test]
fn a_key_is_not_shown_in_capitals_either() {
    let [canary, ..] = canaries();
    let text = format!(r#"[{{"key_id": "{canary}-a"}}, {{"key_id": "{canary}_a"}}]"#);
    let findings = bad(&text);
    assert!(findings.iter().any(|f| f.message.contains("shares the variable `GEMINI_KEY_[REDACTED]")));
    assert!(!format!("{findings:?}").to_uppercase().contains("CANARY"), "{findings:?}");
}
