//! The desk where tokens are had: one login for all who ask, a pause between two, and a token renewed before it ends.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt as _;
use keyrot_core::SecretError;
use parking_lot::Mutex as SmallLock;
use rustify::Endpoint;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;
use tokio::time::{Sleep, sleep};

use crate::fault::Fault;
use crate::login::{self, Lease, Way};
use crate::wire::{Answer, Wire};

/// Between two logins: a secret id may be good for a few only, and a server in trouble is left alone.
const PAUSE: Duration = Duration::from_secs(3);
/// Between two tries to renew what the server could not be asked for, at first and at most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

pub(crate) struct Desk {
    pub(crate) wire: Wire,
    pub(crate) way: Way,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    session: Option<Arc<Session>>,
    made: u64,
    /// Why the last login gave nothing.
    failed: Option<SecretError>,
    /// Not over yet: no login now.
    pause: Option<Pin<Box<Sleep>>>,
}

/// A token in use.
pub(crate) struct Session {
    token: SecretString,
    number: u64,
    keeper: SmallLock<Option<AbortHandle>>,
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.lock().take() {
            keeper.abort();
        }
    }
}

impl Desk {
    pub(crate) fn new(wire: Wire, way: Way) -> Arc<Self> {
        Arc::new(Self { wire, way, state: Mutex::default() })
    }

    /// Asks with a token; once more with another when the first is refused and another is to be had.
    pub(crate) async fn ask<E: Endpoint>(self: &Arc<Self>, endpoint: &E) -> Result<Answer, Fault> {
        let session = self.session(None).await.map_err(Fault::NoLogin)?;
        let Some(session) = session else { return Err(Fault::Unsendable) };
        match self.wire.call(endpoint, Some(&session.token)).await {
            Err(fault) if fault.is_forbidden() => {
                match self.session(Some(session.number)).await.map_err(Fault::NoLogin)? {
                    Some(other) => self.wire.call(endpoint, Some(&other.token)).await,
                    None => Err(fault),
                }
            }
            answer => answer,
        }
    }

    /// The session of all; a new one when there is none, or when `refused` is its number. `None` when there is no
    /// other to be had now.
    async fn session(self: &Arc<Self>, refused: Option<u64>) -> Result<Option<Arc<Session>>, SecretError> {
        let mut state = self.state.lock().await;
        let current = state.session.clone().filter(|session| Some(session.number) != refused);
        if !self.way.makes_tokens() {
            return self.given(&mut state, current.is_none()).await;
        }
        if current.is_some() {
            return Ok(current);
        }
        let resting = state.pause.as_mut().is_some_and(|pause| pause.as_mut().now_or_never().is_none());
        if resting {
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            // Somebody broke off a login, or the last one's token is refused already.
            if state.session.is_some() {
                return Ok(None);
            }
        }
        state.pause = Some(Box::pin(sleep(PAUSE)));
        state.failed = None;
        match self.way.token(&self.wire).await {
            Ok((token, lease)) => Ok(Some(self.open(&mut state, token, lease))),
            Err(error) => {
                state.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    /// A token that others make: from a file, it may be another at any time.
    async fn given(
        self: &Arc<Self>,
        state: &mut State,
        refused: bool,
    ) -> Result<Option<Arc<Session>>, SecretError> {
        let (token, lease) = self.way.token(&self.wire).await?;
        let same =
            state.session.as_ref().filter(|session| session.token.expose_secret() == token.expose_secret());
        match same {
            Some(_) if refused => Ok(None),
            Some(session) => Ok(Some(Arc::clone(session))),
            None => Ok(Some(self.open(state, token, lease))),
        }
    }

    fn open(self: &Arc<Self>, state: &mut State, token: SecretString, lease: Option<Lease>) -> Arc<Session> {
        state.made += 1;
        let session = Arc::new(Session { token, number: state.made, keeper: SmallLock::default() });
        let keeper = Keeper {
            desk: Arc::downgrade(self),
            session: Arc::downgrade(&session),
            makes_tokens: self.way.makes_tokens(),
        };
        // Ended by the session, which ends with the store.
        let task = tokio::spawn(keeper.keep(lease));
        *session.keeper.lock() = Some(task.abort_handle());
        // The one before goes last: it may have ordered this from its own keeper, which it ends.
        state.session = Some(Arc::clone(&session));
        session
    }
}

/// Keeps one session's token alive, and holds neither it nor the store while it sleeps.
struct Keeper {
    desk: Weak<Desk>,
    session: Weak<Session>,
    makes_tokens: bool,
}

/// What comes next for a token.
enum Next {
    Keep(Lease),
    Again,
    Other,
    End,
}

impl Keeper {
    async fn keep(self, lease: Option<Lease>) {
        let mut lease = match lease {
            Some(lease) => lease,
            None => match self.look_up().await {
                Some(lease) => lease,
                None => return,
            },
        };
        let granted = lease.lasts;
        let mut wait = AGAIN.0;
        let mut next = Next::Keep(lease);
        loop {
            next = match next {
                // Root tokens and the like.
                Next::Keep(Lease { lasts: Duration::ZERO, .. }) | Next::End => return,
                Next::Keep(fresh) => {
                    (lease, wait) = (fresh, AGAIN.0.min(fresh.lasts / 6));
                    sleep(two_thirds(lease.lasts)).await;
                    self.renew(lease, granted).await
                }
                Next::Again => {
                    sleep(jittered(wait)).await;
                    wait = (wait * 2).min(AGAIN.1);
                    self.renew(lease, granted).await
                }
                Next::Other => match self.other().await {
                    true => return,
                    false => {
                        sleep(jittered(wait.max(PAUSE))).await;
                        wait = (wait * 2).min(AGAIN.1);
                        Next::Other
                    }
                },
            };
        }
    }

    async fn look_up(&self) -> Option<Lease> {
        let mut wait = AGAIN.0;
        loop {
            let (desk, session) = (self.desk.upgrade()?, self.session.upgrade()?);
            match login::look_up(&desk.wire, &session.token).await {
                Ok(lease) => return Some(lease),
                // It may be used and not looked up: then it is not renewed.
                Err(Fault::Refused { status: 400..=499, .. }) => return None,
                Err(_) => {}
            }
            drop((desk, session));
            sleep(jittered(wait)).await;
            wait = (wait * 2).min(AGAIN.1);
        }
    }

    async fn renew(&self, lease: Lease, granted: Duration) -> Next {
        let (Some(desk), Some(session)) = (self.desk.upgrade(), self.session.upgrade()) else {
            return Next::End;
        };
        let ended = if self.makes_tokens { Next::Other } else { Next::End };
        if !lease.renewable {
            return ended;
        }
        match login::renew(&desk.wire, &session.token).await {
            // Its longest life is near: the server gives less than it gave at first.
            Ok(fresh) if fresh.lasts < granted && self.makes_tokens => Next::Other,
            Ok(fresh) => Next::Keep(fresh),
            Err(Fault::Refused { status: 400..=499, said, .. }) if !said.contains("sealed") => {
                tracing::warn!("the Vault token is not renewed any more");
                ended
            }
            Err(_) => Next::Again,
        }
    }

    /// Whether there is another session now.
    async fn other(&self) -> bool {
        let (Some(desk), Some(session)) = (self.desk.upgrade(), self.session.upgrade()) else { return true };
        match desk.session(Some(session.number)).await {
            Ok(other) => other.is_some(),
            Err(error) => {
                tracing::warn!("no new Vault token: {}", error.scrubbed());
                false
            }
        }
    }
}

/// When to renew: at two thirds, and a little before, so that many programs do not come at once.
fn two_thirds(lease: Duration) -> Duration {
    jittered(lease * 2 / 3)
}

/// Up to a tenth shorter.
fn jittered(time: Duration) -> Duration {
    time.mul_f64(0.9 + 0.1 * fastrand::f64())
}
