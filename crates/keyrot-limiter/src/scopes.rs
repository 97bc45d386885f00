//! Everything that is cooling, by scope, and the guard that is the pool's.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use foldhash::fast::RandomState;
use keyrot_core::{
    Breaker, Bucket, Candidate, CoolReport, Cooldown, Cooled, Domain, Ended, Fingerprint, Gate, KeyId,
    Lifted, Method, Permit, Project, Reason, Refusal, Scope, ScopeKind, Timestamp, Why,
};

use keyrot_core::cooldown::PROBE_TIME;

use crate::guard::Guard;
use crate::lifts::Untold;
use crate::sweep::Sweep;

type Map<K> = HashMap<K, Cooldown, RandomState>;

/// How far apart refusals may lie and still be one storm.
const STORM: Duration = Duration::from_secs(10);
/// The most cooldowns kept of one key: a secret that was replaced long ago is not missed.
const MOST_OF_A_KEY: usize = 16;

/// Whose cooldowns are asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Holder<'a> {
    key: &'a KeyId,
    fingerprint: Fingerprint,
    domain: &'a Domain,
    method: Method,
}

impl<'a> Holder<'a> {
    pub(crate) fn candidate(candidate: &Candidate<'a>, method: Method) -> Self {
        let Candidate { key, fingerprint, domain, .. } = *candidate;
        Self { key, fingerprint, domain, method }
    }

    pub(crate) fn permit(permit: &'a Permit) -> Self {
        let Permit { key, fingerprint, domain, method, .. } = permit;
        Self { key, fingerprint: *fingerprint, domain, method: *method }
    }
}

#[derive(Debug)]
struct KeyScope {
    fingerprint: Fingerprint,
    /// `None`: whatever the key is used for.
    only: Option<(Method, Bucket)>,
    cooldown: Cooldown,
}

impl KeyScope {
    fn covers(&self, holder: &Holder<'_>) -> bool {
        let meant =
            |(method, bucket): &(Method, Bucket)| *method == holder.method && *bucket == holder.domain.bucket;
        self.fingerprint == holder.fingerprint && self.only.as_ref().is_none_or(meant)
    }
}

/// The cooldowns of a pool.
#[derive(Debug, Default)]
pub(crate) struct Scopes {
    pub(crate) guard: Guard,
    keys: HashMap<KeyId, Vec<KeyScope>, RandomState>,
    projects: Map<Project>,
    domains: Map<Domain>,
    models: Map<Bucket>,
    /// Whether a model is overloaded, which is judged by its share of failures.
    breakers: HashMap<Bucket, Breaker, RandomState>,
    pool: Cooldown,
    /// Which domains were throttled within the last [`STORM`], once each.
    throttled: VecDeque<(Timestamp, Domain)>,
    sweep: Sweep,
    journal: Journal,
    lifted: Untold,
}

/// What changed or was dropped, for a store that keeps it elsewhere too.
#[derive(Debug, Default)]
struct Journal(Option<Vec<Change>>);

/// One thing that changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    /// A scope's cooldown.
    Cooldown(Scope),
    /// A model's breaker.
    Breaker(Bucket),
}

impl Journal {
    fn note(&mut self, scope: impl FnOnce() -> Scope) {
        if let Some(changed) = &mut self.0 {
            changed.push(Change::Cooldown(scope()));
        }
    }

    fn note_breaker(&mut self, bucket: &Bucket) {
        if let Some(changed) = &mut self.0 {
            changed.push(Change::Breaker(bucket.clone()));
        }
    }
}

impl Scopes {
    /// Calls `f` with every cooldown that stands in the way of `holder`.
    fn each(&self, holder: &Holder<'_>, mut f: impl FnMut(ScopeKind, &Cooldown)) {
        f(ScopeKind::Pool, &self.pool);
        let domain = holder.domain;
        if let Some(c) = self.models.get(&domain.bucket) {
            f(ScopeKind::Model, c);
        }
        if let Some(c) = self.projects.get(&domain.project) {
            f(ScopeKind::Project, c);
        }
        if let Some(c) = self.domains.get(domain) {
            f(ScopeKind::Domain, c);
        }
        for scope in self.keys.get(holder.key).into_iter().flatten().filter(|s| s.covers(holder)) {
            f(if scope.only.is_some() { ScopeKind::Permission } else { ScopeKind::Key }, &scope.cooldown);
        }
    }

    /// The same, to change them; `f` says whether it lifted what it was given.
    fn each_mut(&mut self, holder: &Holder<'_>, mut f: impl FnMut(&mut Cooldown) -> bool) {
        let Self { keys, projects, domains, models, pool, journal, lifted, .. } = self;
        let mut change = |cooldown: &mut Cooldown, scope: &dyn Fn() -> Scope| {
            let before = *cooldown;
            if f(cooldown) {
                lifted.add(scope());
            }
            if *cooldown != before {
                journal.note(scope);
            }
        };
        change(pool, &|| Scope::Pool);
        let domain = holder.domain;
        if let Some(c) = models.get_mut(&domain.bucket) {
            change(c, &|| Scope::Model(domain.bucket.clone()));
        }
        if let Some(c) = projects.get_mut(&domain.project) {
            change(c, &|| Scope::Project(domain.project.clone()));
        }
        if let Some(c) = domains.get_mut(domain) {
            change(c, &|| Scope::Domain(domain.clone()));
        }
        for scope in keys.get_mut(holder.key).into_iter().flatten().filter(|s| s.covers(holder)) {
            let KeyScope { fingerprint, only, cooldown } = scope;
            change(cooldown, &|| key_scope(holder.key, *fingerprint, only.as_ref()));
        }
    }

    /// Whether `holder` may pass: shut by the scope that lasts longest, open, or open to a probe.
    pub(crate) fn gate(&self, holder: &Holder<'_>, now: Timestamp) -> Result<Gate, Refusal> {
        let mut shut: Option<(Timestamp, ScopeKind, Reason)> = None;
        let mut probe = false;
        let mut look = |scope, gate| match gate {
            Gate::Open => {}
            Gate::Probe => probe = true,
            Gate::Shut { until, reason } => {
                if shut.is_none_or(|(old, ..)| until > old) {
                    shut = Some((until, scope, reason));
                }
            }
        };
        self.each(holder, |scope, cooldown| look(scope, cooldown.gate(now)));
        if let Some(breaker) = self.breakers.get(&holder.domain.bucket) {
            look(ScopeKind::Model, breaker.gate(now));
        }
        match shut {
            Some((until, scope, reason)) => {
                Err(Refusal { retry_after: lasts(until, now), why: Why::Cooling { scope, reason } })
            }
            None if probe => Ok(Gate::Probe),
            None => Ok(Gate::Open),
        }
    }

    /// Makes `permit` the probe of every half-open scope it belongs to, and one of the calls by which its
    /// model is probed.
    pub(crate) fn take_probes(&mut self, permit: &Permit, lease: Duration, now: Timestamp) {
        self.each_mut(&Holder::permit(permit), |cooldown| {
            if cooldown.gate(now) == Gate::Probe {
                cooldown.take_probe(permit.id, now + lease.min(PROBE_TIME));
            }
            false
        });
        if let Some(breaker) = self.breakers.get_mut(&permit.domain.bucket)
            && breaker.gate(now) == Gate::Probe
        {
            breaker.admitted(now);
            self.journal.note_breaker(&permit.domain.bucket);
        }
    }

    /// Whether the success of `permit` would change anything here.
    pub(crate) fn has_streak(&self, permit: &Permit) -> bool {
        let mut streak = false;
        self.each(&Holder::permit(permit), |_, cooldown| streak |= cooldown.strikes() > 0);
        streak
    }

    /// `permit` ended well, for the first time if it was `open`.
    pub(crate) fn succeeded(&mut self, permit: &Permit, open: bool, seq: u64, now: Timestamp) {
        self.each_mut(&Holder::permit(permit), |cooldown| {
            cooldown.succeeded(permit.id, permit.stamp, seq, now)
        });
        if open && permit.probe {
            self.end_call(permit, Ended::Succeeded, seq, now);
        }
    }

    /// A call ended by which its model may have been probed.
    fn end_call(&mut self, permit: &Permit, ended: Ended, seq: u64, now: Timestamp) {
        let bucket = &permit.domain.bucket;
        let Some(breaker) = self.breakers.get_mut(bucket) else { return };
        let before = *breaker;
        if breaker.ended(permit.stamp, ended, seq, now) {
            self.lifted.add(Scope::Model(bucket.clone()));
        }
        if *breaker != before {
            self.journal.note_breaker(bucket);
        }
    }

    /// `permit`, a probe, ended without a verdict, for the first time if it was `open`.
    pub(crate) fn freed(&mut self, permit: &Permit, open: bool, now: Timestamp) {
        self.each_mut(&Holder::permit(permit), |cooldown| {
            cooldown.freed(permit.id);
            false
        });
        if open && permit.probe {
            self.end_call(permit, Ended::Failed, 0, now);
        }
    }

    pub(crate) fn cool(&mut self, report: &CoolReport, seq: u64, now: Timestamp) -> Cooled {
        if let (Scope::Model(bucket), Reason::Overloaded) = (&report.scope, report.reason) {
            self.forget(now);
            self.journal.note_breaker(bucket);
            let breaker = self.breakers.entry(bucket.clone()).or_default();
            let until = breaker.report(&report.samples, report.stamp, seq, now);
            return Cooled { scope: report.scope.clone(), lasts: until.map(|until| lasts(until, now)) };
        }
        let throttled = match &report.scope {
            Scope::Domain(domain) if report.reason == Reason::Throttled => Some(domain),
            _ => None,
        };
        // Until the pool's probe has come back, a throttled attempt is a late part of the same
        // storm, or the probe's own failure: neither is the project's fault.
        if throttled.is_some() && self.pool.reason(now) == Some(Reason::Throttled) {
            return self.pause(report, seq, now);
        }
        let until =
            self.cooldown(&report.scope, now).cool(report.cool, report.reason, report.stamp, seq, now);
        if let (Some(domain), Some(_)) = (throttled, until)
            && self.storm(domain, report.projects, now)
        {
            for (_, domain) in std::mem::take(&mut self.throttled) {
                if let Some(cooldown) = self.domains.get_mut(&domain) {
                    cooldown.acquit(Reason::Throttled);
                    self.lifted.add(Scope::Domain(domain.clone()));
                    self.journal.note(|| Scope::Domain(domain));
                }
            }
            return self.pause(report, seq, now);
        }
        Cooled { scope: report.scope.clone(), lasts: until.map(|until| lasts(until, now)) }
    }

    /// Whether so many projects are throttled together that it must be about this machine.
    fn storm(&mut self, domain: &Domain, projects: usize, now: Timestamp) -> bool {
        self.throttled.retain(|(at, d)| now.since(*at) < STORM && d != domain);
        self.throttled.push_back((now, domain.clone()));
        let needed = projects.div_ceil(2).max(2);
        if self.throttled.len() < needed {
            return false;
        }
        let mut seen: Vec<&Project> = self.throttled.iter().map(|(_, d)| &d.project).collect();
        seen.sort_unstable();
        seen.dedup();
        seen.len() >= needed
    }

    /// Pauses everything.
    fn pause(&mut self, report: &CoolReport, seq: u64, now: Timestamp) -> Cooled {
        let until = self.pool.cool(report.cool, Reason::Throttled, report.stamp, seq, now);
        self.journal.note(|| Scope::Pool);
        Cooled { scope: Scope::Pool, lasts: until.map(|until| lasts(until, now)) }
    }

    pub(crate) fn lift(&mut self, scope: &Scope, seq: u64, now: Timestamp) {
        self.cooldown(scope, now).lift(seq, now);
        if let Scope::Model(bucket) = scope {
            self.breakers.entry(bucket.clone()).or_default().lift(seq, now);
            self.journal.note_breaker(bucket);
        }
        self.lifted.add(scope.clone());
    }

    /// A charge was given back: there is room that nobody who was refused knows of.
    #[cfg(any(feature = "degrading", feature = "sqlite"))]
    pub(crate) fn given_back(&mut self, domain: &Domain) {
        self.lifted.add(Scope::Domain(domain.clone()));
    }

    /// What was lifted since this was last asked.
    pub(crate) fn take_lifted(&mut self) -> Lifted {
        self.lifted.take()
    }

    fn cooldown(&mut self, scope: &Scope, now: Timestamp) -> &mut Cooldown {
        self.forget(now);
        self.journal.note(|| scope.clone());
        self.entry(scope)
    }

    fn entry(&mut self, scope: &Scope) -> &mut Cooldown {
        match scope {
            Scope::Key(key, fingerprint) => self.key(key, *fingerprint, None),
            Scope::Permission(key, fingerprint, method, bucket) => {
                self.key(key, *fingerprint, Some((*method, bucket.clone())))
            }
            Scope::Project(project) => self.projects.entry(project.clone()).or_default(),
            Scope::Domain(domain) => self.domains.entry(domain.clone()).or_default(),
            Scope::Model(bucket) => self.models.entry(bucket.clone()).or_default(),
            Scope::Pool => &mut self.pool,
        }
    }

    fn key(
        &mut self,
        key: &KeyId,
        fingerprint: Fingerprint,
        only: Option<(Method, Bucket)>,
    ) -> &mut Cooldown {
        let scopes = self.keys.entry(key.clone()).or_default();
        let at = scopes.iter().position(|s| s.fingerprint == fingerprint && s.only == only);
        let at = at.unwrap_or_else(|| {
            if scopes.len() == MOST_OF_A_KEY {
                let gone = scopes.remove(0);
                self.journal.note(|| key_scope(key, gone.fingerprint, gone.only.as_ref()));
            }
            scopes.push(KeyScope { fingerprint, only, cooldown: Cooldown::default() });
            scopes.len() - 1
        });
        &mut scopes[at].cooldown
    }

    /// Drops what has ended and left no streak.
    fn forget(&mut self, now: Timestamp) {
        fn keep<K: Eq + Hash>(map: &mut Map<K>, now: Timestamp, mut gone: impl FnMut(&K)) {
            map.retain(|name, cooldown| {
                let keep = !cooldown.forgettable(now);
                if !keep {
                    gone(name);
                }
                keep
            });
        }
        if !self.sweep.due(self.len()) {
            return;
        }
        let Self { keys, projects, domains, models, breakers, journal, .. } = self;
        breakers.retain(|bucket, breaker| {
            let keep = !breaker.forgettable(now);
            if !keep {
                journal.note_breaker(bucket);
            }
            keep
        });
        keep(projects, now, |project| journal.note(|| Scope::Project(project.clone())));
        keep(domains, now, |domain| journal.note(|| Scope::Domain(domain.clone())));
        keep(models, now, |bucket| journal.note(|| Scope::Model(bucket.clone())));
        for (key, scopes) in keys.iter_mut() {
            scopes.retain(|s| {
                let keep = !s.cooldown.forgettable(now);
                if !keep {
                    journal.note(|| key_scope(key, s.fingerprint, s.only.as_ref()));
                }
                keep
            });
        }
        keys.retain(|_, scopes| !scopes.is_empty());
        self.sweep.done(self.len());
    }

    /// How many projects, domains, models, breakers and keys are remembered.
    pub(crate) fn len(&self) -> usize {
        let models = self.models.len() + self.breakers.len();
        self.projects.len() + self.domains.len() + models + self.keys.len()
    }
}

#[cfg(feature = "sqlite")]
impl Scopes {
    /// No cooldowns, and a journal of what changes.
    pub(crate) fn with_journal() -> Self {
        Self { journal: Journal(Some(Vec::new())), ..Self::default() }
    }

    /// What changed or was dropped since the last time, once each.
    pub(crate) fn changed(&mut self) -> Vec<Change> {
        let mut changed = self.journal.0.as_mut().map(std::mem::take).unwrap_or_default();
        changed.sort_unstable();
        changed.dedup();
        changed
    }

    /// What is remembered of a scope, if anything.
    pub(crate) fn get(&self, scope: &Scope) -> Option<&Cooldown> {
        let of_key = |key, fingerprint: &Fingerprint, only: Option<(&Method, &Bucket)>| {
            let mut scopes = self.keys.get(key).into_iter().flatten();
            let same = |s: &KeyScope| s.only.as_ref().map(|(method, bucket)| (method, bucket)) == only;
            scopes.find(|s| s.fingerprint == *fingerprint && same(s)).map(|s| &s.cooldown)
        };
        match scope {
            Scope::Key(key, fingerprint) => of_key(key, fingerprint, None),
            Scope::Permission(key, fingerprint, method, bucket) => {
                of_key(key, fingerprint, Some((method, bucket)))
            }
            Scope::Project(project) => self.projects.get(project),
            Scope::Domain(domain) => self.domains.get(domain),
            Scope::Model(bucket) => self.models.get(bucket),
            Scope::Pool => Some(&self.pool),
        }
    }

    /// A model's breaker, if there is one.
    pub(crate) fn breaker(&self, bucket: &Bucket) -> Option<&Breaker> {
        self.breakers.get(bucket)
    }

    /// Takes over a breaker that is remembered elsewhere.
    pub(crate) fn set_breaker(&mut self, bucket: Bucket, breaker: Breaker) {
        self.breakers.insert(bucket, breaker);
    }

    /// Takes over what is remembered elsewhere.
    pub(crate) fn set(&mut self, scope: &Scope, cooldown: Cooldown) {
        *self.entry(scope) = cooldown;
    }

    /// Which domains were throttled of late.
    pub(crate) fn throttled(&self) -> &VecDeque<(Timestamp, Domain)> {
        &self.throttled
    }

    /// Takes over which domains were throttled of late.
    pub(crate) fn set_throttled(&mut self, throttled: VecDeque<(Timestamp, Domain)>) {
        self.throttled = throttled;
    }
}

fn key_scope(key: &KeyId, fingerprint: Fingerprint, only: Option<&(Method, Bucket)>) -> Scope {
    match only {
        Some((method, bucket)) => Scope::Permission(key.clone(), fingerprint, *method, bucket.clone()),
        None => Scope::Key(key.clone(), fingerprint),
    }
}

/// The refusal that lasts longest; of two that never end, the later one.
pub(crate) fn longest<const N: usize>(refusals: [Option<Refusal>; N]) -> Option<Refusal> {
    refusals.into_iter().flatten().max_by_key(|refusal| refusal.retry_after)
}

/// How long until `until`: [`Duration::MAX`] for what never ends.
pub(crate) fn lasts(until: Timestamp, now: Timestamp) -> Duration {
    if until == Timestamp::NEVER { Duration::MAX } else { until.since(now) }
}
