//! 429s of every tier and dimension, day boundaries, shared buckets, and what is charged.

use std::sync::Arc;

use gemini_sim::{
    Answer, Fault, FaultRule, KeySpec, ModelSpec, OverloadText, ProjectSpec, Quota, SimBuilder, Tier,
    Verdict, Window,
};
use serde_json::{Value, json};

use crate::wire_client::{Hands, KEY, MODEL, Response, generate, one_key, post, prompt, send, with_project};

/// 2026-03-07 23:59:00 in Los Angeles; the next day has 23 hours.
const BEFORE_SHORT_DAY: u64 = 1_772_956_740_000;
/// 2026-10-31 23:59:00 in Los Angeles; the next day has 25 hours.
const BEFORE_LONG_DAY: u64 = 1_793_516_340_000;
const HOUR: u64 = 3_600_000;

const OPENING: &str = "You exceeded your current quota, please check your plan and billing details. For more \
    information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits. To monitor your \
    current usage, head to: https://ai.dev/rate-limit. \n";

fn rpm(limit: u64) -> Quota {
    Quota { rpm: Some(limit), ..Quota::UNLIMITED }
}

fn rpd(limit: u64) -> Quota {
    Quota { rpd: Some(limit), ..Quota::UNLIMITED }
}

fn limited(tier: Tier, quota: Quota, hands: &Hands) -> SimBuilder {
    with_project(ProjectSpec::new("proj-a").tier(tier).quota(MODEL, quota)).clock(hands.clock())
}

/// The detail message of this type.
fn detail(response: &Response, kind: &str) -> Value {
    let body = response.json();
    let kind = format!("type.googleapis.com/google.rpc.{kind}");
    let found = body["error"]["details"].as_array().unwrap().iter().find(|it| it["@type"] == kind.as_str());
    found.cloned().unwrap_or(Value::Null)
}

fn violations(response: &Response) -> Vec<Value> {
    detail(response, "QuotaFailure")["violations"].as_array().unwrap().clone()
}

/// The Go duration at the end of the message.
fn told(response: &Response) -> String {
    let message = response.message();
    message.rsplit_once("Please retry in ").unwrap().1.strip_suffix('.').unwrap().to_owned()
}

#[tokio::test]
async fn a_free_minute_429_byte_for_byte() {
    let hands = Hands::at(1_000_000_000);
    let server = limited(Tier::Free, rpm(2), &hands).start().await.unwrap();
    for _ in 0..3 {
        assert_eq!(generate(&server).await.status, if server.log().len() < 3 { 200 } else { 429 });
        hands.set(1_000_000_000 + 1500 * server.log().len() as u64);
    }
    hands.set(1_000_004_500);
    let response = generate(&server).await;
    let delay = told(&response);
    assert!(delay.starts_with("55.5") && delay.ends_with('s') && delay.len() == 13, "{delay}");
    let expected = format!(
        r#"{{
  "error": {{
    "code": 429,
    "message": "{opening}* Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 2, model: gemini-2.5-flash\nPlease retry in {delay}.",
    "status": "RESOURCE_EXHAUSTED",
    "details": [
      {{
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [
          {{
            "quotaMetric": "generativelanguage.googleapis.com/generate_content_free_tier_requests",
            "quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
            "quotaDimensions": {{
              "model": "gemini-2.5-flash",
              "location": "global"
            }},
            "quotaValue": "2"
          }}
        ]
      }},
      {{
        "@type": "type.googleapis.com/google.rpc.Help",
        "links": [
          {{
            "description": "Learn more about Gemini API quotas",
            "url": "https://ai.google.dev/gemini-api/docs/rate-limits"
          }}
        ]
      }},
      {{
        "@type": "type.googleapis.com/google.rpc.RetryInfo",
        "retryDelay": "55s"
      }}
    ]
  }}
}}
"#,
        opening = OPENING.replace('\n', "\\n")
    );
    assert_eq!(response.text(), expected);
    for name in ["retry-after", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
        assert_eq!(response.header(name), None);
    }
    // What RetryInfo says is cut off and therefore too short; what the prose says is enough.
    hands.set(1_000_004_500 + 55_000);
    assert_eq!(generate(&server).await.status, 429);
    hands.set(1_000_060_000);
    assert_eq!(generate(&server).await.status, 200);
    let metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests".to_owned();
    assert_eq!(server.log()[3].verdict, Verdict::QuotaMinute { metric });
}

#[tokio::test]
async fn every_tier_and_dimension_has_its_names() {
    let requests = "generativelanguage.googleapis.com/generate_content_";
    let daily = "generativelanguage.googleapis.com/generate_requests_per_model_per_day";
    let cases = [
        (Tier::Free, "free_tier", "-FreeTier", ""),
        (Tier::Paid1, "paid_tier", "-PaidTier", ""),
        (Tier::Paid2, "paid_tier_2", "-PaidTier2", "-PaidTier2"),
        (Tier::Paid3, "paid_tier_3", "-PaidTier3", "-PaidTier3"),
    ];
    for (tier, name, suffix, token_suffix) in cases {
        let hands = Hands::at(1_000_000_000);
        let quota = Quota { rpm: Some(1), tpm: Some(3), rpd: Some(1) };
        let server = limited(tier, quota, &hands).start().await.unwrap();
        assert_eq!(generate(&server).await.status, 200);
        let response = generate(&server).await;
        let ids: Vec<Value> = violations(&response)
            .into_iter()
            .map(|it| json!([it["quotaMetric"], it["quotaId"], it["quotaValue"]]))
            .collect();
        let free = tier == Tier::Free;
        let day = if free {
            json!([
                format!("{requests}{name}_requests"),
                "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
                "1"
            ])
        } else {
            json!([daily, "GenerateRequestsPerDayPerProjectPerModel", "1"])
        };
        let tokens = if free {
            "GenerateContentInputTokensPerModelPerMinute-FreeTier".to_owned()
        } else {
            format!("GenerateContentPaidTierInputTokensPerModelPerMinute{token_suffix}")
        };
        assert_eq!(
            ids,
            [
                day,
                json!([
                    format!("{requests}{name}_requests"),
                    format!("GenerateRequestsPerMinutePerProjectPerModel{suffix}"),
                    "1"
                ]),
                json!([format!("{requests}{name}_input_token_count"), tokens, "3"]),
            ],
            "{tier:?}"
        );
        assert_eq!(response.message().matches("\n* Quota exceeded for metric: ").count(), 3);
        assert_eq!(server.log()[1].verdict, Verdict::QuotaDay);
    }
}

#[tokio::test]
async fn a_token_429_names_the_moment_the_tokens_fit() {
    let hands = Hands::at(1_000_000_000);
    let quota = Quota { tpm: Some(100), ..Quota::UNLIMITED };
    let server = limited(Tier::Paid2, quota, &hands)
        .count_tokens(Arc::new(|body| body["contents"][0]["parts"][0]["text"].as_str().unwrap().len() as u64))
        .start()
        .await
        .unwrap();
    let text = |tokens: usize| prompt(&"x".repeat(tokens));
    assert_eq!(post(&server, "generateContent", &text(60)).await.status, 200);
    hands.set(1_000_010_000);
    assert_eq!(post(&server, "generateContent", &text(40)).await.status, 200);
    hands.set(1_000_020_000);
    let small = post(&server, "generateContent", &text(60)).await;
    assert_eq!((small.status, &told(&small)[..2]), (429, "40"));
    let large = post(&server, "generateContent", &text(61)).await;
    assert_eq!((large.status, &told(&large)[..2]), (429, "50"));
    hands.set(1_000_060_000);
    assert_eq!(post(&server, "generateContent", &text(60)).await.status, 200);
    assert_eq!(
        server.log().iter().map(|it| it.charged).collect::<Vec<_>>(),
        [true, true, false, false, true]
    );
}

#[tokio::test]
async fn aligned_minutes_begin_together() {
    let hands = Hands::at(1_000_019_999 + 60_000 - 1_000_019_999 % 60_000 - 1);
    let server = limited(Tier::Free, rpm(1), &hands).window(Window::FixedMinute).start().await.unwrap();
    assert_eq!(generate(&server).await.status, 200);
    let refused = generate(&server).await;
    assert_eq!(refused.status, 429);
    assert!(told(&refused).ends_with("ms"), "a millisecond of the old minute is left");
    assert_eq!(detail(&refused, "RetryInfo")["retryDelay"], "0s");
}

#[tokio::test]
async fn a_free_day_429_lies_about_the_wait() {
    let hands = Hands::at(BEFORE_SHORT_DAY - 5 * HOUR);
    let server = limited(Tier::Free, rpd(1), &hands).start().await.unwrap();
    assert_eq!(generate(&server).await.status, 200);
    for _ in 0..20 {
        let response = generate(&server).await;
        let delay = told(&response);
        let whole: u64 = delay.split('.').next().unwrap().parse().unwrap();
        assert!((5..=48).contains(&whole), "{delay}");
        assert_eq!(detail(&response, "RetryInfo")["retryDelay"], format!("{whole}s"));
        assert_eq!(violations(&response)[0]["quotaId"], "GenerateRequestsPerDayPerProjectPerModel-FreeTier");
    }
}

#[tokio::test]
async fn a_paid_day_429_tells_the_true_hours() {
    let hands = Hands::at(BEFORE_SHORT_DAY - 2 * HOUR);
    let server = limited(Tier::Paid1, rpd(1), &hands).start().await.unwrap();
    assert_eq!(generate(&server).await.status, 200);
    let response = generate(&server).await;
    assert!(told(&response).starts_with("2h1m0.000"), "{}", told(&response));
    assert_eq!(detail(&response, "RetryInfo")["retryDelay"], "7260s");
}

#[tokio::test]
async fn days_end_at_pacific_midnight_whatever_their_length() {
    for (before, hours) in [(BEFORE_SHORT_DAY, 23), (BEFORE_LONG_DAY, 25), (1_781_593_140_000, 24)] {
        let hands = Hands::at(before);
        let server = limited(Tier::Free, rpd(1), &hands).start().await.unwrap();
        let midnight = before + 60_000;
        let next = midnight + hours * HOUR;
        for (now, status) in
            [(before, 200), (midnight - 1, 429), (midnight, 200), (next - 1, 429), (next, 200)]
        {
            hands.set(now);
            assert_eq!(generate(&server).await.status, status, "{hours} hours, {now}");
        }
    }
}

#[tokio::test]
async fn a_model_outside_the_tier_has_limit_zero_and_no_value() {
    let hands = Hands::at(0);
    let server = limited(Tier::Free, Quota::DISABLED, &hands).start().await.unwrap();
    let response = generate(&server).await;
    assert_eq!(response.status, 429);
    let lines = response.message().matches(", limit: 0, model: gemini-2.5-flash").count();
    assert_eq!((lines, violations(&response).len()), (3, 3));
    assert!(violations(&response).iter().all(|it| it.get("quotaValue").is_none()));
    assert!(detail(&response, "RetryInfo")["retryDelay"].as_str().unwrap().ends_with('s'));
    assert_eq!(server.log()[0].verdict, Verdict::QuotaZero);
}

#[tokio::test]
async fn detail_order_and_dimension_order_vary() {
    let hands = Hands::at(0);
    let server = limited(Tier::Free, Quota::DISABLED, &hands).start().await.unwrap();
    let (mut orders, mut dimensions) = (std::collections::HashSet::new(), std::collections::HashSet::new());
    for _ in 0..6 {
        let response = generate(&server).await;
        let body = response.json();
        let kinds = body["error"]["details"].as_array().unwrap().iter().map(|it| it["@type"].to_string());
        orders.insert(kinds.collect::<String>());
        dimensions.insert(violations(&response)[0]["quotaDimensions"].to_string());
    }
    assert_eq!((orders.len(), dimensions.len()), (3, 2));
}

#[tokio::test]
async fn keys_and_aliases_of_a_project_share_buckets() {
    let hands = Hands::at(0);
    let server = with_project(ProjectSpec::new("proj-a").default_quota(rpm(1)))
        .project(ProjectSpec::new("proj-b").default_quota(rpm(1)))
        .key(KeySpec::new("AIza-secret-2", "proj-a"))
        .key(KeySpec::new("AIza-secret-3", "proj-b"))
        .clock(hands.clock())
        .start()
        .await
        .unwrap();
    let ask = async |key: &str, model: &str| {
        let target = format!("/v1beta/models/{model}:generateContent");
        send(&server, "POST", &target, &[("x-goog-api-key", key)], &prompt("x").to_string()).await
    };
    assert_eq!(ask(KEY, "gemini-3.1-pro-preview-customtools").await.status, 200);
    let refused = ask("AIza-secret-2", "gemini-3.1-pro-preview").await;
    assert_eq!(refused.status, 429);
    assert_eq!(violations(&refused)[0]["quotaDimensions"]["model"], "gemini-3.1-pro");
    assert_eq!(ask("AIza-secret-3", "gemini-3.1-pro-preview").await.status, 200, "another project");
    assert_eq!(ask(KEY, "gemini-3-pro-preview").await.status, 200, "another bucket");
    let log = server.log();
    assert_eq!((log[1].bucket.as_str(), log[1].model.as_str()), ("gemini-3.1-pro", "gemini-3.1-pro-preview"));
}

#[tokio::test]
async fn faults_after_admission_are_charged_and_refusals_are_not() {
    let hands = Hands::at(0);
    let server = limited(Tier::Free, rpm(2), &hands).start().await.unwrap();
    server.push_fault(FaultRule::new(Fault::TooManyBare));
    server.push_fault(FaultRule::new(Fault::Overloaded(OverloadText::New)));
    server.push_fault(FaultRule::new(Fault::BadRequest("no".to_owned())));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(generate(&server).await.status);
    }
    assert_eq!(statuses, [429, 503, 400, 429]);
    let charged: Vec<bool> = server.log().iter().map(|it| it.charged).collect();
    assert_eq!(charged, [false, true, true, false]);
}

#[tokio::test]
async fn an_overlong_prompt_is_a_400_that_costs_quota() {
    let model = ModelSpec::new(MODEL).input_limit(10);
    let server = one_key().model(model).start().await.unwrap();
    let response = post(&server, "generateContent", &prompt(&"x".repeat(41))).await;
    assert_eq!(response.status, 400);
    assert_eq!(
        response.message(),
        "The input token count exceeds the maximum number of tokens allowed (10)."
    );
    let entry = &server.log()[0];
    assert_eq!((entry.charged, entry.input_tokens, &entry.verdict), (true, 11, &Verdict::BadRequest));
}

#[tokio::test]
async fn rejected_requests_count_where_asked() {
    for (count, status) in [(false, 200), (true, 429)] {
        let hands = Hands::at(0);
        let server = limited(Tier::Free, rpm(1), &hands).count_rejected(count).start().await.unwrap();
        assert_eq!(generate(&server).await.status, 200);
        hands.set(59_999);
        assert_eq!(generate(&server).await.status, 429);
        hands.set(60_000);
        assert_eq!(generate(&server).await.status, status, "count_rejected: {count}");
        assert_eq!(server.log()[1].charged, count);
    }
}

#[tokio::test]
async fn a_reported_prompt_count_replaces_the_charge() {
    let hands = Hands::at(0);
    let quota = Quota { tpm: Some(100), ..Quota::UNLIMITED };
    let server = limited(Tier::Free, quota, &hands)
        .answer(Arc::new(|_| Answer { prompt_tokens: Some(99), ..Answer::text("OK") }))
        .start()
        .await
        .unwrap();
    let first = generate(&server).await;
    assert_eq!(first.json()["usageMetadata"]["promptTokenCount"], 99);
    assert_eq!(generate(&server).await.status, 429, "99 used, 2 more do not fit");
    assert_eq!(server.log()[0].input_tokens, 99);
}
