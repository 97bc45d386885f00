//! 429: which limit, how long, and what it teaches.
//!
//! Quota ids are read by substring and never enumerated: Google invents new ones. Where an answer
//! lists several violations all of them hold, so the hardest wins: a limit of zero (the model can
//! not be served by this project at all, whatever the other limits say), then the day, then the
//! minute. What has no unit we know is treated as throttling, which backs off and escalates.

use std::time::Duration;

use keyrot_core::untrusted::redact;
use keyrot_core::{Evidence, Learned, Outcome, ProjectFault, Quantity};
use serde_json::Value;

use super::{Envelope, Head, refusal};
use crate::delay;

/// What a 429 with this error means.
pub(super) fn outcome(head: &Head<'_>, error: &Envelope) -> Outcome {
    if refusal::out_of_credit(error) {
        return refusal::project(ProjectFault::Billing, Evidence::Named, error);
    }
    let violations = violations(error);
    let retry_after = retry_after(error).max(head.retry_after());
    let mut learned: Vec<Learned> = violations.iter().filter_map(Violation::learned).collect();
    learned.sort_by(|a, b| (&a.bucket, a.quantity, a.limit).cmp(&(&b.bucket, b.quantity, b.limit)));
    learned.dedup();
    let some = |unit| violations.iter().any(|v| v.unit() == Some(unit));
    if violations.iter().any(|v| v.limit == Some(0)) {
        Outcome::QuotaZero { learned }
    } else if some(Unit::Day) {
        Outcome::QuotaDay { retry_after, learned }
    } else if some(Unit::Minute) || some(Unit::Second) {
        Outcome::QuotaMinute { retry_after: retry_after.unwrap_or_default(), learned }
    } else {
        Outcome::Throttled { retry_after }
    }
}

/// The longest delay the body names: RetryInfo and prose may disagree.
fn retry_after(error: &Envelope) -> Option<Duration> {
    error
        .details_of("RetryInfo")
        .filter_map(|info| delay::parse(info.get("retryDelay")?.as_str()?))
        .chain(delay::in_prose(&error.message))
        .max()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Day,
    Minute,
    Second,
}

/// One limit that was hit.
#[derive(Debug)]
struct Violation {
    /// Id and metric in lower case without separators: `perday` matches `PerDay` and `per_day`.
    id: String,
    metric: String,
    limit: Option<u64>,
    bucket: Option<String>,
}

impl Violation {
    fn new(id: &str, metric: &str, limit: Option<u64>, bucket: Option<&str>) -> Self {
        let folded = |name: &str| {
            name.chars()
                .filter(char::is_ascii_alphanumeric)
                .map(|c| c.to_ascii_lowercase())
                .collect::<String>()
        };
        Self {
            id: folded(id),
            metric: folded(metric),
            limit,
            bucket: bucket.map(|b| redact(b.strip_prefix("models/").unwrap_or(b))).filter(|b| !b.is_empty()),
        }
    }

    /// The id decides; the metric only where the id says nothing.
    fn unit(&self) -> Option<Unit> {
        [&self.id, &self.metric].into_iter().find_map(|name| {
            if name.contains("perday") || name.contains("daily") {
                Some(Unit::Day)
            } else if name.contains("perminute") {
                Some(Unit::Minute)
            } else if name.contains("persecond") {
                Some(Unit::Second)
            } else {
                None
            }
        })
    }

    /// The limit, where it is one of the three kinds keyrot counts.
    fn learned(&self) -> Option<Learned> {
        let names = |word: &str| self.id.contains(word) || self.metric.contains(word);
        let quantity = match self.unit()? {
            Unit::Minute if names("inputtoken") => Quantity::Tpm,
            _ if names("token") || names("image") => return None,
            Unit::Minute if names("request") => Quantity::Rpm,
            Unit::Day if names("request") => Quantity::Rpd,
            _ => return None,
        };
        Some(Learned { bucket: self.bucket.clone(), quantity, limit: self.limit? })
    }
}

/// All violations, from the details; from the prose only where the details have none.
fn violations(error: &Envelope) -> Vec<Violation> {
    let prose = prose_limits(&error.message);
    let failures = error
        .details_of("QuotaFailure")
        .filter_map(|failure| failure.get("violations")?.as_array())
        .flatten()
        .filter_map(|violation| from_failure(violation, &prose));
    let infos = error.details_of("ErrorInfo").filter_map(|info| from_info(info.get("metadata")?));
    let found: Vec<_> = failures.chain(infos).collect();
    if !found.is_empty() {
        return found;
    }
    prose.iter().map(|line| Violation::new("", line.metric, Some(line.limit), line.model)).collect()
}

fn from_failure(violation: &Value, prose: &[ProseLimit<'_>]) -> Option<Violation> {
    let text = |name: &str| violation.get(name).and_then(Value::as_str);
    let (id, metric) = (text("quotaId"), text("quotaMetric"));
    if id.is_none() && metric.is_none() {
        return None;
    }
    let metric = metric.unwrap_or_default();
    let limit = match violation.get("quotaValue").and_then(number) {
        Some(value) => Some(value),
        // proto3 omits a zero. The prose may still know better: then the value is in doubt.
        None if prose.iter().any(|line| line.metric == metric && line.limit > 0) => None,
        None => Some(0),
    };
    let bucket = violation.get("quotaDimensions").and_then(|dimensions| dimensions.get("model")?.as_str());
    Some(Violation::new(id.unwrap_or_default(), metric, limit, bucket))
}

/// The older form: an `ErrorInfo` with the limit in its metadata.
fn from_info(metadata: &Value) -> Option<Violation> {
    let text = |name: &str| metadata.get(name).and_then(Value::as_str);
    let limit = metadata.get("quota_limit_value").and_then(number);
    Some(Violation::new(text("quota_limit")?, text("quota_metric").unwrap_or_default(), limit, None))
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// `* Quota exceeded for metric: M, limit: L, model: B`
#[derive(Debug)]
struct ProseLimit<'a> {
    metric: &'a str,
    limit: u64,
    model: Option<&'a str>,
}

fn prose_limits(message: &str) -> Vec<ProseLimit<'_>> {
    message
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_once("Quota exceeded for metric: ")?.1.split(", ");
            let metric = fields.next()?.trim();
            let (mut limit, mut model) = (None, None);
            for field in fields {
                match field.split_once(": ") {
                    Some(("limit", value)) => limit = value.trim().parse().ok(),
                    Some(("model", value)) => model = Some(value.trim()),
                    _ => {}
                }
            }
            Some(ProseLimit { metric, limit: limit?, model })
        })
        .collect()
}

#[cfg(test)]
mod tests;
