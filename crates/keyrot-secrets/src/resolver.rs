//! From a key to the store that holds its secret, and the name it has there.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use keyrot_core::keys::{Key, StoreKind};
use keyrot_core::{EnvMap, Secret, SecretError, SecretStore};

/// Knows which store holds which key's secret. Every kind of store is known to every build; one
/// that is not compiled in answers [`SecretError::BackendDisabled`].
pub struct Resolver {
    default: StoreKind,
    stores: Stores,
}

type Stores = BTreeMap<StoreKind, Arc<dyn SecretStore>>;

#[cfg(feature = "env")]
fn built_in(env: EnvMap) -> Stores {
    let store: Arc<dyn SecretStore> = Arc::new(keyrot_secrets_env::EnvStore::new(env));
    Stores::from([(StoreKind::Env, store)])
}

#[cfg(not(feature = "env"))]
fn built_in(_: EnvMap) -> Stores {
    Stores::new()
}

impl Resolver {
    /// A resolver that looks into `default` for keys that name no store of their own.
    #[must_use]
    pub fn new(default: StoreKind, env: EnvMap) -> Self {
        Self { default, stores: built_in(env) }
    }

    /// Puts a store of the caller's own in the place of the built-in one.
    #[must_use]
    pub fn with_store(mut self, kind: StoreKind, store: Arc<dyn SecretStore>) -> Self {
        self.stores.insert(kind, store);
        self
    }

    /// Where the secret of `key` is: by its own `secret`, else in the default store under its id.
    #[must_use]
    pub fn place(&self, key: &Key) -> (StoreKind, String) {
        match &key.secret {
            Some(place) => (place.store, place.name.clone()),
            None => (self.default, key.id.to_string()),
        }
    }

    /// Reads the secret of `key` from its store.
    ///
    /// # Errors
    /// [`SecretError`], which never carries the secret's text.
    pub async fn fetch(&self, key: &Key) -> Result<Secret, SecretError> {
        let (kind, name) = self.place(key);
        match self.stores.get(&kind) {
            Some(store) => store.fetch(&name).await,
            // The feature has the store's name.
            None => Err(SecretError::BackendDisabled { store: kind.as_str(), feature: kind.as_str() }),
        }
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { default, stores } = self;
        // Names alone: the author of a store may have derived its debug text over what it holds.
        let stores: Vec<StoreKind> = stores.keys().copied().collect();
        f.debug_struct("Resolver").field("default", default).field("stores", &stores).finish()
    }
}
