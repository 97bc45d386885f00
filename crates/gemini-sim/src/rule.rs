//! Which requests a fault befalls: filters, a number of requests to let pass, a number of times to strike.

use std::fmt;

use crate::fault::Fault;
use crate::route::Route;

/// A fault and the requests it befalls. Without filters it befalls any request that has passed the key and
/// project checks and has a readable body.
///
/// Rules are tried in the order they were pushed, those with an early [`Fault`] before those with a late one; the
/// first that matches wins and the others do not notice.
#[derive(Clone)]
pub struct FaultRule {
    pub(crate) fault: Fault,
    pub(crate) in_array: bool,
    key: Option<String>,
    project: Option<String>,
    model: Option<String>,
    operation: Option<String>,
    after: u64,
    times: u64,
}

impl FaultRule {
    /// Strikes the next request, once.
    pub const fn new(fault: Fault) -> Self {
        Self {
            fault,
            in_array: false,
            key: None,
            project: None,
            model: None,
            operation: None,
            after: 0,
            times: 1,
        }
    }

    /// Only requests with this secret.
    #[must_use]
    pub fn on_key(mut self, secret: impl Into<String>) -> Self {
        self.key = Some(secret.into());
        self
    }

    /// Only requests of this project.
    #[must_use]
    pub fn on_project(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// Only requests for this model, as the path names it.
    #[must_use]
    pub fn on_model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Only requests of this operation, as the log names it.
    #[must_use]
    pub fn on_operation(mut self, operation: impl Into<String>) -> Self {
        self.operation = Some(operation.into());
        self
    }

    /// Lets the first `n` matching requests pass (default: none).
    #[must_use]
    pub const fn after(mut self, n: u64) -> Self {
        self.after = n;
        self
    }

    /// Strikes `n` requests, then never again (default: 1).
    #[must_use]
    pub const fn times(mut self, n: u64) -> Self {
        self.times = n;
        self
    }

    /// Strikes every matching request.
    #[must_use]
    pub const fn always(self) -> Self {
        self.times(u64::MAX)
    }

    /// Wraps an error body in a one-element array, as some of Google's front ends do.
    #[must_use]
    pub const fn in_array(mut self) -> Self {
        self.in_array = true;
        self
    }
}

impl fmt::Debug for FaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, in_array, key: _, project, model, operation, after, times } = self;
        f.debug_struct("FaultRule")
            .field("fault", fault)
            .field("in_array", in_array)
            .field("project", project)
            .field("model", model)
            .field("operation", operation)
            .field("after", after)
            .field("times", times)
            .finish_non_exhaustive()
    }
}

/// A request that has passed the key and project checks.
#[derive(Clone, Copy)]
pub(crate) struct Suspect<'a> {
    pub(crate) key: &'a str,
    pub(crate) project: &'a str,
    pub(crate) route: &'a Route,
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Rules(Vec<FaultRule>);

impl Rules {
    pub(crate) fn push(&mut self, rule: FaultRule) {
        self.0.push(rule);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault that befalls this request at this stage, if any; uses one of its times up.
    pub(crate) fn strike(&mut self, early: bool, suspect: Suspect<'_>) -> Option<FaultRule> {
        let matching = self
            .0
            .iter_mut()
            .filter(|rule| rule.times > 0 && rule.fault.is_early() == early && rule.matches(suspect));
        for rule in matching {
            if rule.after > 0 {
                rule.after -= 1;
                continue;
            }
            if rule.times != u64::MAX {
                rule.times -= 1;
            }
            return Some(rule.clone());
        }
        None
    }
}

impl FaultRule {
    fn matches(&self, suspect: Suspect<'_>) -> bool {
        let is = |wanted: &Option<String>, actual: &str| wanted.as_deref().is_none_or(|it| it == actual);
        is(&self.key, suspect.key)
            && is(&self.project, suspect.project)
            && is(&self.model, suspect.route.model())
            && is(&self.operation, suspect.route.operation())
            && self.fault.fits(suspect.route)
    }
}
