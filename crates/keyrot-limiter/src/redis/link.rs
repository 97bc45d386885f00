//! The connection: made when it is first needed, given up when it fails, never waited for longer than
//! the deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyrot_core::LimitError;
use parking_lot::RwLock;
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::address::{Address, Wire};
use super::script::{SCRIPTS, Script};

/// The newest format of what is kept that this release knows. A release that changes it so that this one
/// would spoil it writes its own number under the key `format`.
const FORMAT: u64 = 1;

/// What errors call the store.
pub(super) const STORE: &str = "redis";

/// A connection, and the server at its other end.
pub(super) struct Live {
    wire: Wire,
    /// The name of the server's run.
    pub(super) run: Arc<str>,
    /// What it does when its memory is full.
    pub(super) policy: Arc<str>,
}

/// Whether what was sent may be sent again when nobody knows whether it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// Done twice is done once.
    Yes,
    No,
}

pub(super) struct Link {
    address: Address,
    timeout: Duration,
    /// The pool's key.
    key: String,
    live: RwLock<Option<Arc<Live>>>,
    connecting: Mutex<()>,
    /// The format last found.
    found: AtomicU64,
}

impl Link {
    pub(super) fn new(address: Address, timeout: Duration, key: String) -> Self {
        let (live, connecting, found) = (RwLock::default(), Mutex::default(), AtomicU64::new(FORMAT));
        Self { address, timeout, key, live, connecting, found }
    }

    /// The connection as it is, if there is one.
    pub(super) fn now(&self) -> Option<Arc<Live>> {
        self.live.read().clone()
    }

    /// The connection, made if there is none.
    ///
    /// It is made by a task of its own: a caller who stops asking for a while, as one may who chooses
    /// between futures, keeps nobody else from it.
    async fn live(self: &Arc<Self>) -> RedisResult<Arc<Live>> {
        if let Some(live) = self.now() {
            return Ok(live);
        }
        let link = Arc::clone(self);
        let mut connecting = JoinSet::new();
        connecting.spawn(async move { link.connect().await });
        match connecting.join_next().await {
            Some(Ok(live)) => live,
            _ => Err((ErrorKind::Io, "the attempt to connect was cut short").into()),
        }
    }

    async fn connect(&self) -> RedisResult<Arc<Live>> {
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(live) = self.now() {
            return Ok(live);
        }
        self.greet(self.address.connect().await?).await
    }

    /// Learns who is at the other end of `wire`, and makes the scripts known there: a script that is
    /// known is run in the order in which it was sent.
    async fn greet(&self, mut wire: Wire) -> RedisResult<Arc<Live>> {
        let hello = redis::cmd("EVAL")
            .arg(&SCRIPTS.hello.code)
            .arg(1)
            .arg(&self.key)
            .arg(super::coding::common(None, 0.0))
            .to_owned();
        let (run, policy, format): (String, String, String) =
            redis::from_redis_value(wire.send(&hello).await?)?;
        let format = format.parse().unwrap_or(FORMAT);
        self.found.store(format, Ordering::Relaxed);
        if format > FORMAT {
            return Err((ErrorKind::InvalidClientConfig, "a newer release keeps the pool").into());
        }
        for script in SCRIPTS.all() {
            wire.send(redis::cmd("SCRIPT").arg("LOAD").arg(&script.code)).await?;
        }
        let live = Arc::new(Live { wire, run: run.into(), policy: policy.into() });
        *self.live.write() = Some(Arc::clone(&live));
        Ok(live)
    }

    /// Gives a connection up; the next call makes another.
    fn give_up(&self, dead: &Arc<Live>) {
        let mut live = self.live.write();
        if live.as_ref().is_some_and(|live| Arc::ptr_eq(live, dead)) {
            *live = None;
        }
    }

    /// Makes sure of a connection, within the deadline.
    pub(super) async fn reach(self: &Arc<Self>) -> Result<(), LimitError> {
        if self.now().is_some() {
            return Ok(());
        }
        match tokio::time::timeout(self.timeout, self.live()).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.unavailable(&error)),
            Err(_) => Err(self.too_late()),
        }
    }

    /// When a call that begins now must have ended.
    pub(super) fn deadline(&self) -> Instant {
        after(self.timeout)
    }

    /// Runs a script and gives its answer, by the deadline.
    pub(super) async fn call(
        self: &Arc<Self>,
        script: &Script,
        args: &[impl AsRef<[u8]>],
        again: Again,
        deadline: Instant,
    ) -> Result<(Value, Arc<Live>), LimitError> {
        let mut at = None;
        match tokio::time::timeout_at(deadline, self.attempt(script, args, again, &mut at)).await {
            Ok(answer) => answer.map_err(|error| self.unavailable(&error)),
            Err(_) => {
                // A path that swallows packets swallows them for as long as it is used.
                if let Some(live) = at {
                    self.give_up(&live);
                }
                Err(self.too_late())
            }
        }
    }

    async fn attempt(
        self: &Arc<Self>,
        script: &Script,
        args: &[impl AsRef<[u8]>],
        again: Again,
        at: &mut Option<Arc<Live>>,
    ) -> RedisResult<(Value, Arc<Live>)> {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&script.hash).arg(1).arg(&self.key);
        for arg in args {
            command.arg(arg.as_ref());
        }
        let mut tries = 0;
        loop {
            let live = self.live().await?;
            *at = Some(Arc::clone(&live));
            let error = match live.wire.clone().send(&command).await {
                Ok(answer) => return Ok((answer, live)),
                Err(error) => error,
            };
            tries += 1;
            let forgotten = error.kind() == ErrorKind::Server(ServerErrorKind::NoScript);
            let demoted = error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly);
            let broken = error.is_unrecoverable_error() || error.is_io_error();
            if forgotten {
                // Another server has taken its place behind the same connection, or somebody flushed.
                self.greet(live.wire.clone()).await?;
            } else if broken || demoted {
                self.give_up(&live);
            }
            let undone = forgotten || demoted;
            if tries > 2 || !(undone || broken && again == Again::Yes) {
                return Err(error);
            }
        }
    }

    fn too_late(&self) -> LimitError {
        let why = format!("no answer within {:.1} s", self.timeout.as_secs_f64());
        LimitError::Unavailable { store: STORE, why }
    }

    /// What went wrong. What a server says of a user's rights names the user, never the password.
    fn unavailable(&self, error: &RedisError) -> LimitError {
        let found = self.found.load(Ordering::Relaxed);
        if found > FORMAT {
            return LimitError::Newer { store: STORE, found, known: FORMAT };
        }
        let mut why = error.to_string();
        if error.kind() == ErrorKind::AuthenticationFailed
            || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"))
        {
            why.push_str("; hint: check the user and the password in `REDIS_URL`");
        } else if error.code() == Some("NOPERM") {
            why.push_str("; hint: give the user the rights the README lists under `ACL SETUSER`");
        }
        LimitError::Unavailable { store: STORE, why }
    }
}

/// The instant that is `wait` from now.
pub(super) fn after(wait: Duration) -> Instant {
    tokio::time::sleep(wait).deadline()
}

/// An answer that makes no sense.
pub(super) fn senseless() -> LimitError {
    LimitError::Unavailable { store: STORE, why: "its answer made no sense".to_owned() }
}
