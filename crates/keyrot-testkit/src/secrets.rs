//! Secret stores for tests.

#[expect(clippy::expect_used, clippy::panic, reason = "a store that breaks a promise fails the test")]
mod suite;

use std::sync::Arc;

use async_trait::async_trait;
use keyrot_core::{Secret, SecretError, SecretStore};
use parking_lot::Mutex;

pub use suite::{Bench, conforms};

/// A store with one secret for whoever asks, which can be changed. Clones share it.
#[derive(Clone)]
pub struct ChangingStore(Arc<Mutex<String>>);

impl ChangingStore {
    /// A store that gives `secret`.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(Arc::new(Mutex::new(secret.to_owned())))
    }

    /// Gives `secret` from now on.
    pub fn change(&self, secret: &str) {
        secret.clone_into(&mut self.0.lock());
    }
}

impl std::fmt::Debug for ChangingStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ChangingStore")
    }
}

#[async_trait]
impl SecretStore for ChangingStore {
    async fn fetch(&self, _name: &str) -> Result<Secret, SecretError> {
        Ok(Secret::new(self.0.lock().as_str().into()))
    }
}
