//! The store: what is asked of the service, in which order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_secretsmanager::primitives::Blob;
use futures_util::future::join_all;
use keyrot_core::secret::text;
use keyrot_core::{EnvMap, KeyId, Secret, SecretError, SecretStore};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::timeout;

use crate::batch;
use crate::connection::{Connection, Made};
use crate::failure::{self, Asked, Refusal};
use crate::found::{CURRENT, Found, unusable};
use crate::name;
use crate::quiet::quietly;
use crate::settings::{FIELDS, Settings};

/// The longest one question may take, with the login before it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many secrets are read at once where they are read one by one.
const AT_ONCE: usize = 8;

/// Secrets in AWS Secrets Manager.
///
/// The secret of the key `flash_01` is called `keyrot/flash_01`; `AWS_SECRET_PREFIX` changes what stands before
/// the label. Only the version staged `AWSCURRENT` is ever given.
///
/// `AWS_REGION`, `AWS_ENDPOINT_URL`, `AWS_PROFILE` and the keys `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and
/// `AWS_SESSION_TOKEN` come out of the [`EnvMap`]. What is missing there the SDK looks for itself, as everywhere:
/// the process's environment, `~/.aws`, web identity, the metadata of container and machine.
///
/// ```
/// use keyrot_core::{EnvMap, KeyId, SecretStore};
/// use keyrot_secrets_aws::AwsStore;
///
/// let store = AwsStore::new(&EnvMap::from_iter([("AWS_REGION", "eu-central-1")]))?;
/// assert_eq!(store.name_of(&KeyId::new("flash_01")?)?, "keyrot/flash_01");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AwsStore {
    connection: Connection,
    /// Whether reading several at once was refused: that takes a right of its own.
    one_by_one: AtomicBool,
}

impl AwsStore {
    /// A store with the settings in `env`. Asks nobody yet.
    ///
    /// # Errors
    /// [`SecretError::Misconfigured`] for a setting that makes no sense; it names the variable.
    pub fn new(env: &EnvMap) -> Result<Self, SecretError> {
        let connection = Connection::new(Settings::read(env)?);
        Ok(Self { connection, one_by_one: AtomicBool::new(false) })
    }

    /// Bounds `work`, which is everything one question takes.
    async fn patiently<T>(
        &self,
        work: impl Future<Output = Result<T, SecretError>>,
    ) -> Result<T, SecretError> {
        let late = |_| Err(failure::no_answer("AWS Secrets Manager"));
        timeout(PATIENCE, work).await.unwrap_or_else(late)
    }

    /// The current version of one.
    async fn get(&self, made: &Made, name: &str) -> Result<Found, Missing> {
        let call = made.client.get_secret_value().secret_id(name).version_stage(CURRENT);
        match quietly(call.send()).await {
            Ok(output) => Ok(Found::from(output)),
            Err(error) => Err(Missing {
                has_no_value: Refusal::of(&error).is_some_and(|refusal| refusal.is_without_value()),
                error: failure::error(&error, &asked(made, "GetSecretValue", name)),
            }),
        }
    }

    /// What one call says of up to [`batch::MOST`] secrets; `None` where they have to be asked for one by one.
    ///
    /// # Errors
    /// What is about none of them: an outage, a login that failed.
    async fn get_several(
        &self,
        names: &[&str],
    ) -> Result<Vec<Option<Result<Secret, SecretError>>>, SecretError> {
        let nothing = || names.iter().map(|_| None).collect();
        let work = async {
            let made = self.connection.made().await?;
            let ids = names.iter().map(|&name| name.to_owned()).collect();
            let call = made.client.batch_get_secret_value().set_secret_id_list(Some(ids));
            let error = match quietly(call.send()).await {
                Ok(output) => {
                    return Ok(batch::answers(output, names, |name| asked(made, "GetSecretValue", name)));
                }
                Err(error) => error,
            };
            if let Some(refusal) = Refusal::of(&error) {
                if refusal.is_denied() || refusal.is_unknown() {
                    self.note_one_by_one();
                    return Ok(nothing());
                }
                if refusal.is_about_one() {
                    return Ok(nothing());
                }
            }
            Err(failure::error(&error, &asked(made, "BatchGetSecretValue", "several secrets")))
        };
        self.patiently(work).await
    }

    fn note_one_by_one(&self) {
        if !self.one_by_one.swap(true, Ordering::Relaxed) {
            tracing::info!(
                "no right to read several secrets at once (`secretsmanager:BatchGetSecretValue` on `*`): each is \
                 read by a call of its own"
            );
        }
    }

    /// Each by a call of its own, a few at a time. An outage is not waited for more than once.
    async fn get_each(&self, names: &[&str]) -> Vec<Result<Secret, SecretError>> {
        let mut answers: Vec<Result<Secret, SecretError>> = Vec::with_capacity(names.len());
        for some in names.chunks(AT_ONCE) {
            let outage = answers.iter().find_map(|answer| match answer {
                Err(error @ SecretError::Unavailable { .. }) => Some(error.clone()),
                _ => None,
            });
            match outage {
                Some(error) => answers.extend(some.iter().map(|_| Err(error.clone()))),
                None => answers.extend(join_all(some.iter().map(|name| self.fetch(name))).await),
            }
        }
        answers
    }
}

#[async_trait]
impl SecretStore for AwsStore {
    fn name_of(&self, key: &KeyId) -> Result<String, SecretError> {
        let name = format!("{}{key}", self.connection.settings().prefix);
        name::check(&name)?;
        Ok(name)
    }

    async fn fetch(&self, name: &str) -> Result<Secret, SecretError> {
        name::check(name)?;
        let work = async {
            let made = self.connection.made().await?;
            self.get(made, name).await.map_err(|missing| missing.error)?.secret(name)
        };
        self.patiently(work).await
    }

    async fn fetch_all(&self, names: &[String]) -> Vec<Result<Secret, SecretError>> {
        // One of them that cannot be spelt would spoil the call for all; one that is there twice is asked once.
        let mut known: HashMap<&str, Result<Secret, SecretError>> = HashMap::new();
        let mut left: Vec<&str> = Vec::new();
        for name in names.iter().map(String::as_str) {
            if let Err(error) = name::check(name) {
                known.insert(name, Err(error));
            } else if !left.contains(&name) {
                left.push(name);
            }
        }
        let mut each = Vec::new();
        for some in left.chunks(batch::MOST) {
            if some.len() == 1 || self.one_by_one.load(Ordering::Relaxed) {
                each.extend_from_slice(some);
                continue;
            }
            let answers = match self.get_several(some).await {
                Ok(answers) => answers,
                // Who cannot answer one question is asked no other: those would be waited for as long.
                Err(error) => {
                    return all(names, |name| known.get(name).cloned().unwrap_or_else(|| Err(error.clone())));
                }
            };
            for (name, answer) in some.iter().zip(answers) {
                match answer {
                    Some(answer) => {
                        known.insert(name, answer);
                    }
                    None => each.push(*name),
                }
            }
        }
        let answers = self.get_each(&each).await;
        known.extend(each.into_iter().zip(answers));
        let unasked = || Err(failure::no_answer("AWS Secrets Manager"));
        all(names, |name| known.get(name).cloned().unwrap_or_else(unasked))
    }

    async fn put(&self, name: &str, value: &SecretString) -> Result<Option<String>, SecretError> {
        name::check(name)?;
        let work = async {
            let made = self.connection.made().await?;
            let before = match self.get(made, name).await {
                Ok(found) => Some(found),
                Err(missing) if missing.has_no_value => None,
                Err(missing) => return Err(missing.error),
            };
            let (text, is_binary) = match &before {
                Some(found) => (found.text(name)?, found.is_binary),
                None => ("", false),
            };
            let new =
                text::with_key(text, &FIELDS, value.expose_secret()).map_err(|why| unusable(name, why))?;
            let call = made.client.put_secret_value().secret_id(name);
            let call = if is_binary {
                call.secret_binary(Blob::new(new.as_bytes()))
            } else {
                call.secret_string(new.as_str())
            };
            let output = quietly(call.send()).await;
            let output =
                output.map_err(|error| failure::error(&error, &asked(made, "PutSecretValue", name)))?;
            Ok(output.version_id)
        };
        self.patiently(work).await
    }
}

/// An answer for each name, in their order.
fn all<T>(names: &[String], answer: impl Fn(&str) -> T) -> Vec<T> {
    names.iter().map(|name| answer(name)).collect()
}

/// Why there is no current version to be had.
struct Missing {
    has_no_value: bool,
    error: SecretError,
}

fn asked<'a>(made: &'a Made, action: &'static str, name: &'a str) -> Asked<'a> {
    Asked { action, name, region: &made.region, place: &made.place }
}
