//! A server that is started as in production: TLS, files, and sealed until somebody unseals it.

use keyrot_core::{EnvMap, SecretError, SecretStore as _};
use keyrot_secrets_vault::VaultStore;
use keyrot_testkit::live::bao::Bao;
use keyrot_testkit::tls::Authority;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::operator::{Operator, READ, text};

const A: &str = "secret/keyrot/a";

/// Makes the server's first keys and unseals it; gives an operator and the key that unseals.
fn begun<'a>(bao: &'a Bao, authority: &Authority) -> (Operator<'a>, String) {
    let mut operator = Operator { bao, token: String::new(), ca: Some(authority.file().to_owned()) };
    let made = operator.ask("PUT", "sys/init", &json!({ "secret_shares": 1, "secret_threshold": 1 }));
    let key = made["keys_base64"][0].as_str().expect("a key").to_owned();
    operator.token = made["root_token"].as_str().expect("a token").to_owned();
    unseal(&operator, &key);
    operator.mount("", "secret");
    (operator, key)
}

fn unseal(operator: &Operator<'_>, key: &str) {
    let status = operator.ask("PUT", "sys/unseal", &json!({ "key": key }));
    assert_eq!(status["sealed"], false);
    // The mounts are there a moment after.
    for _ in 0..1_000 {
        let ca = operator.ca.as_deref();
        let (status, _) = operator.bao.ask("GET", "sys/health", "", "", ca);
        if status == 200 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("it is not active");
}

fn store(bao: &Bao, more: &[(&str, &str)]) -> VaultStore {
    crate::operator::store(bao, more)
}

#[tokio::test]
async fn sealed_is_told_from_unreachable_and_ends_when_it_is_unsealed() {
    let authority = Authority::new();
    let mut bao = Bao::sealed(&authority);
    let (operator, key) = begun(&bao, &authority);
    operator.keep("keyrot/a", &json!({ "value": "AIza-CANARY" }));
    let token = operator.token("reader", READ, json!({}));
    let root = operator.token.clone();
    let settings = [("VAULT_TOKEN", token.as_str()), ("VAULT_CACERT", text(authority.file()))];
    let store = store(&bao, &settings);
    store.fetch(A).await.expect("it is there");
    operator.ask("PUT", "sys/seal", &Value::Null);
    // One that knew the server, and one that never reached it.
    for store in [&store, &crate::operator::store(&bao, &settings)] {
        let error = store.fetch(A).await.expect_err("sealed");
        assert!(matches!(error, SecretError::Unavailable { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains("is sealed") && said.contains("vault operator unseal"), "{said}");
    }
    bao.kill();
    assert!(store.fetch(A).await.expect_err("gone").to_string().contains("cannot be reached"));
    bao.restart();
    let operator = Operator { bao: &bao, token: root, ca: Some(authority.file().to_owned()) };
    assert!(store.fetch(A).await.expect_err("sealed at its start").to_string().contains("is sealed"));
    unseal(&operator, &key);
    assert_eq!(store.fetch(A).await.expect("there again").value.expose_secret(), "AIza-CANARY");
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_and_another_name_are_refused() {
    let (authority, another) = (Authority::new(), Authority::new());
    let bao = Bao::sealed(&authority);
    let ip = format!("https://127.0.0.1:{}", bao.port());
    for (addr, trusted) in [(bao.url(), &another), (ip, &authority)] {
        let env = EnvMap::from_iter([
            ("VAULT_ADDR", addr.as_str()),
            ("VAULT_TOKEN", "hvs.x"),
            ("VAULT_CACERT", text(trusted.file())),
        ]);
        let error = VaultStore::new(&env).expect("legal").fetch(A).await.expect_err("not accepted");
        let said = error.to_string();
        assert!(matches!(error, SecretError::Unavailable { .. }), "{error:?}");
        assert!(said.contains("certificate") && said.contains("`VAULT_CACERT`"), "{said}");
    }
}
