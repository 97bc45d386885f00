//! Secret stores of an embedder's own: that fail, that give what is no key, that talk too much.

use std::sync::Arc;

use async_trait::async_trait;
use keyrot::{Assembly, EnvMap, Key, KeyId, KeySet, PoolConfig, Profile, StoreKind};
use keyrot_core::{Secret, SecretError, SecretStore};
use keyrot_testkit::canary::{ALL, INNER, STANDARD};

use crate::ear;

/// A store whose author did not think of its debug text.
#[derive(Debug)]
struct Careless {
    secret: &'static str,
    then: Then,
}

#[derive(Debug, Clone, Copy)]
enum Then {
    Give,
    Unavailable,
    Quote,
    NotFound,
    Unusable,
    Panic,
}

#[expect(clippy::panic, reason = "the bug of the store is what is tested")]
#[async_trait]
impl SecretStore for Careless {
    async fn fetch(&self, name: &str) -> Result<Secret, SecretError> {
        let name = name.to_owned();
        Err(match self.then {
            Then::Give => {
                return Secret::of("env", &name, &format!(" {} ", self.secret));
            }
            Then::Unavailable => unavailable("connection refused".to_owned()),
            Then::Quote => unavailable(format!("cannot read `{STANDARD}`")),
            Then::NotFound => {
                SecretError::NotFound { store: "env", name, hint: format!("not `{STANDARD}`?") }
            }
            Then::Unusable => SecretError::Unusable { store: "env", name, why: "it is empty" },
            Then::Panic => panic!("a bug of the store's"),
        })
    }
}

fn unavailable(why: String) -> SecretError {
    SecretError::Unavailable { store: "env", why, hint: format!("not `{STANDARD}`?") }
}

#[tokio::test]
async fn no_store_gives_a_secret_away() {
    let heard = ear::listen();
    for secret in ALL {
        for then in [Then::Give, Then::Unavailable, Then::Quote, Then::NotFound, Then::Unusable, Then::Panic]
        {
            let store = Careless { secret, then };
            let making = tokio::spawn(async move {
                let keys = ["a", "b"].map(|id| Key::new(KeyId::new(id).expect("a legal id")));
                let keys = KeySet { keys: keys.into(), config: PoolConfig::default() };
                let env = EnvMap::from_iter([("GEMINI_API_KEY", INNER)]);
                let assembly = Assembly::new(env).keys(keys).store(StoreKind::Env, Arc::new(store));
                ear::debug("assembly", &assembly);
                assembly.make().await
            });
            match making.await {
                Ok(Ok(made)) => {
                    ear::debug("made", &made);
                    let status = made.rotator.status("m").await;
                    ear::say(&serde_json::to_string(&status).expect("JSON"));
                    match made.rotator.lease(&Profile::new("m")).await {
                        Ok(lease) => ear::debug("lease", &lease),
                        Err(exhausted) => ear::error("exhausted", &exhausted),
                    }
                }
                Ok(Err(error)) => ear::error("setup", &error),
                Err(error) => ear::error("join", &error),
            }
            if let Err(error) = (Careless { secret, then: Then::Unusable }).fetch("a").await {
                ear::error("fetch", &error);
            }
        }
        ear::debug("secret", &Secret::new(secret.into()));
    }
    heard.assert_clean();
}
