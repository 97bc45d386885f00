//! The login: one token for all calls, kept alive as long as the store lives, and got anew when it is refused.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use keyrot_core::{SecretError, untrusted};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;
use vaultrs::api::AuthInfo;
use vaultrs::auth::{approle, kubernetes};
use vaultrs::client::Client as _;

use crate::connection::{Server, quietly};
use crate::failure::{Failure, behind};
use crate::settings::{STORE, SecretId, Way, can_be_sent, wrong};

/// The least time from one login to the next: a right that is missing must not become a storm of logins, each
/// of which may use up one of a few.
const LOGINS: Duration = Duration::from_secs(5);
/// A token with less left to live is not worth renewing.
const SHORT: Duration = Duration::from_secs(2);

/// A token and what is known of its life.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) value: SecretString,
    life: Option<Life>,
}

#[derive(Debug, Clone, Copy)]
struct Life {
    lease: Duration,
    renewable: bool,
}

/// See the module's docs.
pub(crate) struct Session {
    server: Arc<Server>,
    way: Way,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Arc<Token>>,
    tried: Option<Instant>,
    failed: Option<SecretError>,
}

impl Session {
    pub(crate) fn new(server: Arc<Server>, way: Way) -> Arc<Self> {
        Arc::new(Self { server, way, state: Mutex::default() })
    }

    /// The token, got by a login where there is none. Who asks meanwhile waits for the same login.
    pub(crate) async fn token(self: &Arc<Self>) -> Result<Arc<Token>, SecretError> {
        let mut state = self.state.lock().await;
        match &state.token {
            Some(token) if self.is_current(token).await => Ok(Arc::clone(token)),
            _ => self.login(&mut state).await,
        }
    }

    /// Whether it is still what its file holds, if it came from one. While the file cannot be read, it serves on.
    async fn is_current(&self, token: &Token) -> bool {
        let Way::TokenFile(path) = &self.way else { return true };
        let held = secret_in(path, "VAULT_TOKEN_FILE").await;
        held.map_or(true, |held| held.expose_secret() == token.value.expose_secret())
    }

    /// A token in place of `refused`, once for all whom it failed together; `None` where there is no other.
    pub(crate) async fn another(self: &Arc<Self>, refused: &Arc<Token>) -> Option<Arc<Token>> {
        let mut state = self.state.lock().await;
        if let Some(token) = state.token.as_ref().filter(|token| !Arc::ptr_eq(token, refused)) {
            return Some(Arc::clone(token));
        }
        // One that was given to us is what it is.
        if matches!(self.way, Way::Token(_)) || state.tried.is_some_and(|at| at.elapsed() < LOGINS) {
            return None;
        }
        let fresh = self.login(&mut state).await.ok()?;
        let is_another = fresh.value.expose_secret() != refused.value.expose_secret();
        is_another.then_some(fresh)
    }

    async fn login(self: &Arc<Self>, state: &mut State) -> Result<Arc<Token>, SecretError> {
        if let (Some(error), Some(true)) = (&state.failed, state.tried.map(|at| at.elapsed() < LOGINS)) {
            return Err(error.clone());
        }
        state.tried = Some(stopwatch());
        let token = match self.get_token().await {
            Ok(token) => Arc::new(token),
            Err(error) => {
                state.failed = Some(error.clone());
                return Err(error);
            }
        };
        state.failed = None;
        state.token = Some(Arc::clone(&token));
        if let Some(life) = token.life.filter(|life| life.lease > Duration::ZERO) {
            self.keep_alive(&token, life);
        }
        Ok(token)
    }

    /// Has the token kept alive in the background. The box ends a circle: what keeps it alive may log in.
    fn keep_alive(self: &Arc<Self>, token: &Arc<Token>, life: Life) {
        let alive: BoxFuture<'static, ()> =
            Box::pin(keep_alive(Arc::downgrade(self), Arc::downgrade(token), life));
        tokio::spawn(alive);
    }

    async fn get_token(&self) -> Result<Token, SecretError> {
        let call = self.server.call(None);
        let info = match &self.way {
            Way::Token(token) => return self.looked_up(token.clone()).await,
            Way::TokenFile(path) => return self.looked_up(secret_in(path, "VAULT_TOKEN_FILE").await?).await,
            Way::AppRole { role, secret } => {
                let read;
                let secret = match secret {
                    SecretId::Given(secret) => secret,
                    SecretId::File(path) => {
                        read = secret_in(path, "VAULT_SECRET_ID_FILE").await?;
                        &read
                    }
                };
                quietly(approle::login(&call.0, "approle", role, secret.expose_secret())).await
            }
            Way::Kubernetes { role, mount, token } => {
                let jwt = secret_in(token, "VAULT_K8S_TOKEN_FILE").await?;
                quietly(kubernetes::login(&call.0, mount, role, jwt.expose_secret())).await
            }
        };
        match info {
            Ok(info) => Ok(Token::from(info)),
            Err(error) => Err(self.refused(Failure::of(error, &self.server))),
        }
    }

    /// A token that was given to us, with what the server knows of its life. A policy may forbid it to ask:
    /// then it is used as it is.
    async fn looked_up(&self, value: SecretString) -> Result<Token, SecretError> {
        let call = self.server.call(Some(&value));
        match quietly(call.0.lookup()).await {
            Ok(mut found) => {
                drop(Zeroizing::new(std::mem::take(&mut found.id)));
                let lease = Duration::from_secs(found.ttl);
                Ok(Token { value, life: Some(Life { lease, renewable: found.renewable.unwrap_or(false) }) })
            }
            Err(error) => match Failure::of(error, &self.server) {
                failure if failure.is_forbidden() => Ok(Token { value, life: None }),
                failure => Err(self.refused(failure)),
            },
        }
    }

    fn refused(&self, failure: Failure) -> SecretError {
        let (way, hint) = match &self.way {
            Way::Token(_) => ("the token of `VAULT_TOKEN`", "log in again, and set `VAULT_TOKEN`"),
            Way::TokenFile(_) => ("the token of the file", "log in again, or see to what writes the file"),
            Way::AppRole { .. } => (
                "AppRole",
                "see `VAULT_ROLE_ID` and `VAULT_SECRET_ID`: a secret id may have expired or be used up",
            ),
            Way::Kubernetes { .. } => (
                "Kubernetes",
                "see `VAULT_K8S_ROLE` and `VAULT_K8S_MOUNT`, and which service accounts the role binds",
            ),
        };
        match failure {
            Failure::Broken(error) => error,
            Failure::Refused { status: 400 | 403 | 404, said, .. } => SecretError::Denied {
                store: STORE,
                why: format!("the login by {way} failed{}", behind(&said)),
                hint: hint.to_owned(),
            },
            Failure::Refused { status, said, .. } => Failure::general(status, &said, &self.server),
        }
    }
}

impl From<AuthInfo> for Token {
    fn from(info: AuthInfo) -> Self {
        let lease = Duration::from_secs(info.lease_duration);
        let value = SecretString::from(info.client_token);
        untrusted::remember(&value);
        Self { value, life: Some(Life { lease, renewable: info.renewable }) }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("server", &self.server.place()).finish_non_exhaustive()
    }
}

/// Renews the token when two thirds of its life are over, and logs in again where that is no longer granted. Ends
/// with the session, and when there is another token.
async fn keep_alive(session: Weak<Session>, token: Weak<Token>, mut life: Life) {
    let whole = life.lease;
    loop {
        tokio::time::sleep(life.lease / 3 * 2 - life.lease / 30 * fastrand::u32(0..=3)).await;
        let (Some(session), Some(own)) = (session.upgrade(), token.upgrade()) else { return };
        let renewed = if life.renewable { session.renew(&own).await } else { None };
        match renewed {
            // Near its end a token is granted less and less.
            Some(next) if next.lease > SHORT && next.lease >= whole / 3 => life = next,
            _ => {
                let mut state = session.state.lock().await;
                if !state.token.as_ref().is_some_and(|token| Arc::ptr_eq(token, &own)) {
                    return;
                }
                // A token that was given to us serves until it is refused.
                if !matches!(session.way, Way::Token(_))
                    && let Err(error) = session.login(&mut state).await
                {
                    tracing::warn!(%error, "the vault's token ends soon, and there is no other yet");
                    // Whoever asks next tries again.
                    state.token = None;
                }
                return;
            }
        }
    }
}

impl Session {
    async fn renew(&self, token: &Token) -> Option<Life> {
        let call = self.server.call(Some(&token.value));
        let info = quietly(call.0.renew(None)).await.ok()?;
        let life = Life { lease: Duration::from_secs(info.lease_duration), renewable: info.renewable };
        drop(SecretString::from(info.client_token));
        Some(life)
    }
}

/// The one line in a file, such as a token that something else keeps fresh.
async fn secret_in(path: &Path, variable: &str) -> Result<SecretString, SecretError> {
    let owned = path.to_owned();
    let read = tokio::task::spawn_blocking(move || fs::read_to_string(owned).map(Zeroizing::new)).await;
    let unreadable = |why: String| {
        wrong(
            &format!("cannot read the token in `{}`: {why}", keyrot_core::untrusted::path(path)),
            &format!("see `{variable}`, and who may read the file"),
        )
    };
    let text = read
        .map_err(|error| unreadable(error.to_string()))?
        .map_err(|error| unreadable(error.to_string()))?;
    match text.trim() {
        "" => Err(unreadable("it is empty".to_owned())),
        token if !can_be_sent(token) => Err(unreadable("it holds more than a token".to_owned())),
        token => {
            let token = SecretString::from(token);
            untrusted::remember(&token);
            Ok(token)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long ago a login was; nothing about keys depends on it")]
fn stopwatch() -> Instant {
    Instant::now()
}
