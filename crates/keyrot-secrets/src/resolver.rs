//! From a key to the store that holds its secret, and the name it has there.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use keyrot_core::keys::{Key, SecretRef, StoreKind};
use keyrot_core::{EnvMap, SecretError, SecretStore};

/// Knows which store holds which key's secret. Every kind of store is known to every build; one
/// that is not compiled in answers [`SecretError::BackendDisabled`].
pub struct Resolver {
    default: StoreKind,
    stores: Stores,
}

/// The stores of this build. One whose settings are wrong or missing is here as the error that says so,
/// which is told once a key needs it.
type Stores = BTreeMap<StoreKind, Result<Arc<dyn SecretStore>, SecretError>>;

#[cfg_attr(
    not(any(feature = "aws", feature = "azure", feature = "env", feature = "vault")),
    expect(unused_variables, reason = "no store of this build has settings")
)]
fn built_in(env: &EnvMap) -> Stores {
    Stores::from([
        #[cfg(feature = "aws")]
        made(StoreKind::Aws, keyrot_secrets_aws::AwsStore::new(env)),
        #[cfg(feature = "env")]
        made(StoreKind::Env, Ok(keyrot_secrets_env::EnvStore::new(env.clone()))),
        #[cfg(feature = "vault")]
        made(StoreKind::Vault, keyrot_secrets_vault::VaultStore::new(env)),
        #[cfg(feature = "azure")]
        made(StoreKind::Azure, keyrot_secrets_azure::AzureStore::new(env)),
    ])
}

#[cfg_attr(
    not(any(feature = "aws", feature = "azure", feature = "env", feature = "vault")),
    expect(dead_code, reason = "this build has no store")
)]
fn made<S: SecretStore>(
    kind: StoreKind,
    store: Result<S, SecretError>,
) -> (StoreKind, Result<Arc<dyn SecretStore>, SecretError>) {
    (kind, store.map(|store| Arc::new(store) as Arc<dyn SecretStore>))
}

impl Resolver {
    /// A resolver that looks into `default` for keys that name no store of their own.
    #[must_use]
    pub fn new(default: StoreKind, env: &EnvMap) -> Self {
        Self { default, stores: built_in(env) }
    }

    /// Puts a store of the caller's own in the place of the built-in one.
    #[must_use]
    pub fn with_store(mut self, kind: StoreKind, store: Arc<dyn SecretStore>) -> Self {
        self.stores.insert(kind, Ok(store));
        self
    }

    /// The kind of store that has the secret of `key`.
    #[must_use]
    pub fn kind(&self, key: &Key) -> StoreKind {
        key.secret.as_ref().map_or(self.default, |place| place.store)
    }

    /// Where the secret of `key` is: at its own `secret`, which names it in full, else in the default store
    /// under the name that this gives to the key's label.
    ///
    /// # Errors
    /// As [`store`](Self::store), and where the store cannot spell the label.
    pub fn place(&self, key: &Key) -> Result<SecretRef, SecretError> {
        match &key.secret {
            Some(place) => Ok(place.clone()),
            None => Ok(SecretRef { store: self.default, name: self.store(self.default)?.name_of(&key.id)? }),
        }
    }

    /// Refuses keys that would meet at one secret without meaning to, for the default store's names are fewer
    /// than labels.
    ///
    /// # Errors
    /// [`SecretError::Misconfigured`], which names both keys and the way out.
    #[cfg_attr(
        not(feature = "azure"),
        expect(unused_variables, reason = "every store here has a name per label")
    )]
    pub fn check(&self, keys: &[Key]) -> Result<(), SecretError> {
        #[cfg(feature = "azure")]
        if self.default == StoreKind::Azure {
            let labels = keys.iter().filter(|key| key.secret.is_none()).map(|key| &key.id);
            if let Some(meeting) = keyrot_secrets_azure::collisions(labels).into_iter().next() {
                return Err(meeting.into());
            }
        }
        Ok(())
    }

    /// The store of a kind.
    ///
    /// # Errors
    /// [`SecretError::BackendDisabled`] for one that is not in this build, [`SecretError::Misconfigured`] for
    /// one whose settings are wrong or missing.
    pub fn store(&self, kind: StoreKind) -> Result<&Arc<dyn SecretStore>, SecretError> {
        match self.stores.get(&kind) {
            Some(store) => store.as_ref().map_err(Clone::clone),
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
