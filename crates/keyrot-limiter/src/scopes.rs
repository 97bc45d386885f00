//! Everything that is cooling, by scope.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use foldhash::fast::RandomState;
use keyrot_core::{
    Bucket, Candidate, CoolReport, Cooldown, Cooled, Domain, Fingerprint, Gate, KeyId, Method, Permit,
    PermitId, Project, Reason, Refusal, Scope, ScopeKind, Timestamp, Why,
};

type Map<K> = HashMap<K, Cooldown, RandomState>;

/// How far apart refusals may lie and still be one storm.
const STORM: Duration = Duration::from_secs(10);
/// The pause when it is this machine that is throttled, not a project, before it escalates.
const PAUSE: keyrot_core::CoolFor = keyrot_core::CoolFor::Escalating { at_least: Duration::ZERO };

#[derive(Debug)]
struct KeyScope {
    fingerprint: Fingerprint,
    /// `None`: whatever the method.
    method: Option<Method>,
    cooldown: Cooldown,
}

/// The cooldowns of a pool.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    keys: HashMap<KeyId, Vec<KeyScope>, RandomState>,
    projects: Map<Project>,
    domains: Map<Domain>,
    models: Map<Bucket>,
    pool: Cooldown,
    throttled: VecDeque<(Timestamp, Domain)>,
}

impl Scopes {
    /// Calls `f` with every cooldown that stands in the way of `candidate`.
    fn each(&self, candidate: &Candidate<'_>, method: Method, mut f: impl FnMut(ScopeKind, &Cooldown)) {
        f(ScopeKind::Pool, &self.pool);
        let domain = candidate.domain;
        if let Some(c) = self.models.get(&domain.bucket) {
            f(ScopeKind::Model, c);
        }
        if let Some(c) = self.projects.get(&domain.project) {
            f(ScopeKind::Project, c);
        }
        if let Some(c) = self.domains.get(domain) {
            f(ScopeKind::Domain, c);
        }
        for scope in self.keys.get(candidate.key).into_iter().flatten() {
            if scope.fingerprint == candidate.fingerprint && scope.method.is_none_or(|m| m == method) {
                f(
                    if scope.method.is_some() { ScopeKind::KeyMethod } else { ScopeKind::Key },
                    &scope.cooldown,
                );
            }
        }
    }

    /// The same for a permit, to change them.
    fn each_of(&mut self, permit: &Permit, mut f: impl FnMut(&mut Cooldown)) {
        f(&mut self.pool);
        let domain = &permit.domain;
        self.models.get_mut(&domain.bucket).into_iter().for_each(&mut f);
        self.projects.get_mut(&domain.project).into_iter().for_each(&mut f);
        self.domains.get_mut(domain).into_iter().for_each(&mut f);
        for scope in self.keys.get_mut(&permit.key).into_iter().flatten() {
            if scope.fingerprint == permit.fingerprint && scope.method.is_none_or(|m| m == permit.method) {
                f(&mut scope.cooldown);
            }
        }
    }

    /// Whether `candidate` may pass: shut by the scope that lasts longest, open, or open to a probe.
    pub(crate) fn gate(
        &self,
        candidate: &Candidate<'_>,
        method: Method,
        now: Timestamp,
    ) -> Result<Gate, Refusal> {
        let mut shut: Option<(Timestamp, ScopeKind, Reason)> = None;
        let mut probe = false;
        self.each(candidate, method, |scope, cooldown| match cooldown.gate(now) {
            Gate::Open => {}
            Gate::Probe => probe = true,
            Gate::Shut { until, reason } => {
                if shut.is_none_or(|(old, ..)| until > old) {
                    shut = Some((until, scope, reason));
                }
            }
        });
        match shut {
            Some((until, scope, reason)) => {
                let retry_after = if until == Timestamp::NEVER { Duration::MAX } else { until.since(now) };
                Err(Refusal { retry_after, why: Why::Cooling { scope, reason } })
            }
            None if probe => Ok(Gate::Probe),
            None => Ok(Gate::Open),
        }
    }

    /// Makes `permit` the probe of every half-open scope it belongs to.
    pub(crate) fn take_probes(&mut self, permit: &Permit, lease: Duration, now: Timestamp) {
        let id = permit.id;
        self.each_of(permit, |cooldown| {
            if cooldown.gate(now) == Gate::Probe {
                cooldown.take_probe(id, now + lease);
            }
        });
    }

    /// Whether anything here would notice how `permit` ended.
    pub(crate) fn cares(&self, candidate: &Candidate<'_>, permit: &Permit) -> bool {
        let mut cares = permit.probe;
        self.each(candidate, permit.method, |_, cooldown| cares |= cooldown.strikes() > 0);
        cares
    }

    pub(crate) fn succeeded(&mut self, permit: &Permit, seq: u64, now: Timestamp) {
        let id = permit.id;
        self.each_of(permit, |cooldown| cooldown.succeeded(id, seq, now));
    }

    pub(crate) fn freed(&mut self, permit: &Permit) {
        let id: PermitId = permit.id;
        self.each_of(permit, |cooldown| cooldown.freed(id));
    }

    pub(crate) fn cool(&mut self, report: &CoolReport, seq: u64, now: Timestamp) -> Cooled {
        self.forget(now);
        let until = self.cooldown(&report.scope).cool(report.cool, report.reason, report.stamp, seq, now);
        if let (Scope::Domain(domain), Reason::Throttled, Some(_)) = (&report.scope, report.reason, until)
            && self.storm(domain, report.projects, now)
        {
            return self.pause(seq, now);
        }
        Cooled { scope: report.scope.clone(), lasts: until.map(|until| lasts(until, now)) }
    }

    /// Whether so many projects are throttled together that it must be about this machine.
    fn storm(&mut self, domain: &Domain, projects: usize, now: Timestamp) -> bool {
        self.throttled.retain(|(at, d)| now.since(*at) < STORM && d != domain);
        self.throttled.push_back((now, domain.clone()));
        let mut seen: Vec<&Project> = self.throttled.iter().map(|(_, d)| &d.project).collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len() >= projects.div_ceil(2).max(2)
    }

    /// Blames nobody and pauses everything.
    fn pause(&mut self, seq: u64, now: Timestamp) -> Cooled {
        for (_, domain) in std::mem::take(&mut self.throttled) {
            self.domains.entry(domain).or_default().lift(seq);
        }
        let until = self.pool.cool(PAUSE, Reason::Throttled, None, seq, now);
        Cooled { scope: Scope::Pool, lasts: until.map(|until| lasts(until, now)) }
    }

    pub(crate) fn lift(&mut self, scope: &Scope, seq: u64) {
        self.cooldown(scope).lift(seq);
    }

    fn cooldown(&mut self, scope: &Scope) -> &mut Cooldown {
        match scope {
            Scope::Key(key, fingerprint) => self.key(key, *fingerprint, None),
            Scope::KeyMethod(key, fingerprint, method) => self.key(key, *fingerprint, Some(*method)),
            Scope::Project(project) => self.projects.entry(project.clone()).or_default(),
            Scope::Domain(domain) => self.domains.entry(domain.clone()).or_default(),
            Scope::Model(bucket) => self.models.entry(bucket.clone()).or_default(),
            Scope::Pool => &mut self.pool,
        }
    }

    fn key(&mut self, key: &KeyId, fingerprint: Fingerprint, method: Option<Method>) -> &mut Cooldown {
        let scopes = self.keys.entry(key.clone()).or_default();
        let at = scopes.iter().position(|s| s.fingerprint == fingerprint && s.method == method);
        let at = at.unwrap_or_else(|| {
            scopes.push(KeyScope { fingerprint, method, cooldown: Cooldown::default() });
            scopes.len() - 1
        });
        &mut scopes[at].cooldown
    }

    /// Drops what has ended and left no streak.
    fn forget(&mut self, now: Timestamp) {
        fn keep<K: Eq + Hash>(map: &mut Map<K>, now: Timestamp) {
            map.retain(|_, cooldown| !cooldown.forgettable(now));
        }
        keep(&mut self.projects, now);
        keep(&mut self.domains, now);
        keep(&mut self.models, now);
        for scopes in self.keys.values_mut() {
            scopes.retain(|s| !s.cooldown.forgettable(now));
        }
        self.keys.retain(|_, scopes| !scopes.is_empty());
    }
}

fn lasts(until: Timestamp, now: Timestamp) -> Duration {
    if until == Timestamp::NEVER { Duration::MAX } else { until.since(now) }
}
