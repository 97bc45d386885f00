//! Keys of one project share their limits.

use super::{bad, good, only};
use crate::id::ModelId;
use crate::keys::Key;

fn two(a: &str, b: &str) -> String {
    format!(
        "[{{\"key_id\": \"a\", \"project\": \"p\", {a}}},\n {{\"key_id\": \"b\", \"project\": \"p\", {b}}}]"
    )
}

#[test]
fn contradictions_inside_a_project_name_both_keys() {
    assert_eq!(
        only(&two(r#""rpm": 10"#, r#""rpm": 20"#)),
        "keys.json:2:41: key `b`, field `rpm`: is 20, but key `a` of the same project `p` says 10 on line 1\n\
         hint: limits belong to the project: write the same in both keys, or in one alone"
    );
    for (a, b, field) in [
        (r#""tpm": 10"#, r#""tpm": 20"#, "tpm"),
        (r#""rpd": 10"#, r#""rpd": 20"#, "rpd"),
        (r#""burst_capacity": 10"#, r#""burst_capacity": 20"#, "burst_capacity"),
        (r#""limits": {"m": {"rpm": 1}}"#, r#""limits": {"m": {"rpm": 2}}"#, "limits.m.rpm"),
        (r#""model_name": "m", "rpm": 1"#, r#""limits": {"m": {"rpm": 2}}"#, "limits.m.rpm"),
        (
            r#""limits": {"gemini-3-pro": {"rpm": 1}}"#,
            r#""model_name": "gemini-3-pro-preview", "rpm": 2"#,
            "rpm",
        ),
    ] {
        let shown = only(&two(a, b));
        assert!(shown.contains(&format!("key `b`, field `{field}`: is 2")), "{shown}");
    }
    let one =
        r#"[{"key_id": "a", "limits": {"gemini-3-pro": {"rpm": 1}, "gemini-3-pro-preview": {"rpm": 2}}}]"#;
    assert!(only(one).contains("field `limits.gemini-3-pro-preview.rpm`"));
    assert_eq!(bad(&two(r#""rpm": 1, "rpd": 1"#, r#""rpm": 2, "rpd": 2"#)).len(), 2);
}

#[test]
fn keys_for_different_models_may_differ() {
    good(&two(r#""model_name": "m", "rpm": 10"#, r#""model_name": "n", "rpm": 20"#));
    good(r#"[{"key_id": "a", "project": "p", "rpm": 1}, {"key_id": "b", "project": "q", "rpm": 2}]"#);
}

#[test]
fn a_limit_only_one_key_states_holds_for_the_whole_project() {
    let limits = |text: &str, model: &str| {
        let set = good(text).set;
        let model = ModelId::new(model);
        [0, 1].map(|i: usize| Key::limits_for(&set.keys[i], &model))
    };
    for (a, b) in [
        (r#""rpm": 10"#, r#""rpd": 5"#),
        (r#""rpm": 10, "rpd": 5"#, r#""tags": {}"#),
        (r#""model_name": "m", "rpm": 10, "rpd": 5"#, r#""active": true"#),
        (r#""limits": {"m": {"rpm": 10}}"#, r#""model_name": ["n", "m"], "rpd": 5"#),
        (r#""rpm": 99, "limits": {"m": {"rpm": 10, "rpd": 5}}"#, r#""tags": {}"#),
    ] {
        let [one, other] = limits(&two(a, b), "m");
        assert_eq!(one, other, "{a} {b}");
        assert_eq!((one.rpm, one.rpd, one.burst), (Some(10), Some(5), Some(10)), "{a} {b}");
    }
    let aliases = r#""limits": {"gemini-3-pro": {"rpm": 10}, "gemini-3-pro-preview": {"rpd": 5}}"#;
    let [one, other] = limits(&two(aliases, r#""burst_capacity": 3"#), "gemini-3-pro-preview");
    assert_eq!((one, one.rpm, one.rpd, one.burst), (other, Some(10), Some(5), Some(3)));
}

#[test]
fn keys_without_a_project_get_one_warning() {
    let many: Vec<String> = (0..8).map(|i| format!("{{\"key_id\": \"k{i}\"}}")).collect();
    let parsed = good(&format!("[{}]", many.join(",")));
    let [warning] = &parsed.warnings[..] else { panic!("{:?}", parsed.warnings) };
    assert!(warning.message.contains("`k0`, `k1`, `k2`, `k3`, `k4`, 3 more"), "{warning}");
    assert_eq!(parsed.set.keys[3].project.as_str(), "k3");
    assert_eq!(good(r#"[{"key_id": "a"}, {"key_id": "b", "project": "p"}]"#).warnings, []);
}
