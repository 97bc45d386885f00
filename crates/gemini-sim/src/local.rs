//! The simulator without a socket: a call goes in, a reply comes out, and the test that built it gives orders.

use std::fmt;
use std::sync::Arc;

use crate::engine::{Engine, Reply};
use crate::log::LogEntry;
use crate::project::{KeyState, ProjectState};
use crate::request::{BODY_LIMIT, Call, Payload};
use crate::rule::FaultRule;

/// The simulator; begin with [`Sim::builder`]. Clones share their state.
///
/// ```
/// use gemini_sim::{KeySpec, LocalCall, ProjectSpec, Sim};
///
/// let sim = Sim::builder().project(ProjectSpec::new("proj-a")).key(KeySpec::new("AIza-1", "proj-a")).build()?;
/// let reply = sim.answer(LocalCall {
///     method: "POST",
///     path: "/v1beta/models/gemini-2.5-flash:generateContent",
///     key: "AIza-1",
///     body: br#"{"contents": [{"parts": [{"text": "Say OK."}]}]}"#,
/// });
/// assert_eq!(reply.map(|reply| reply.status), Some(200));
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone)]
pub struct Sim {
    pub(crate) engine: Arc<Engine>,
}

/// A request, as it would come off the wire.
#[derive(Clone, Copy)]
pub struct LocalCall<'a> {
    /// HTTP method.
    pub method: &'a str,
    /// Path, without a query.
    pub path: &'a str,
    /// Secret in the header `x-goog-api-key`.
    pub key: &'a str,
    /// Body.
    pub body: &'a [u8],
}

/// What would go out on the wire, without its pace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalReply {
    /// HTTP status.
    pub status: u16,
    /// The header `Content-Type`.
    pub content_type: String,
    /// Whole body, or what a fault lets through of it.
    pub body: Vec<u8>,
}

impl Sim {
    /// Judges, charges, logs and answers one call at once; `None` where the server would be silent or reset the
    /// connection instead.
    pub fn answer(&self, call: LocalCall<'_>) -> Option<LocalReply> {
        let LocalCall { method, path, key, body } = call;
        let payload = if body.len() > BODY_LIMIT { Payload::TooLarge } else { Payload::Bytes(body.to_vec()) };
        let call = Call {
            method: method.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            api_key: Some(key.to_owned()).filter(|key| !key.is_empty()),
            key_in_query: false,
            has_bearer: false,
            server_timeout: None,
            payload,
        };
        match self.engine.reply(&call) {
            Reply::Send { status, content_type, body, .. } => {
                Some(LocalReply { status, content_type, body: body.into_bytes() })
            }
            Reply::Stall | Reply::Reset => None,
        }
    }

    /// Every request judged so far, in order. A request is in the log before its answer is on the wire.
    pub fn log(&self) -> Vec<LogEntry> {
        self.engine.desk.lock().log.clone()
    }

    /// Forgets the log; consumption stays.
    pub fn clear_log(&self) {
        self.engine.desk.lock().log.clear();
    }

    /// Changes a key's state; `false` if nobody registered the secret.
    pub fn set_key_state(&self, secret: &str, state: KeyState) -> bool {
        self.engine.desk.lock().key_state_mut(secret).map(|it| *it = state).is_some()
    }

    /// Changes a project's state; `false` if it is not declared.
    pub fn set_project_state(&self, project: &str, state: ProjectState) -> bool {
        self.engine.desk.lock().project_mut(project).map(|it| it.spec.state = state).is_some()
    }

    /// Puts a new, valid secret in the place of `old`, which nobody knows from then on. `false`, and nothing
    /// changes, if `old` is not registered or `new` is another key's.
    pub fn replace_key(&self, old: &str, new: &str) -> bool {
        self.engine.desk.lock().replace_key(old, new)
    }

    /// Adds a fault rule behind those there are.
    pub fn push_fault(&self, rule: FaultRule) {
        self.engine.desk.lock().rules.push(rule);
    }

    /// Removes every fault rule.
    pub fn clear_faults(&self) {
        self.engine.desk.lock().rules.clear();
    }
}

impl fmt::Debug for LocalCall<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, path, key: _, body: _ } = self;
        f.debug_struct("LocalCall").field("method", method).field("path", path).finish_non_exhaustive()
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").finish_non_exhaustive()
    }
}
