//! The order in which Google looks at a request: page, size, credentials, project, body, model, ownership, quota.

use std::time::Duration;

use serde_json::Value;

use crate::catalogue::ModelSpec;
use crate::desk::Desk;
use crate::engine::Engine;
use crate::exhausted::{Exhausted, metric};
use crate::fault::Effect;
use crate::log::{LogEntry, Verdict};
use crate::project::{KeyState, Tier};
use crate::quota::{Dimension, Violation};
use crate::refusal;
use crate::request::{self, Call, Payload};
use crate::route::Route;
use crate::rule::{FaultRule, Suspect};
use crate::status::Status;
use crate::tokens::InputTokens;

/// What is to be answered.
#[derive(Debug)]
pub(crate) enum Finding {
    Effect {
        effect: Effect,
        in_array: bool,
    },
    Generate,
    /// The caller's deadline ends the generation.
    Late {
        after: Duration,
    },
    CountTokens,
    Card,
    Listing {
        from: usize,
        to: usize,
    },
}

impl Finding {
    fn http_status(&self) -> u16 {
        match self {
            Self::Effect { effect: Effect::Error(status), .. } => status.code,
            Self::Effect { effect: Effect::ComeBack { .. }, .. } => 429,
            Self::Effect { effect: Effect::Page { status, .. }, .. } => *status,
            Self::Effect { effect: Effect::Stall | Effect::Reset, .. } => 0,
            Self::Late { .. } => 504,
            _ => 200,
        }
    }
}

/// The judge's decision.
#[derive(Debug)]
pub(crate) struct Sentence {
    pub(crate) finding: Finding,
    pub(crate) seq: u64,
    /// Number of the generation, if one follows.
    pub(crate) nth: u64,
    pub(crate) project: String,
}

/// What the front end says about a page that does not exist.
const NOWHERE: &str = "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <title>Error 404 (Not \
     Found)!!1</title>\n  <p><b>404.</b> <ins>That's an error.</ins>\n  <p>The requested URL was not found on \
     this server.  <ins>That's all we know.</ins>\n";

type Refused = (Finding, Verdict);

fn refused(status: Status, verdict: Verdict) -> Refused {
    (Finding::Effect { effect: Effect::Error(status), in_array: false }, verdict)
}

/// The token of the listing page that begins at this index.
pub(crate) fn page_token(from: usize) -> String {
    format!("page-{from}")
}

/// One request before the judge.
struct Hearing<'a> {
    engine: &'a Engine,
    call: &'a Call,
    route: &'a Route,
    request: Result<&'a Value, &'a Status>,
    input: InputTokens,
    entry: LogEntry,
}

impl Engine {
    /// Decides about a request, charges it, and logs both, in one step.
    pub(crate) fn judge(
        &self,
        call: &Call,
        route: &Route,
        request: Result<&Value, &Status>,
        input: InputTokens,
    ) -> Sentence {
        let mut desk = self.desk.lock();
        let seq = desk.seq;
        desk.seq += 1;
        let entry = LogEntry {
            at_ms: (self.clock)(),
            seq,
            method: call.method.clone(),
            path: call.path.clone(),
            api_version: route.version().to_owned(),
            operation: route.operation().to_owned(),
            model: route.model().to_owned(),
            bucket: String::new(),
            project: None,
            key: None,
            key_label: None,
            verdict: Verdict::Served,
            status: 200,
            input_tokens: 0,
            charged: false,
        };
        let mut hearing = Hearing { engine: self, call, route, request, input, entry };
        let (finding, verdict) = hearing.hear(&mut desk).unwrap_or_else(|refused| refused);
        let mut entry = hearing.entry;
        entry.verdict = verdict;
        entry.status = finding.http_status();
        let nth = desk.generations;
        if matches!(finding, Finding::Generate | Finding::Effect { effect: Effect::MidStream { .. }, .. }) {
            desk.generations += 1;
        }
        let project = entry.project.clone().unwrap_or_default();
        desk.log.push(entry);
        Sentence { finding, seq, nth, project }
    }
}

impl<'a> Hearing<'a> {
    fn hear(&mut self, desk: &mut Desk) -> Result<(Finding, Verdict), Refused> {
        if self.route.leads_nowhere() {
            let effect = Effect::Page {
                status: 404,
                content_type: "text/html; charset=UTF-8".to_owned(),
                body: NOWHERE.to_owned(),
            };
            return Err((Finding::Effect { effect, in_array: false }, Verdict::NotFound));
        }
        let secret = self.credential()?;
        let project = self.key_holder(desk, secret)?;
        let request = self.request.map_err(|status| refused(status.clone(), Verdict::BadRequest))?;
        let suspect = Suspect { key: secret, project: &project, route: self.route };
        if let Some(rule) = desk.rules.strike(true, suspect) {
            let struck = self.struck(&rule);
            if struck.0.http_status() == 429 {
                self.charge_rejected(desk, &project);
            }
            return Err(struck);
        }
        if let Some(listing) = self.listing()? {
            return Ok(self.unless_struck(desk, suspect, (listing, Verdict::Served)));
        }
        let Some(model) = self.model() else {
            return Err(refused(refusal::unknown_model(self.route), Verdict::NotFound));
        };
        if self.route.gets_model() {
            return Ok(self.unless_struck(desk, suspect, (Finding::Card, Verdict::Served)));
        }
        if desk.project(&project).is_some_and(|project| project.spec.gated.contains(self.route.model())) {
            return Err(refused(refusal::retired_model(self.route), Verdict::NotFound));
        }
        self.check_ownership(request, &project)?;
        self.entry.input_tokens = self.input.total();
        if self.route.counts_tokens() {
            return Ok(self.unless_struck(desk, suspect, (Finding::CountTokens, Verdict::Served)));
        }
        self.entry.bucket = model.bucket.clone();
        self.admit(desk, &project, model)?;
        self.entry.charged = true;
        if self.input.total() > model.input_limit {
            return Err(refused(refusal::input_too_long(model.input_limit), Verdict::BadRequest));
        }
        Ok(self.unless_struck(desk, suspect, self.generated()))
    }

    /// A generation, unless the caller's deadline is over before its first byte.
    fn generated(&self) -> (Finding, Verdict) {
        match self.call.server_timeout {
            Some(timeout) if timeout < self.engine.pace.time_to_first_byte => {
                (Finding::Late { after: timeout }, Verdict::DeadlineExceeded)
            }
            _ => (Finding::Generate, Verdict::Admitted),
        }
    }

    /// The secret of the request, if it came by a way the server accepts.
    fn credential(&mut self) -> Result<&'a str, Refused> {
        let Some(secret) = self.call.api_key.as_deref() else {
            return Err(if self.call.has_bearer {
                let verdict = Verdict::KeyRefused(KeyState::TokenTypeUnsupported);
                refused(refusal::token_type(self.route), verdict)
            } else {
                refused(refusal::no_key(), Verdict::NoKey)
            });
        };
        self.entry.key = Some(secret.to_owned());
        self.entry.key_label = Some("unknown".to_owned());
        if self.call.has_bearer {
            return Err(refused(refusal::two_credentials(), Verdict::TwoCredentials));
        }
        // Auth keys (`AQ.…`) work in the header only.
        if self.call.key_in_query && !secret.starts_with("AIza") {
            let verdict = Verdict::KeyRefused(KeyState::TokenTypeUnsupported);
            return Err(refused(refusal::token_type(self.route), verdict));
        }
        if matches!(self.call.payload, Payload::TooLarge) {
            return Err(refused(request::too_large(), Verdict::BadRequest));
        }
        Ok(secret)
    }

    /// The project of the key, if both are in good standing.
    fn key_holder(&mut self, desk: &Desk, secret: &str) -> Result<String, Refused> {
        let known = desk.key(secret).and_then(|(label, state, id)| Some((label, state, desk.project(id)?)));
        let Some((label, state, project)) = known else {
            let status = refusal::key(&KeyState::Invalid, self.route, "").unwrap_or_else(refusal::no_key);
            return Err(refused(status, Verdict::KeyRefused(KeyState::Invalid)));
        };
        self.entry.key_label = Some(label.to_owned());
        self.entry.project = Some(project.spec.id.clone());
        if let Some(status) = refusal::key(state, self.route, &project.number) {
            return Err(refused(status, Verdict::KeyRefused(state.clone())));
        }
        if let Some(status) = refusal::project(project.spec.state, self.route, &project.number, secret) {
            return Err(refused(status, Verdict::ProjectRefused(project.spec.state)));
        }
        Ok(project.spec.id.clone())
    }

    /// The model, if it is known and can do what is asked.
    fn model(&self) -> Option<&'a ModelSpec> {
        let model = self.engine.catalogue.find(self.route.model())?;
        let able = self.route.gets_model()
            || self.route.counts_tokens()
            || (self.route.generates() && model.generates);
        able.then_some(model)
    }

    /// The page of a model listing, if the request asks for one.
    fn listing(&self) -> Result<Option<Finding>, Refused> {
        let Some((size, token)) = self.route.page() else {
            return Ok(None);
        };
        let invalid = || refused(Status::canonical(400), Verdict::BadRequest);
        let all = self.engine.catalogue.all().len();
        let size: usize = size.map_or(Ok(50), str::parse).map_err(|_| invalid())?;
        let from = match token {
            None | Some("") => 0,
            Some(token) => {
                let from = token.strip_prefix("page-").and_then(|from| from.parse().ok());
                from.filter(|from| *from < all).ok_or_else(invalid)?
            }
        };
        // A page size of zero means the default, one beyond 1000 means 1000.
        let size = if size == 0 { 50 } else { size.min(1000) };
        Ok(Some(Finding::Listing { from, to: from.saturating_add(size).min(all) }))
    }

    fn struck(&self, rule: &FaultRule) -> Refused {
        let input_limit = self.model().map_or(0, |model| model.input_limit);
        let effect = rule.fault.effect(self.route, input_limit);
        let verdict = Verdict::Fault(rule.fault.name().to_owned());
        (Finding::Effect { effect, in_array: rule.in_array }, verdict)
    }

    /// The regular outcome, unless a late fault befalls it.
    fn unless_struck(
        &self,
        desk: &mut Desk,
        suspect: Suspect<'_>,
        regular: (Finding, Verdict),
    ) -> (Finding, Verdict) {
        desk.rules.strike(false, suspect).map_or(regular, |rule| self.struck(&rule))
    }

    /// Counts a 429 that quota had no part in, where rejected requests count.
    fn charge_rejected(&mut self, desk: &mut Desk, project: &str) {
        if !self.engine.count_rejected || !self.route.generates() {
            return;
        }
        if let (Some(project), Some(model)) = (desk.project_mut(project), self.model()) {
            self.entry.bucket = model.bucket.clone();
            self.entry.input_tokens = self.input.total();
            self.entry.charged = true;
            project.bucket(&model.bucket).0.charge(self.entry.seq, self.entry.at_ms, self.input.total());
        }
    }

    fn check_ownership(&self, request: &Value, project: &str) -> Result<(), Refused> {
        let owns = |name: &str| self.engine.owners.get(name).is_some_and(|owner| owner == project);
        if let Some(id) = request::file_ids(request).find(|id| !owns(&format!("files/{id}"))) {
            return Err(refused(refusal::foreign_file(id), Verdict::NotOwned));
        }
        match request::cached_content(request) {
            Some(name) if !owns(name) => Err(refused(refusal::foreign_cache(), Verdict::NotOwned)),
            _ => Ok(()),
        }
    }

    fn admit(&mut self, desk: &mut Desk, project: &str, model: &ModelSpec) -> Result<(), Refused> {
        let Some(project) = desk.project_mut(project) else {
            return Ok(());
        };
        let tier = project.spec.tier;
        let (bucket, quota) = project.bucket(&model.bucket);
        let (seq, now, tokens) = (self.entry.seq, self.entry.at_ms, self.input.total());
        let Err(violations) = bucket.admit(seq, now, tokens, quota, self.engine.window) else {
            return Ok(());
        };
        if self.engine.count_rejected {
            bucket.charge(seq, now, tokens);
            self.entry.charged = true;
        }
        let exhausted = Exhausted { tier, bucket: &model.bucket, violations: &violations, now, seq };
        Err(refused(exhausted.status(), quota_verdict(tier, &violations)))
    }
}

fn quota_verdict(tier: Tier, violations: &[Violation]) -> Verdict {
    if violations.iter().any(|it| it.limit == 0) {
        return Verdict::QuotaZero;
    }
    match violations.iter().find(|it| it.dimension != Dimension::RequestsPerDay) {
        Some(first) if violations.iter().all(|it| it.dimension != Dimension::RequestsPerDay) => {
            Verdict::QuotaMinute { metric: metric(tier, first.dimension) }
        }
        _ => Verdict::QuotaDay,
    }
}
