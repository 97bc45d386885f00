//! The 429 of an exceeded quota: one line and one violation per limit, a delay in prose and a delay in details
//! that need not agree.

use serde_json::{Value, json};

use crate::project::Tier;
use crate::quota::{Dimension, Violation};
use crate::status::{SERVICE, Status, detail};

/// What a refused request ran into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exhausted<'a> {
    pub(crate) tier: Tier,
    pub(crate) bucket: &'a str,
    pub(crate) violations: &'a [Violation],
    pub(crate) now: u64,
    /// Number of the request: seeds everything that varies from answer to answer.
    pub(crate) seq: u64,
}

impl Exhausted<'_> {
    pub(crate) fn status(self) -> Status {
        let delay = self.delay_nanos();
        let mut message = "You exceeded your current quota, please check your plan and billing details. For more \
             information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. To monitor \
             your current usage, head to: https://ai.dev/rate-limit. "
            .to_owned();
        for violation in self.violations {
            message.push_str(&format!(
                "\n* Quota exceeded for metric: {}, limit: {}, model: {}",
                metric(self.tier, violation.dimension),
                violation.limit,
                self.bucket
            ));
        }
        message.push_str(&format!("\nPlease retry in {}.", go_duration(delay)));
        Status::new(429, "RESOURCE_EXHAUSTED", message).details(self.details(delay))
    }

    fn details(self, delay: u64) -> Vec<Value> {
        let failure = detail(
            "QuotaFailure",
            json!({"violations": self.violations.iter().map(|it| self.violation(it)).collect::<Vec<_>>()}),
        );
        let help = detail(
            "Help",
            json!({"links": [{
                "description": "Learn more about Gemini API quotas",
                "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
            }]}),
        );
        // Whole seconds, cut off: waiting exactly this long is a little too short.
        let retry = detail("RetryInfo", json!({"retryDelay": format!("{}s", delay / NANOS)}));
        match self.seq % 3 {
            0 => vec![failure, help, retry],
            1 => vec![help, failure, retry],
            _ => vec![failure, retry],
        }
    }

    fn violation(self, violation: &Violation) -> Value {
        let dimensions = if self.seq.is_multiple_of(2) {
            json!({"location": "global", "model": self.bucket})
        } else {
            json!({"model": self.bucket, "location": "global"})
        };
        let mut fields = json!({
            "quotaMetric": metric(self.tier, violation.dimension),
            "quotaId": quota_id(self.tier, violation.dimension),
            "quotaDimensions": dimensions,
        });
        // A proto3 zero is not written.
        if violation.limit > 0 {
            fields["quotaValue"] = Value::String(violation.limit.to_string());
        }
        fields
    }

    /// The wait Google announces: true for minutes and for paid days, made up for free days and zero limits.
    fn delay_nanos(self) -> u64 {
        let noise = mix(self.seq);
        let told = self.violations.iter().filter(|it| {
            it.limit > 0 && !(self.tier == Tier::Free && it.dimension == Dimension::RequestsPerDay)
        });
        match told.map(|it| it.ready_at.saturating_sub(self.now)).max() {
            Some(millis) => millis.saturating_mul(1_000_000).saturating_add(noise % 1_000_000),
            None => (5 + noise % 44) * NANOS + noise % NANOS,
        }
    }
}

const NANOS: u64 = 1_000_000_000;

/// The full metric name of a dimension.
pub(crate) fn metric(tier: Tier, dimension: Dimension) -> String {
    let prefix = match tier {
        Tier::Free => "free_tier",
        Tier::Paid1 => "paid_tier",
        Tier::Paid2 => "paid_tier_2",
        Tier::Paid3 => "paid_tier_3",
    };
    match dimension {
        Dimension::TokensPerMinute => format!("{SERVICE}/generate_content_{prefix}_input_token_count"),
        Dimension::RequestsPerDay if tier != Tier::Free => {
            format!("{SERVICE}/generate_requests_per_model_per_day")
        }
        Dimension::RequestsPerDay | Dimension::RequestsPerMinute => {
            format!("{SERVICE}/generate_content_{prefix}_requests")
        }
    }
}

const fn quota_id(tier: Tier, dimension: Dimension) -> &'static str {
    match (dimension, tier) {
        (Dimension::RequestsPerDay, Tier::Free) => "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
        (Dimension::RequestsPerDay, _) => "GenerateRequestsPerDayPerProjectPerModel",
        (Dimension::RequestsPerMinute, Tier::Free) => "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
        (Dimension::RequestsPerMinute, Tier::Paid1) => "GenerateRequestsPerMinutePerProjectPerModel-PaidTier",
        (Dimension::RequestsPerMinute, Tier::Paid2) => {
            "GenerateRequestsPerMinutePerProjectPerModel-PaidTier2"
        }
        (Dimension::RequestsPerMinute, Tier::Paid3) => {
            "GenerateRequestsPerMinutePerProjectPerModel-PaidTier3"
        }
        (Dimension::TokensPerMinute, Tier::Free) => "GenerateContentInputTokensPerModelPerMinute-FreeTier",
        (Dimension::TokensPerMinute, Tier::Paid1) => "GenerateContentPaidTierInputTokensPerModelPerMinute",
        (Dimension::TokensPerMinute, Tier::Paid2) => {
            "GenerateContentPaidTierInputTokensPerModelPerMinute-PaidTier2"
        }
        (Dimension::TokensPerMinute, Tier::Paid3) => {
            "GenerateContentPaidTierInputTokensPerModelPerMinute-PaidTier3"
        }
    }
}

/// A duration as Go prints it: `1h52m56.409571576s`, `900.2ms`, `0s`.
fn go_duration(nanos: u64) -> String {
    if nanos == 0 {
        return "0s".to_owned();
    }
    if nanos < NANOS {
        return format!("{}ms", fraction(nanos / 1_000_000, nanos % 1_000_000, 6));
    }
    let (seconds, rest) = (nanos / NANOS, nanos % NANOS);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, fraction(seconds % 60, rest, 9));
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

fn fraction(whole: u64, rest: u64, digits: usize) -> String {
    let text = format!("{whole}.{rest:0digits$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Spreads consecutive numbers over all 64 bits, the same on every run (SplitMix64).
pub(crate) const fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_go_prints_them() {
        for (nanos, text) in [
            (0, "0s"),
            (900_200_000, "900.2ms"),
            (1_000_000, "1ms"),
            (1, "0.000001ms"),
            (NANOS, "1s"),
            (56_185_908_122, "56.185908122s"),
            (60 * NANOS, "1m0s"),
            (6_776_409_571_576, "1h52m56.409571576s"),
            (3600 * NANOS, "1h0m0s"),
        ] {
            assert_eq!(go_duration(nanos), text);
        }
    }
}
