//! Every recorded 429, and that the order of details means nothing.

use keyrot_core::Outcome;
use proptest::prelude::*;
use serde_json::json;

use super::super::tests::{body, classify, untyped};
use super::*;

const FREE_MINUTE: &str = r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits.\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 2\nPlease retry in 56.185908122s.","status":"RESOURCE_EXHAUSTED","details":[
 {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaDimensions":{"location":"global","model":"gemini-2.5-pro"},"quotaValue":"2"}]},
 {"@type":"type.googleapis.com/google.rpc.Help","links":[{"description":"Learn more about Gemini API quotas","url":"https://ai.google.dev/gemini-api/docs/rate-limits"}]},
 {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"56s"}]}}"#;

const PAID_TOKENS: &str = r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. To monitor your current usage, head to: https://ai.dev/rate-limit. \n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_paid_tier_2_input_token_count, limit: 3000000, model: gemini-3.8-flash\nPlease retry in 51.386192716s.","status":"RESOURCE_EXHAUSTED","details":[
 {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_paid_tier_2_input_token_count","quotaId":"GenerateContentPaidTierInputTokensPerModelPerMinute-PaidTier2","quotaDimensions":{"location":"global","model":"gemini-3.8-flash"},"quotaValue":"3000000"}]},
 {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"14s"}]}}"#;

const FREE_DAY: &str = r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details. For more information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. To monitor your current usage, head to: https://ai.dev/usage?tab=rate-limit. \n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 50, model: gemini-2.5-pro\nPlease retry in 48.805646254s.","status":"RESOURCE_EXHAUSTED","details":[
 {"@type":"type.googleapis.com/google.rpc.Help","links":[{"description":"Learn more about Gemini API quotas","url":"https://ai.google.dev/gemini-api/docs/rate-limits"}]},
 {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaDimensions":{"model":"gemini-2.5-pro","location":"global"},"quotaValue":"50"}]},
 {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"48s"}]}}"#;

const PAID_DAY: &str = r#"{"error":{"code":429,"message":"You exceeded your current quota.\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_requests_per_model_per_day, limit: 100, model: gemini-3.1-flash-tts\nPlease retry in 1h52m56.409571576s.","status":"RESOURCE_EXHAUSTED","details":[
 {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_requests_per_model_per_day","quotaId":"GenerateRequestsPerDayPerProjectPerModel","quotaDimensions":{"location":"global","model":"gemini-3.1-flash-tts"},"quotaValue":"100"}]},
 {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"6776s"}]}}"#;

const ZERO: &str = r#"{"error":{"code":429,"message":"You exceeded your current quota.\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 0, model: gemini-3-pro\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 0, model: gemini-3-pro\n* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_input_token_count, limit: 0, model: gemini-3-pro\nPlease retry in 47.2s.","status":"RESOURCE_EXHAUSTED","details":[
 {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaDimensions":{"location":"global","model":"gemini-3-pro"}},{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaDimensions":{"location":"global","model":"gemini-3-pro"}},{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_input_token_count","quotaId":"GenerateContentInputTokensPerModelPerMinute-FreeTier","quotaDimensions":{"location":"global","model":"gemini-3-pro"}}]},
 {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"47s"}]}}"#;

const DETAIL_LESS: &str = r#"{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED"}}"#;

const PREPAY: &str = r#"{"error":{"code":429,"message":"Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage your project and billing.","status":"RESOURCE_EXHAUSTED"}}"#;

const ESF_ZERO: &str = r#"{"error":{"code":429,"message":"Quota exceeded for quota metric 'Generate Content API requests per minute' …","status":"RESOURCE_EXHAUSTED","details":[
 {"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"RATE_LIMIT_EXCEEDED","domain":"googleapis.com","metadata":{"service":"generativelanguage.googleapis.com","quota_metric":"generativelanguage.googleapis.com/generate_content_requests","quota_limit":"GenerateContentRequestsPerMinutePerProjectPerRegion","quota_limit_value":"0","quota_location":"us-west4","consumer":"projects/7"}}]}}"#;

fn learned(bucket: Option<&str>, quantity: Quantity, limit: u64) -> Learned {
    Learned { bucket: bucket.map(str::to_owned), quantity, limit }
}

fn of(text: &str) -> Outcome {
    classify(429, Some("application/json; charset=UTF-8"), text.as_bytes())
}

#[test]
fn every_recorded_429_has_its_outcome() {
    let pro = Some("gemini-3-pro");
    for (text, expected) in [
        (
            FREE_MINUTE,
            Outcome::QuotaMinute {
                retry_after: Duration::new(56, 185_908_122),
                learned: vec![learned(Some("gemini-2.5-pro"), Quantity::Rpm, 2)],
            },
        ),
        (
            PAID_TOKENS,
            Outcome::QuotaMinute {
                retry_after: Duration::new(51, 386_192_716),
                learned: vec![learned(Some("gemini-3.8-flash"), Quantity::Tpm, 3_000_000)],
            },
        ),
        (
            FREE_DAY,
            Outcome::QuotaDay {
                retry_after: Some(Duration::new(48, 805_646_254)),
                learned: vec![learned(Some("gemini-2.5-pro"), Quantity::Rpd, 50)],
            },
        ),
        (
            PAID_DAY,
            Outcome::QuotaDay {
                retry_after: Some(Duration::new(6776, 409_571_576)),
                learned: vec![learned(Some("gemini-3.1-flash-tts"), Quantity::Rpd, 100)],
            },
        ),
        (
            ZERO,
            Outcome::QuotaZero {
                learned: vec![
                    learned(pro, Quantity::Rpm, 0),
                    learned(pro, Quantity::Tpm, 0),
                    learned(pro, Quantity::Rpd, 0),
                ],
            },
        ),
        (DETAIL_LESS, Outcome::Throttled { retry_after: None }),
        (
            PREPAY,
            Outcome::ProjectRejected {
                fault: ProjectFault::Billing,
                number: None,
                evidence: Evidence::Named,
            },
        ),
        (ESF_ZERO, Outcome::QuotaZero { learned: vec![learned(None, Quantity::Rpm, 0)] }),
    ] {
        assert_eq!(of(text), expected, "{text}");
        assert_eq!(of(&format!("[{text}]")), expected, "array: {text}");
        let stripped = untyped(serde_json::from_str(text).unwrap()).to_string();
        assert_eq!(of(&stripped), expected, "without `@type`: {text}");
        assert_eq!(classify(200, None, text.as_bytes()), expected, "tail: {text}");
    }
}

fn violation(id: &str, value: Option<&str>) -> Value {
    let mut violation =
        json!({"quotaId": id, "quotaMetric": "g/requests", "quotaDimensions": {"model": "m"}});
    if let Some(value) = value {
        violation["quotaValue"] = json!(value);
    }
    violation
}

fn answer(message: &str, violations: &[Value]) -> Outcome {
    let details = [
        json!({"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations}),
        json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "9s"}),
    ];
    classify(429, None, &body(429, "RESOURCE_EXHAUSTED", message, &details))
}

#[test]
fn ids_are_read_by_substring() {
    for (id, unit, quantity) in [
        ("GenerateRequestsPerMinutePerProjectPerModel-PaidTier3", Unit::Minute, Some(Quantity::Rpm)),
        ("EmbedContentRequestsPerDayPerUserPerProjectPerModel-FreeTier", Unit::Day, Some(Quantity::Rpd)),
        ("EmbedContentRequestsPerMinutePerProjectPerModel-FreeTier", Unit::Minute, Some(Quantity::Rpm)),
        ("GenerateContentInputTokensPerModelPerDay-FreeTier", Unit::Day, None),
        ("GenerateContentPaidTierInputTokensPerModelPerMinute", Unit::Minute, Some(Quantity::Tpm)),
        ("BrandNewThingDailyRequests", Unit::Day, Some(Quantity::Rpd)),
        ("GenerateImagesPerMinutePerProject", Unit::Minute, None),
        ("GenerateRequestsPerSecondPerProject", Unit::Second, None),
        ("OutputTokensPerMinute", Unit::Minute, None),
    ] {
        let violation = Violation::new(id, "generativelanguage.googleapis.com/some_requests", Some(7), None);
        assert_eq!(violation.unit(), Some(unit), "{id}");
        assert_eq!(violation.learned().map(|l| l.quantity), quantity, "{id}");
    }
}

#[test]
fn the_hardest_violation_wins() {
    let minute = violation("RequestsPerMinute", Some("5"));
    let day = violation("RequestsPerDay", Some("50"));
    let zero = violation("InputTokensPerMinute", None);
    let strange = violation("RequestsPerFortnight", Some("5"));
    assert!(matches!(answer("", &[minute.clone(), strange.clone()]), Outcome::QuotaMinute { .. }));
    assert!(matches!(answer("", &[minute.clone(), day.clone()]), Outcome::QuotaDay { .. }));
    assert!(matches!(answer("", &[day, zero, minute]), Outcome::QuotaZero { .. }));
    assert_eq!(answer("", &[strange]), Outcome::Throttled { retry_after: Some(Duration::from_secs(9)) });
    assert_eq!(answer("", &[]), Outcome::Throttled { retry_after: Some(Duration::from_secs(9)) });
}

#[test]
fn a_missing_value_is_zero_unless_the_prose_knows_better() {
    let missing = violation("RequestsPerMinute", None);
    let known = "* Quota exceeded for metric: g/requests, limit: 5, model: m";
    let other = "* Quota exceeded for metric: g/other, limit: 5, model: m";
    assert!(matches!(answer("", std::slice::from_ref(&missing)), Outcome::QuotaZero { .. }));
    assert!(matches!(answer(other, std::slice::from_ref(&missing)), Outcome::QuotaZero { .. }));
    assert!(matches!(answer(known, &[missing]), Outcome::QuotaMinute { learned, .. } if learned.is_empty()));
    let bare = json!({"subject": "project:1", "description": "no id, no metric"});
    assert!(matches!(answer("", &[bare]), Outcome::Throttled { .. }));
}

#[test]
fn prose_alone_is_read_where_there_are_no_details() {
    let of = |message: &str| classify(429, None, &body(429, "RESOURCE_EXHAUSTED", message, &[]));
    let zero = "* Quota exceeded for metric: g/free_tier_requests, limit: 0, model: gemini-3-pro\nPlease retry in 47s.";
    assert_eq!(of(zero), Outcome::QuotaZero { learned: vec![] });
    let day = "* Quota exceeded for metric: g/generate_requests_per_model_per_day, limit: 100, model: tts\nPlease retry in 5s.";
    assert_eq!(
        of(day),
        Outcome::QuotaDay {
            retry_after: Some(Duration::from_secs(5)),
            learned: vec![learned(Some("tts"), Quantity::Rpd, 100)]
        }
    );
    let unknown = "* Quota exceeded for metric: g/free_tier_requests, limit: 5\nPlease retry in 5s.";
    assert_eq!(of(unknown), Outcome::Throttled { retry_after: Some(Duration::from_secs(5)) });
}

/// A recorded body with its details, violations and dimensions in another order.
fn shuffled(text: &str) -> impl Strategy<Value = Value> + use<> {
    let value: Value = serde_json::from_str(text).expect("recorded JSON");
    let details = value["error"]["details"].as_array().cloned().unwrap_or_default();
    let violations =
        details.iter().find_map(|d| d.get("violations")?.as_array().cloned()).unwrap_or_default();
    (Just(value), Just(details).prop_shuffle(), Just(violations).prop_shuffle(), any::<bool>()).prop_map(
        |(mut value, mut details, violations, reverse)| {
            for detail in &mut details {
                if detail.get("violations").is_some() {
                    detail["violations"] = Value::Array(violations.clone());
                }
                if let (true, Some(object)) = (reverse, detail.as_object_mut()) {
                    *object = std::mem::take(object).into_iter().rev().collect();
                }
            }
            if !details.is_empty() {
                value["error"]["details"] = Value::Array(details);
            }
            value
        },
    )
}

proptest! {
    #[test]
    fn order_means_nothing(
        pair in prop_oneof![Just(FREE_MINUTE), Just(PAID_TOKENS), Just(FREE_DAY), Just(PAID_DAY), Just(ZERO), Just(ESF_ZERO)]
            .prop_flat_map(|text| (Just(text), shuffled(text)))
    ) {
        let (text, value) = pair;
        prop_assert_eq!(of(&value.to_string()), of(text));
    }
}
