//! What an operator may do to the pool: cool, lift, disable, enable, reset.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use keyrot_core::keys::{Key, ModelFilter};
use keyrot_core::{
    Bucket, CoolFor, CoolReport, Cooled, Domain, FactStore, KeyId, LimitError, Method, ModelId, RateLimiter,
    Reason, Samples, Scope, SecretError,
};
use secrecy::SecretString;

use crate::learn;
use crate::pool::Pool;
use crate::rotator::Rotator;

/// Where it is remembered that an operator took a key out.
pub(crate) const DISABLED: &str = "disabled/";
/// What stands there of a key that is out. A store of facts forgets nothing: enabling overwrites it.
const YES: &str = "yes";
const NO: &str = "no";
/// What is to be forgotten at once is kept this long, for stores that know no shorter time.
const AT_ONCE: Duration = Duration::from_millis(1);
const METHODS: [Method; 3] = [Method::Generate, Method::CountTokens, Method::Models];

/// Why an operator's wish was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperateError {
    /// There is no such key.
    #[error("there is no key `{0}`")]
    UnknownKey(KeyId),
    /// Cooldowns hold for a key with its secret, and there is none.
    #[error(
        "the secret of key `{0}` could not be read, so that it is out anyway\nhint: set its secret first"
    )]
    NoSecret(KeyId),
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] LimitError),
    /// The secret store did not do it.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// What was to be the new secret is the one there is.
    #[error(
        "it is the secret that key `{0}` has already\nhint: make a new key for the same project in AI Studio"
    )]
    SameSecret(KeyId),
}

impl Rotator {
    /// The keys of the pool, in the order of the file.
    #[must_use]
    pub fn keys(&self) -> Arc<[Key]> {
        Arc::clone(&self.pool.roster().keys)
    }

    /// The secret of a key, for asking about it outside of any request: nothing is counted.
    #[must_use]
    pub fn secret(&self, key: &KeyId) -> Option<SecretString> {
        self.pool.secrets.get(key).map(|resolved| resolved.secret.clone())
    }

    /// The scope of a key with its secret as it is now.
    ///
    /// # Errors
    /// [`OperateError`] for an unknown key, and for one without a secret.
    pub fn key_scope(&self, key: &KeyId) -> Result<Scope, OperateError> {
        self.pool.known(key)?;
        self.pool.key_scope(key).ok_or_else(|| OperateError::NoSecret(key.clone()))
    }

    /// Whether `secret` could be the next one of `key`, and where it would be kept: `store:name`.
    ///
    /// # Errors
    /// [`OperateError`] for an unknown key, for the secret it has already, and for a store that cannot be used.
    pub fn check_new_secret(&self, key: &KeyId, secret: &SecretString) -> Result<String, OperateError> {
        let entry = self.pool.known(key)?;
        if self.pool.secrets.holds(&entry, secret) {
            return Err(OperateError::SameSecret(key.clone()));
        }
        Ok(self.pool.secrets.place(&entry)?.to_string())
    }

    /// Makes `secret` the secret of `key` in its store, and uses it from now on; calls under way end with the
    /// old one, and what was known of the old one does not count against it. Other processes read it within
    /// [`secret_period`](Self::secret_period), or as soon as the old one is rejected. Gives the label of the
    /// new version, where the store has one.
    ///
    /// # Errors
    /// [`OperateError`] for an unknown key, and when the store does not do it.
    pub async fn replace_secret(
        &self,
        key: &KeyId,
        secret: &SecretString,
    ) -> Result<Option<String>, OperateError> {
        let version = self.pool.secrets.replace(&self.pool.known(key)?, secret).await?;
        self.pool.new_secrets(std::slice::from_ref(key)).await;
        Ok(version)
    }

    /// How long a secret is used before it is read again.
    #[must_use]
    pub fn secret_period(&self) -> Duration {
        self.pool.secrets.period()
    }

    /// Takes `scope` out for as long as an operator says.
    ///
    /// # Errors
    /// [`OperateError::Store`] when the store does not answer.
    pub async fn cool(&self, scope: &Scope, cool: CoolFor) -> Result<Cooled, OperateError> {
        Ok(self.pool.cool_by_operator(scope, cool).await?)
    }

    /// Lifts a cooldown, as [`lift`](Self::lift) does; a key that is disabled stays so. Gives `false` when it
    /// therefore is still out.
    ///
    /// # Errors
    /// [`OperateError::Store`] when the store does not answer.
    pub async fn uncool(&self, scope: &Scope) -> Result<bool, OperateError> {
        self.pool.lift(scope).await?;
        let Scope::Key(key, _) = scope else { return Ok(true) };
        let disabled = self.pool.disabled().await?.contains(key);
        if disabled {
            self.pool.cool_by_operator(scope, CoolFor::UntilLifted).await?;
        }
        Ok(!disabled)
    }

    /// Takes a key out until [`enable`](Self::enable), in every process that shares the store and in every
    /// later one. Gives `false` when it was out already.
    ///
    /// # Errors
    /// [`OperateError`] for an unknown key, and when the store does not answer.
    pub async fn disable(&self, key: &KeyId) -> Result<bool, OperateError> {
        self.pool.known(key)?;
        let before = self.pool.disabled().await?.contains(key);
        self.pool.limiter.put(&format!("{DISABLED}{key}"), YES, None).await?;
        // What refuses it at once, everywhere; the fact is for later secrets.
        if let Some(scope) = self.pool.key_scope(key) {
            self.pool.cool_by_operator(&scope, CoolFor::UntilLifted).await?;
        }
        Ok(!before)
    }

    /// Brings back a key that [`disable`](Self::disable) took out. Gives `false` when it was not out.
    ///
    /// # Errors
    /// [`OperateError`] for an unknown key, and when the store does not answer.
    pub async fn enable(&self, key: &KeyId) -> Result<bool, OperateError> {
        self.pool.known(key)?;
        if !self.pool.disabled().await?.contains(key) {
            return Ok(false);
        }
        self.pool.limiter.put(&format!("{DISABLED}{key}"), NO, None).await?;
        if let Some(scope) = self.pool.key_scope(key) {
            self.pool.lift(&scope).await?;
        }
        Ok(true)
    }

    /// Lifts every cooldown of a key (its own, for each method and model, its project's, and its project's for each of
    /// its models and of `models`), and forgets what limits were learned of its project. A disabled key stays
    /// disabled. Gives the scopes that were lifted.
    ///
    /// # Errors
    /// [`OperateError`] for an unknown key, and when the store does not answer.
    pub async fn reset(&self, key: &KeyId, models: &[ModelId]) -> Result<Vec<Scope>, OperateError> {
        let pool = &self.pool;
        let entry = &pool.known(key)?;
        let mut scopes: Vec<Scope> = Vec::new();
        scopes.push(Scope::Project(entry.project.clone()));
        let mut buckets = pool.buckets(entry, models);
        for (name, domain) in pool.learned_names().await? {
            if domain.project == entry.project {
                pool.limiter.put(&name, "", Some(AT_ONCE)).await?;
                buckets.insert(domain.bucket);
            }
        }
        if let Some(Scope::Key(id, fingerprint)) = pool.key_scope(key) {
            for bucket in &buckets {
                let permission = |method| Scope::Permission(id.clone(), fingerprint, method, bucket.clone());
                scopes.extend(METHODS.map(permission));
            }
            scopes.push(Scope::Key(id, fingerprint));
        }
        let domain = |bucket| Scope::Domain(Domain { project: entry.project.clone(), bucket });
        scopes.extend(buckets.into_iter().map(domain));
        pool.forget_learned(|domain| domain.project == entry.project);
        for scope in &scopes {
            self.uncool(scope).await?;
        }
        Ok(scopes)
    }

    /// [`reset`](Self::reset) of every key, of `models` and of the pool.
    ///
    /// # Errors
    /// [`OperateError::Store`] when the store does not answer.
    pub async fn reset_all(&self, models: &[ModelId]) -> Result<Vec<Scope>, OperateError> {
        let mut scopes: BTreeSet<Scope> = BTreeSet::new();
        let mut buckets = BTreeSet::new();
        for key in self.keys().iter() {
            scopes.extend(self.reset(&key.id, models).await?);
            buckets.extend(self.pool.buckets(key, models));
        }
        let wide = buckets.into_iter().map(Scope::Model).chain([Scope::Pool]);
        for scope in wide {
            self.pool.lift(&scope).await?;
            scopes.insert(scope);
        }
        Ok(scopes.into_iter().collect())
    }
}

impl Pool {
    fn known(&self, key: &KeyId) -> Result<Key, OperateError> {
        self.roster().find(key).cloned().ok_or_else(|| OperateError::UnknownKey(key.clone()))
    }

    fn key_scope(&self, key: &KeyId) -> Option<Scope> {
        self.secrets.get(key).map(|resolved| Scope::Key(key.clone(), resolved.fingerprint))
    }

    async fn cool_by_operator(&self, scope: &Scope, cool: CoolFor) -> Result<Cooled, LimitError> {
        // One throttled project and a throttled machine are not an operator's business.
        let report = CoolReport {
            scope: scope.clone(),
            cool,
            reason: Reason::Operator,
            stamp: None,
            projects: usize::MAX,
            samples: Samples::new(),
        };
        self.limiter.cool(&report).await
    }

    /// The keys an operator took out.
    pub(crate) async fn disabled(&self) -> Result<BTreeSet<KeyId>, LimitError> {
        let facts = self.limiter.scan(DISABLED).await?;
        let out = facts.iter().filter(|(_, fact)| fact.value == YES);
        Ok(out.filter_map(|(name, _)| KeyId::new(&name[DISABLED.len()..]).ok()).collect())
    }

    /// Takes out again what an operator took out: a secret may have changed since, and a store's cooldowns
    /// end before its facts.
    pub(crate) async fn keep_disabled(&self) -> Result<(), LimitError> {
        for key in self.disabled().await? {
            if let Some(scope) = self.key_scope(&key) {
                self.cool_by_operator(&scope, CoolFor::UntilLifted).await?;
            }
        }
        Ok(())
    }

    /// The buckets `key` is known to be used for.
    fn buckets(&self, key: &Key, models: &[ModelId]) -> BTreeSet<Bucket> {
        let listed = match &key.models {
            ModelFilter::Any => &[],
            ModelFilter::Listed(models) => models.as_slice(),
        };
        let roster = self.roster();
        let fallbacks =
            roster.config.model_fallback.iter().flat_map(|(model, more)| more.iter().chain([model]));
        let all = listed.iter().chain(key.model_limits.keys()).chain(fallbacks).chain(models);
        let mut buckets: BTreeSet<Bucket> = all.map(|model| self.aliases.bucket_of(model)).collect();
        self.lanes.each(|lane| {
            buckets.insert(lane.bucket.clone());
        });
        buckets
    }

    /// The facts that hold learned limits, with what they are of.
    pub(crate) async fn learned_names(&self) -> Result<Vec<(String, Domain)>, LimitError> {
        let facts = self.limiter.scan(learn::PREFIX).await?;
        let about = |name: String| learn::about(&name).map(|(domain, _)| (name, domain));
        Ok(facts.into_iter().filter_map(|(name, _)| about(name)).collect())
    }

    /// Puts the configured limits alone into force, where `of` says so.
    fn forget_learned(&self, of: impl Fn(&Domain) -> bool) {
        self.recalled.limits.write().retain(|domain, _| !of(domain));
        self.lanes.each(|field| {
            field
                .groups
                .iter()
                .filter(|group| of(&group.domain))
                .for_each(|group| group.limits.write().forget());
            field.limits_changed();
        });
    }
}

#[cfg(test)]
mod tests;
