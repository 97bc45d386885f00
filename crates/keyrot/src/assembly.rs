//! From settings to a rotator: which mode, which keys, which secrets.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use keyrot_core::keys::{Key, KeySet, PoolConfig};
use keyrot_core::{Clock, EnvMap, FactStore, RateLimiter, SecretStore};
use keyrot_secrets::{Resolver, SecretCache, StoreKind};

use crate::clock::SystemClock;
use crate::event::{Observer, Watch};
use crate::limiter::{Given, Limiter, Time};
use crate::pool::{Parts, Pool};
use crate::reload::{self, Source};
use crate::roster::Roster;
use crate::rotator::Rotator;
use crate::settings::Settings;
use crate::setup::SetupError;
use crate::sources::{self, Loaded, named_by_variables};
use crate::trust::Trust;

/// One key, or many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// What `ENABLE_KEY_ROTATION` says; many when it is unset and `GEMINI_API_KEYS` holds two or more.
    #[default]
    Auto,
    /// The one key of `GEMINI_API_KEY`, whatever else is set.
    Single,
    /// The keys of keys.json or `GEMINI_API_KEYS`, whatever `ENABLE_KEY_ROTATION` says.
    Multi,
}

/// Puts a [`Rotator`] together.
///
/// ```
/// # async fn example() -> Result<(), keyrot::SetupError> {
/// let made = keyrot::Assembly::new(keyrot::process_env()).make().await?;
/// for warning in &made.warnings {
///     eprintln!("warning: {warning}");
/// }
/// let rotator = made.rotator;
/// # Ok(()) }
/// ```
pub struct Assembly {
    env: EnvMap,
    mode: Mode,
    keys: Option<KeySet>,
    time: Time,
    limiter: Option<Given>,
    watch: Watch,
    stores: Vec<(StoreKind, Arc<dyn SecretStore>)>,
    rng: fastrand::Rng,
}

/// A rotator and what a user should know.
#[derive(Debug)]
#[non_exhaustive]
pub struct Made {
    /// The rotator.
    pub rotator: Rotator,
    /// The settings it was made from.
    pub settings: Settings,
    /// The mode it came to: never [`Mode::Auto`].
    pub mode: Mode,
    /// The keys.json that the keys come from, where they come from one.
    pub keys_file: Option<PathBuf>,
    /// What the settings allow keys.
    pub trust: Trust,
    /// One sentence each.
    pub warnings: Vec<String>,
}

/// What the keys come from, before their secrets are read.
struct Plan {
    mode: Mode,
    keys: Vec<Key>,
    single: Option<Key>,
    config: PoolConfig,
    /// The file they come from, and its text.
    file: Option<(PathBuf, String)>,
}

impl Assembly {
    /// By the settings in `env`, in the machine's time.
    #[must_use]
    pub fn new(env: EnvMap) -> Self {
        Self {
            env,
            mode: Mode::Auto,
            keys: None,
            time: Time::Machine(Arc::new(SystemClock::start())),
            limiter: None,
            watch: Watch::default(),
            stores: Vec::new(),
            rng: fastrand::Rng::new(),
        }
    }

    /// One key, or many, whatever the settings say.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// These keys instead of keys.json; the mode becomes [`Mode::Multi`].
    #[must_use]
    pub fn keys(mut self, keys: KeySet) -> Self {
        self.mode = Mode::Multi;
        self.keys = Some(keys);
        self
    }

    /// Another clock, by which everything goes, a shared store included. Unless `KEYROT_STATE` or
    /// `REDIS_URL` names a store, limits and cooldowns then are kept in this process.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.time = Time::Given(clock);
        self
    }

    /// A store of limits, cooldowns and facts of the embedder's own, whatever `KEYROT_STATE` and `REDIS_URL`
    /// say; what it needs in the background is the embedder's to run. It decides by its own clock, which
    /// should be the one given to [`clock`](Self::clock).
    #[must_use]
    pub fn limiter(mut self, store: impl RateLimiter + FactStore) -> Self {
        self.limiter = Some(Given::new(store));
        self
    }

    /// Somebody who watches every request.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.watch = Watch(Some(observer));
        self
    }

    /// A secret store of the embedder's own in place of the built-in one.
    #[must_use]
    pub fn store(mut self, kind: StoreKind, store: Arc<dyn SecretStore>) -> Self {
        self.stores.push((kind, store));
        self
    }

    /// Seeds the random draws and jitters, so that a run can be repeated.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.rng = fastrand::Rng::with_seed(seed);
        self
    }

    /// Reads the keys and their secrets and makes the rotator. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`SetupError`]: settings or keys.json with errors, or no usable key at all.
    pub async fn make(mut self) -> Result<Made, SetupError> {
        let settings = Settings::read(&self.env)?;
        let mut warnings = settings.warnings.clone();
        let plan = self.plan(&settings, &mut warnings).await?;
        let own = self.stores.iter().map(|(kind, _)| *kind).collect();
        let trust = Trust::new(&self.env, &settings, own);
        if plan.file.is_some() {
            trust.references(&plan.keys)?;
        }
        trust.credentials(plan.keys.iter().chain(&plan.single))?;
        let limiter = match self.limiter.take() {
            Some(given) => Limiter::Given(given),
            None => Limiter::open(&settings, &self.time, &mut warnings).await?,
        };
        let mut resolver = Resolver::new(settings.secret_store, &self.env);
        for (kind, store) in self.stores.drain(..) {
            resolver = resolver.with_store(kind, store);
        }
        let (clock, jitter) = (Arc::clone(self.time.clock()), self.rng.u16(0..=1_000));
        let secrets = SecretCache::new(resolver, clock, settings.secret_ttl, jitter);
        let Plan { mode, keys, single, config, file } = plan;
        let keys_file = file.as_ref().map(|(path, _)| path.clone());
        let source = file.map(|(path, text)| Source::new(path, text, single.clone(), trust.clone()));
        let has_last_resort = single.is_some();
        let Loaded { keys, missing } =
            sources::load(&secrets, keys, single, |_| false, &mut warnings).await?;
        let pool = Pool::start(Parts {
            roster: Roster::new(keys, has_last_resort, config, |id| !missing.contains_key(id)),
            source,
            clock: Arc::clone(self.time.clock()),
            limiter,
            secrets,
            watch: self.watch,
            rng: self.rng,
        });
        if let Err(error) = pool.keep_disabled().await {
            warnings.push(format!("cannot tell which keys are disabled: {error}"));
        }
        reload::watch(&pool);
        Ok(Made { rotator: Rotator { pool }, settings, mode, keys_file, trust, warnings })
    }

    async fn plan(&mut self, settings: &Settings, warnings: &mut Vec<String>) -> Result<Plan, SetupError> {
        let (listed, single) = named_by_variables(&self.env, warnings)?;
        let rotate = match self.mode {
            Mode::Auto => settings.rotation.unwrap_or(listed.len() >= 2),
            Mode::Single => false,
            Mode::Multi => true,
        };
        if !rotate {
            return self.single_plan(settings, single, listed);
        }
        let (keys, config, file) = match self.keys.take() {
            Some(set) => (set.keys, set.config, None),
            None => match sources::read_keys_file(&settings.keys_file).await? {
                Some(text) => {
                    let set = sources::parse(&settings.keys_file, &text, warnings)?;
                    if !listed.is_empty() {
                        warnings.push(format!(
                            "`GEMINI_API_KEYS` is ignored: the keys come from `{}`",
                            keyrot_core::untrusted::path(&settings.keys_file)
                        ));
                    }
                    (set.keys, set.config, Some((settings.keys_file.clone(), text)))
                }
                None => (listed, PoolConfig::default(), None),
            },
        };
        if keys.is_empty() {
            let file = keyrot_core::untrusted::path(&settings.keys_file);
            let Some(single) = single else {
                return Err(SetupError::NoKeys {
                    why: format!(
                        "`{file}` does not exist, and neither `GEMINI_API_KEYS` nor `GEMINI_API_KEY` is set"
                    ),
                    hint: format!("`cp keys_example.json {file}` and edit it, or set one of the variables"),
                });
            };
            warnings.push(format!("rotation is on, but `{file}` does not exist: the single key serves"));
            return Ok(Plan { mode: Mode::Single, keys: vec![single], single: None, config, file: None });
        }
        sources::check_label(&keys, single.as_ref())?;
        let single = single.filter(|_| config.enable_fallback);
        Ok(Plan { mode: Mode::Multi, keys, single, config, file })
    }

    fn single_plan(
        &self,
        settings: &Settings,
        single: Option<Key>,
        listed: Vec<Key>,
    ) -> Result<Plan, SetupError> {
        let config = PoolConfig::default();
        if let Some(key) = single.or_else(|| listed.into_iter().next()) {
            return Ok(Plan { mode: Mode::Single, keys: vec![key], single: None, config, file: None });
        }
        let rotation_could = settings.keys_file.exists() && self.mode != Mode::Single;
        Err(SetupError::NoKeys {
            why: "`GEMINI_API_KEY` is not set".to_owned(),
            hint: if rotation_could {
                format!(
                    "set it, or `ENABLE_KEY_ROTATION=true` to use `{}`",
                    keyrot_core::untrusted::path(&settings.keys_file)
                )
            } else {
                "`export GEMINI_API_KEY=your-key-here`, or put it into `.env`".to_owned()
            },
        })
    }
}

impl fmt::Debug for Assembly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembly").field("mode", &self.mode).finish_non_exhaustive()
    }
}
