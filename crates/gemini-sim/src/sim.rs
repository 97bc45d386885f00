//! Assembling a simulator: the builder, and what it checks before anything is answered.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::net::TcpListener;

use crate::answer::{Answer, AnswerFn, CountTokensFn};
use crate::body::Pace;
use crate::catalogue::{Catalogue, ModelSpec};
use crate::clock::{SimClock, system_clock};
use crate::desk::Desk;
use crate::engine::Engine;
use crate::local::Sim;
use crate::log::OnRequestFn;
use crate::project::{KeySpec, ProjectSpec};
use crate::quota::Window;
use crate::rule::FaultRule;
use crate::server::SimServer;

impl Sim {
    /// A server without projects and keys, on a free port, by the machine's clock.
    pub fn builder() -> SimBuilder {
        SimBuilder {
            clock: system_clock(),
            window: Window::default(),
            projects: Vec::new(),
            keys: Vec::new(),
            faults: Vec::new(),
            owners: HashMap::new(),
            catalogue: Catalogue::default(),
            count_rejected: false,
            answer: Arc::new(|_| Answer::text("OK")),
            count_tokens: None,
            on_request: None,
            pace: Pace::default(),
            port: 0,
        }
    }
}

/// Settings of a server yet to start.
#[must_use = "a server listens only after `start`"]
pub struct SimBuilder {
    clock: SimClock,
    window: Window,
    projects: Vec<ProjectSpec>,
    keys: Vec<KeySpec>,
    faults: Vec<FaultRule>,
    owners: HashMap<String, String>,
    catalogue: Catalogue,
    count_rejected: bool,
    answer: AnswerFn,
    count_tokens: Option<CountTokensFn>,
    on_request: Option<OnRequestFn>,
    pace: Pace,
    port: u16,
}

impl SimBuilder {
    /// Sets the clock quota and log go by (default: the machine's).
    pub fn clock(mut self, clock: SimClock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets how a minute is counted (default: sliding).
    pub const fn window(mut self, window: Window) -> Self {
        self.window = window;
        self
    }

    /// Adds a project.
    pub fn project(mut self, project: ProjectSpec) -> Self {
        self.projects.push(project);
        self
    }

    /// Adds a key.
    pub fn key(mut self, key: KeySpec) -> Self {
        self.keys.push(key);
        self
    }

    /// Adds a model, or replaces a known one of the same id.
    pub fn model(mut self, model: ModelSpec) -> Self {
        self.catalogue.put(model);
        self
    }

    /// Registers an uploaded file (`files/abc`) as a project's own.
    pub fn file(mut self, name: impl Into<String>, project: impl Into<String>) -> Self {
        self.owners.insert(name.into(), project.into());
        self
    }

    /// Registers a cached content (`cachedContents/x`) as a project's own.
    pub fn cached(self, name: impl Into<String>, project: impl Into<String>) -> Self {
        self.file(name, project)
    }

    /// Adds a fault rule from the start.
    pub fn fault(mut self, rule: FaultRule) -> Self {
        self.faults.push(rule);
        self
    }

    /// Sets whether a generation answered with 429 counts against the quota too (default: no). Google's own
    /// habit is not established.
    pub const fn count_rejected(mut self, count: bool) -> Self {
        self.count_rejected = count;
        self
    }

    /// Sets what the model says (default: `OK`).
    pub fn answer(mut self, answer: AnswerFn) -> Self {
        self.answer = answer;
        self
    }

    /// Replaces the built-in estimate of input tokens, which takes four ASCII characters or one other character
    /// for a token.
    pub fn count_tokens(mut self, count: CountTokensFn) -> Self {
        self.count_tokens = Some(count);
        self
    }

    /// Is told of each request once, when its answer is about to be sent.
    pub fn on_request(mut self, told: OnRequestFn) -> Self {
        self.on_request = Some(told);
        self
    }

    /// Sets the pace of answers (default: at once, 20 characters a chunk).
    pub const fn pace(mut self, pace: Pace) -> Self {
        self.pace = pace;
        self
    }

    /// Sets the port on 127.0.0.1 (default 0: any free one).
    pub const fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Builds the simulator without a socket; [`Sim::answer`] takes the calls.
    ///
    /// # Errors
    /// `InvalidInput` when a project or secret is declared twice, or a key, file or cached content belongs to a
    /// project that is not declared.
    pub fn build(self) -> io::Result<Sim> {
        let desk = self.desk().map_err(|problem| io::Error::new(io::ErrorKind::InvalidInput, problem))?;
        let engine = Engine {
            clock: self.clock,
            window: self.window,
            count_rejected: self.count_rejected,
            answer: self.answer,
            count_tokens: self.count_tokens,
            on_request: self.on_request,
            pace: self.pace,
            catalogue: self.catalogue,
            owners: self.owners,
            desk: Mutex::new(desk),
        };
        Ok(Sim { engine: Arc::new(engine) })
    }

    /// Starts listening. Must run inside a tokio runtime with I/O and time enabled.
    ///
    /// # Errors
    /// As [`build`](Self::build); otherwise whatever binding the port returns.
    pub async fn start(self) -> io::Result<SimServer> {
        let port = self.port;
        let sim = self.build()?;
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        SimServer::listen(listener, sim)
    }

    fn desk(&self) -> Result<Desk, String> {
        let mut desk = Desk::default();
        for project in &self.projects {
            desk.add_project(project.clone())?;
        }
        for key in &self.keys {
            desk.add_key(key.clone())?;
        }
        for rule in &self.faults {
            desk.rules.push(rule.clone());
        }
        match self.owners.iter().find(|(_, owner)| desk.project(owner).is_none()) {
            Some((name, owner)) => {
                Err(format!("`{name}` belongs to project `{owner}`, which is not declared"))
            }
            None => Ok(desk),
        }
    }
}

impl fmt::Debug for SimBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimBuilder")
            .field("window", &self.window)
            .field("projects", &self.projects)
            .field("keys", &self.keys)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}
