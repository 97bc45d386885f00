//! The files the repository ships.

use super::good;
use crate::bucket::model_id;
use crate::keys::field::{CONFIG, Field, KEY};
use crate::keys::{KeySet, ModelFilter, SecretRef, StoreKind, schema};

#[test]
fn the_sample_has_nothing_to_report() {
    let parsed = good(include_str!("../../../../../keys_example.json"));
    assert_eq!(parsed.warnings, []);
    let ids: Vec<&str> = parsed.set.iter().map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["flash_01", "flash_02"]);
    assert_ne!(parsed.set.keys[0].project, parsed.set.keys[1].project);
}

#[test]
fn the_committed_schema_is_the_one_the_table_gives() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../keys.schema.json");
    let committed = std::fs::read_to_string(path).expect("keys.schema.json");
    let remedy = "cargo run -q -p keyrot-core --example keys_schema > keys.schema.json";
    assert!(committed == format!("{:#}\n", schema()), "keys.schema.json is out of date: {remedy}");
}

#[test]
fn the_defaults_of_the_table_are_what_absence_means() {
    fn members<T>(fields: &[Field<T>]) -> String {
        let given = fields.iter().filter_map(|f| Some(format!("\"{}\": {}", f.name, f.default?)));
        given.collect::<Vec<_>>().join(", ")
    }
    let absent = good(r#"[{"key_id": "a"}]"#);
    let keys = members(KEY);
    let explicit =
        good(&format!(r#"{{"keys": [{{"key_id": "a", {keys}}}], "config": {{{}}}}}"#, members(CONFIG)));
    assert_eq!(explicit, absent);
}

#[test]
fn every_field_reaches_its_place() {
    let parsed = good(
        r#"{
  "$schema": "./keys.schema.json",
  "keys": [{
    "key_id": "a", "model_name": ["models/m", "n", "m"], "provider": "Gemini", "project": " p ",
    "rpm": 1, "tpm": 2, "rpd": 3, "burst_capacity": 4, "limits": {"models/m": {"rpm": 9}},
    "concurrency": 5, "priority": 0, "weight": 0.5, "workload_type": "heavy", "active": false,
    "tags": {"env": "prod"}, "secret": "vault:team/a",
    "created_at": "2026-01-31T12:00:00+02:00", "updated_at": "2026-01-31T12:00:00.5", "expires_at": "2026-02-01",
  }],
  "config": {"model_fallback": {"m": "n"}, "max_retries": 0, "base_backoff_ms": 1, "max_backoff_ms": 2,
             "max_wait_ms": 0, "enable_fallback": false, "rotate_after_days": 4},
}"#,
    );
    assert_eq!(parsed.warnings, []);
    let key = &parsed.set.keys[0];
    assert_eq!(key.models, ModelFilter::Listed(vec![model_id("m"), model_id("n")]));
    assert!(key.models.serves(&model_id("n")) && !key.models.serves(&model_id("o")));
    assert_eq!((key.project.as_str(), key.project_given), ("p", true));
    let (m, n) = (key.limits_for(&model_id("m")), key.limits_for(&model_id("n")));
    assert_eq!((m.rpm, m.tpm, m.rpd, m.burst), (Some(9), Some(2), Some(3), Some(4)));
    assert_eq!(n.rpm, Some(1));
    assert_eq!((key.concurrency, key.priority, key.weight, key.active), (Some(5), 0, 0.5, false));
    assert_eq!(key.workload.as_deref(), Some("heavy"));
    assert_eq!(key.tags["env"], "prod");
    assert_eq!(key.secret, Some(SecretRef { store: StoreKind::Vault, name: "team/a".into() }));
    let millis = [key.created_at, key.updated_at, key.expires_at].map(|at| at.map(|at| at.as_millis()));
    assert_eq!(millis, [Some(1_769_853_600_000), Some(1_769_860_800_500), Some(1_769_904_000_000)]);
    let config = &parsed.set.config;
    assert_eq!(config.model_fallback[&model_id("m")], [model_id("n")]);
    assert_eq!((config.max_retries, config.enable_fallback, config.rotate_after_days), (0, false, 4));
    let millis = [config.base_backoff, config.max_backoff, config.max_wait].map(|d| d.as_millis());
    assert_eq!(millis, [1, 2, 0]);
    assert_eq!(good(&parsed.set.to_json()).set, parsed.set);
    assert_eq!(parsed.set.get(&key.id), Some(key));
}

#[test]
fn comments_of_every_kind_and_line_ending_are_blanked_and_strings_are_not() {
    let text = "\u{feff}# größe \"\r/*/ # */[{ // it's \" fine\r\n\"key_id\": \"a\", # b \"\n\"project\": \"p#1 // x /* y */ \\\" # z\",}]#";
    assert_eq!(good(text).set.keys[0].project.as_str(), "p#1 // x /* y */ \" # z");
    let broken = KeySet::parse("keys.json", &text.replace("}]", "x")).expect_err("broken").to_string();
    assert!(broken.starts_with("keys.json:4:"), "{broken}");
}
