//! A server as in earnest: TLS, sealed, unsealed in mid-life, gone; and whom a client trusts.

use std::time::Duration;

use keyrot_core::{EnvMap, SecretError, SecretStore};
use keyrot_secrets_vault::VaultStore;
use keyrot_testkit::live::openbao::Bao;
use keyrot_testkit::tls::Authority;
use serde_json::{Value, json};

use crate::{said, text};

fn store(url: &str, token: &str, authority: &Authority) -> VaultStore {
    let file = authority.file().to_str().expect("plain");
    let env = EnvMap::from_iter([("VAULT_ADDR", url), ("VAULT_TOKEN", token), ("VAULT_CACERT", file)]);
    VaultStore::new(&env).expect("legal")
}

#[tokio::test]
async fn a_server_in_earnest_is_read_over_tls_sealed_unsealed_and_gone() {
    let authority = Authority::new();
    let mut bao = Bao::sealed(&authority);
    let early = said(&store(&bao.url(), "none", &authority).fetch("secret/keyrot/a").await);
    assert!(early.contains("initialized") || early.contains("sealed"), "{early}");

    let (root, key) = bao.initialize();
    bao.asked("POST", "sys/mounts/secret", &root, &json!({ "type": "kv", "options": { "version": "2" } }));
    bao.asked("POST", "secret/data/keyrot/a", &root, &json!({ "data": { "value": "AIza-a" } }));
    bao.asked(
        "PUT",
        "sys/policies/acl/keyrot",
        &root,
        &json!({ "policy": "path \"secret/data/keyrot/*\" { capabilities = [\"read\"] }" }),
    );
    bao.asked("POST", "sys/auth/approle", &root, &json!({ "type": "approle" }));
    bao.asked("POST", "auth/approle/role/keyrot", &root, &json!({ "token_policies": "keyrot" }));
    let role = bao.asked("GET", "auth/approle/role/keyrot/role-id", &root, &Value::Null);
    let secret = bao.asked("POST", "auth/approle/role/keyrot/secret-id", &root, &Value::Null);
    let url = bao.url();
    let env = EnvMap::from_iter([
        ("VAULT_ADDR", url.as_str()),
        ("VAULT_CACERT", authority.file().to_str().expect("plain")),
        ("VAULT_ROLE_ID", role["data"]["role_id"].as_str().expect("text")),
        ("VAULT_SECRET_ID", secret["data"]["secret_id"].as_str().expect("text")),
    ]);
    let store = VaultStore::new(&env).expect("legal");
    assert_eq!(text(&store.fetch("secret/keyrot/a").await), "AIza-a");

    bao.asked("PUT", "sys/seal", &root, &Value::Null);
    let sealed = store.fetch("secret/keyrot/a").await;
    assert!(matches!(sealed, Err(SecretError::Unavailable { .. })), "{sealed:?}");
    assert!(said(&sealed).contains("is sealed") && said(&sealed).contains("operator unseal"), "{sealed:?}");
    bao.unseal(&key);
    assert_eq!(text(&store.fetch("secret/keyrot/a").await), "AIza-a", "with the token it had");

    bao.kill();
    let gone = store.fetch("secret/keyrot/a").await;
    assert!(matches!(gone, Err(SecretError::Unavailable { .. })), "{gone:?}");
    // The connection that was open breaks; after that there is nobody to connect to.
    assert!(said(&gone).contains("broke") || said(&gone).contains("cannot be reached"), "{gone:?}");
    let gone = said(&store.fetch("secret/keyrot/a").await);
    assert!(gone.contains("cannot be reached") && gone.contains("VAULT_ADDR"), "{gone}");
    let names = vec!["secret/keyrot/a".to_owned(); 50];
    let all = tokio::time::timeout(Duration::from_secs(10), store.fetch_all(&names))
        .await
        .expect("not one after the other");
    assert!(all.iter().all(|answer| matches!(answer, Err(SecretError::Unavailable { .. }))));
}

#[tokio::test]
async fn certificates_that_do_not_count_are_told_apart() {
    let authority = Authority::new();
    let bao = Bao::sealed(&authority);
    let stranger = said(&store(&bao.url(), "none", &Authority::new()).fetch("secret/keyrot/a").await);
    assert!(stranger.contains("nobody who is trusted") && stranger.contains("VAULT_CACERT"), "{stranger}");
    let by_number = format!("https://127.0.0.1:{}", bao.port());
    let name = said(&store(&by_number, "none", &authority).fetch("secret/keyrot/a").await);
    assert!(name.contains("for another name") && name.contains("VAULT_ADDR"), "{name}");
    let plain = format!("http://127.0.0.1:{}", bao.port());
    let plain = said(&store(&plain, "none", &authority).fetch("secret/keyrot/a").await);
    assert!(plain.contains("is it `https`?"), "{plain}");
    let encrypted = crate::BAO.url().replace("http://127.0.0.1", "https://localhost");
    let encrypted = said(&store(&encrypted, "none", &authority).fetch("secret/keyrot/a").await);
    assert!(encrypted.contains("does not speak TLS"), "{encrypted}");
}
