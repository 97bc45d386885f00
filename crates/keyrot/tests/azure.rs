//! Keys whose secrets would meet at one name of Key Vault, which has neither `_` nor letter case.

use std::fs;

use keyrot::{Assembly, EnvMap, SetupError};

const MEETING: &str = r#"{"keys": [{"key_id": "flash_01"}, {"key_id": "pro"}, {"key_id": "Flash-01"}]}"#;
const APART: &str =
    r#"{"keys": [{"key_id": "flash_01", "secret": "env:a"}, {"key_id": "Flash-01", "secret": "env:b"}]}"#;

fn env(file: &std::path::Path) -> EnvMap {
    EnvMap::from_iter([
        ("KEYS_FILE", file.display().to_string().as_str()),
        ("ENABLE_KEY_ROTATION", "true"),
        ("SECRET_STORE_TYPE", "azure"),
        // Some keys are elsewhere.
        ("KEYROT_TRUST_ENV", "true"),
        // Nobody is there: who asks it all the same is told that it cannot be reached.
        ("AZURE_VAULT_URL", "https://localhost:1"),
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_SECRET", "s"),
        ("GEMINI_KEY_a", "one"),
        ("GEMINI_KEY_b", "two"),
    ])
}

/// The reader of keys.json finds them already: the names of variables and of Key Vault meet alike.
fn names_both(error: &SetupError) {
    let said = error.to_string();
    for part in ["flash_01", "Flash-01", "secret"] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("cannot be reached"), "{said}");
}

#[tokio::test]
async fn they_are_refused_at_start_before_the_vault_is_asked() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys.json");
    fs::write(&file, MEETING).expect("written");
    names_both(&Assembly::new(env(&file)).make().await.expect_err("they meet"));
}

#[tokio::test]
async fn on_reload_they_change_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("keys.json");
    fs::write(&file, APART).expect("written");
    let rotator = Assembly::new(env(&file)).make().await.expect("a pool").rotator;
    fs::write(&file, MEETING).expect("written");
    names_both(&rotator.reload().await.expect_err("they meet"));
    let keys = rotator.status("gemini-2.5-flash").await.keys.len();
    assert_eq!(keys, 2);
}
