//! The world of one run: the simulated server behind a network that takes its time, and the record of
//! everything that was sent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gemini_client::{Head, classify};
use gemini_sim::{
    Fault, FaultRule, KeySpec, KeyState, LocalCall, LocalReply, OverloadText, ProjectSpec, Quota, Sim,
};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use keyrot_core::ModelId;
use keyrot_core::call::{Judged, Prober, Proof};
use keyrot_core::{Deadline, Outcome};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};

use crate::bench::clock::VirtualClock;
use crate::bench::scenario::{Case, NETWORK_MS, Trouble};
use crate::bench::traffic::Request;

/// The model that all requests are for.
pub(crate) const MODEL: &str = "gemini-2.5-flash";

const PATH: &str = "/v1beta/models/gemini-2.5-flash:generateContent";
const BODY: &[u8] = br#"{"contents": [{"role": "user", "parts": [{"text": "What is a moving average?"}]}]}"#;

/// How long the server takes to say that it has no capacity, or that something broke.
const FAILURE: Duration = Duration::from_millis(200);

/// The secret of a project's only key.
pub(crate) fn secret(project: usize) -> String {
    format!("AIza-goodput-{project:03}")
}

/// What an answer means, by its bytes.
fn judged(reply: &LocalReply) -> Outcome {
    let mut headers = HeaderMap::new();
    if let Ok(content_type) = HeaderValue::from_str(&reply.content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    classify(&Head::new(reply.status, &headers), &reply.body)
}

/// What a call was answered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Good,
    /// 429, of whatever kind.
    Refused,
    /// 503.
    Overloaded,
    /// Anything else.
    Failed,
}

impl Answer {
    pub(crate) const fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Success { .. } => Self::Good,
            Outcome::QuotaMinute { .. }
            | Outcome::QuotaDay { .. }
            | Outcome::QuotaZero { .. }
            | Outcome::Throttled { .. } => Self::Refused,
            Outcome::Overloaded => Self::Overloaded,
            _ => Self::Failed,
        }
    }
}

/// One call. Times are in milliseconds since the run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) request: usize,
    pub(crate) project: usize,
    pub(crate) sent: u64,
    pub(crate) judged: u64,
    pub(crate) ended: u64,
    pub(crate) answer: Answer,
}

/// A call that failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure(pub(crate) Outcome);

impl Judged for Failure {
    fn outcome(&self) -> Outcome {
        self.0.clone()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.label())
    }
}

/// See the module's docs.
pub(crate) struct World {
    pub(crate) clock: VirtualClock,
    case: Case,
    sim: Sim,
    state: Mutex<State>,
}

struct State {
    rng: fastrand::Rng,
    attempts: Vec<Attempt>,
}

impl World {
    /// The server of `case`, with its projects and keys.
    pub(crate) fn new(case: &Case) -> std::io::Result<Arc<Self>> {
        let clock = VirtualClock::start();
        let (skew, window, span) = (case.scenario.skew, case.scenario.window, case.span);
        let server_clock = move || {
            let now = clock.millis();
            VirtualClock::epoch_millis(now).saturating_add_signed(skew.at(now, span))
        };
        let mut builder = Sim::builder().clock(Arc::new(server_clock)).window(window);
        for project in 0..case.scenario.projects {
            let rpd = case.day_limit().filter(|_| project == 0);
            let quota = Quota { rpm: Some(case.scenario.rpm), rpd, ..Quota::UNLIMITED };
            let name = project_name(project);
            builder = builder
                .project(ProjectSpec::new(&name).default_quota(quota))
                .key(KeySpec::new(secret(project), &name));
        }
        let rng = fastrand::Rng::with_seed(case.seed ^ 0x6e65_7477_6f72_6b00);
        let state = Mutex::new(State { rng, attempts: Vec::new() });
        Ok(Arc::new(Self { clock, case: case.clone(), sim: builder.build()?, state }))
    }

    /// Revokes the first key, at the server alone.
    pub(crate) fn revoke(&self) {
        self.sim.set_key_state(&secret(0), KeyState::Invalid);
    }

    /// Makes one call for `request` with the key of `project`.
    pub(crate) async fn call(&self, project: usize, request: &Request) -> Result<Outcome, Failure> {
        let sent = self.clock.millis();
        let (there, back) = {
            let mut state = self.state.lock();
            (state.rng.u64(NETWORK_MS), state.rng.u64(NETWORK_MS))
        };
        self.clock.until(sent + there).await;
        let judged = self.clock.millis();
        let outcome = self.judge(project, request, judged);
        let answer = Answer::of(&outcome);
        let takes = match answer {
            Answer::Good => self.case.scenario.call,
            Answer::Refused => Duration::ZERO,
            Answer::Overloaded | Answer::Failed => FAILURE,
        };
        let takes = u64::try_from(takes.as_millis()).unwrap_or(u64::MAX);
        self.clock.until(judged + takes + back).await;
        let ended = self.clock.millis();
        let attempt = Attempt { request: request.number, project, sent, judged, ended, answer };
        self.state.lock().attempts.push(attempt);
        if answer == Answer::Good { Ok(outcome) } else { Err(Failure(outcome)) }
    }

    /// What the server says, in bytes, and what the client makes of them.
    fn judge(&self, project: usize, request: &Request, now: u64) -> Outcome {
        let fault = self.fault(project, request, now);
        let struck = fault.is_some();
        if let Some(fault) = fault {
            self.sim.push_fault(FaultRule::new(fault));
        }
        let secret = secret(project);
        let reply = self.sim.answer(LocalCall { method: "POST", path: PATH, key: &secret, body: BODY });
        if struck {
            // A call that quota refuses does not use its fault up.
            self.sim.clear_faults();
        }
        // The record here says all that is needed, and the log would grow.
        self.sim.clear_log();
        reply.map_or(Outcome::OwnDeadline(Deadline::Client), |reply| judged(&reply))
    }

    fn fault(&self, project: usize, request: &Request, now: u64) -> Option<Fault> {
        let (from, to) = self.case.span.outage();
        let overloaded = match self.case.scenario.trouble {
            Trouble::Overloaded(share) => share,
            Trouble::Outage(share) if (from..to).contains(&now) => share,
            Trouble::BrokenKey if project == 0 => return Some(Fault::Internal),
            Trouble::Poisoned(_) if request.poisoned => return Some(Fault::Internal),
            _ => return None,
        };
        (self.state.lock().rng.f64() < overloaded).then_some(Fault::Overloaded(OverloadText::New))
    }

    /// Every call so far, in the order in which they ended.
    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.state.lock().attempts.clone()
    }
}

/// What both sides call a project.
pub(crate) fn project_name(project: usize) -> String {
    format!("project-{project:03}")
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}

/// The server answers free questions as well.
#[async_trait]
impl Prober for World {
    async fn probe(&self, key: &SecretString, model: &ModelId) -> Proof {
        let path = format!("/v1beta/models/{model}");
        let call = LocalCall { method: "GET", path: &path, key: key.expose_secret(), body: b"" };
        match self.sim.answer(call).map(|reply| judged(&reply)) {
            Some(Outcome::Success { .. }) => Proof::Works,
            None | Some(Outcome::ServerError { .. } | Outcome::Overloaded) => Proof::Unknown,
            Some(refused) => Proof::Refused(refused),
        }
    }

    async fn models(&self, _: &SecretString) -> Option<Vec<ModelId>> {
        Some(vec![ModelId::new(MODEL)])
    }
}
