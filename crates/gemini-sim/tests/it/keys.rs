//! Credentials, key and project states, ownership, and requests that make no sense.

use gemini_sim::{KeySpec, KeyState, ProjectSpec, ProjectState, Sim, Verdict};
use serde_json::{Value, json};

use crate::wire_client::{KEY, generate, one_key, parse, post, prompt, raw, request, send};

const GENERATE: &str = "/v1beta/models/gemini-2.5-flash:generateContent";
const UNAUTHENTICATED: &str = "Request had invalid authentication credentials. Expected OAuth 2 access token, \
    login cookie or other valid authentication credential. See \
    https://developers.google.com/identity/sign-in/web/devconsole-project.";

fn reason(body: &Value) -> &str {
    body["error"]["details"][0]["reason"].as_str().unwrap_or_default()
}

#[tokio::test]
async fn an_invalid_key_is_answered_byte_for_byte() {
    let server = one_key().start().await.unwrap();
    server.set_key_state(KEY, KeyState::Invalid);
    let expected = r#"{
  "error": {
    "code": 400,
    "message": "API key not valid. Please pass a valid API key.",
    "status": "INVALID_ARGUMENT",
    "details": [
      {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID",
        "domain": "googleapis.com",
        "metadata": {
          "service": "generativelanguage.googleapis.com"
        }
      },
      {
        "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
        "locale": "en-US",
        "message": "API key not valid. Please pass a valid API key."
      }
    ]
  }
}
"#;
    let response = generate(&server).await;
    assert_eq!((response.status, response.text()), (400, expected));
    assert_eq!(response.header("x-gemini-service-tier"), None);
    let unknown =
        send(&server, "POST", GENERATE, &[("x-goog-api-key", "nobody's")], &prompt("x").to_string()).await;
    assert_eq!((unknown.status, unknown.text()), (400, expected));
    let entry = &server.log()[1];
    assert_eq!(entry.verdict, Verdict::KeyRefused(KeyState::Invalid));
    assert_eq!(entry.key_label.as_deref(), Some("unknown"));
}

#[tokio::test]
async fn each_key_state_has_its_error() {
    let server = one_key().start().await.unwrap();
    let cases = [
        (
            KeyState::Expired,
            400,
            "INVALID_ARGUMENT",
            "API key expired. Please renew the API key.",
            "API_KEY_INVALID",
        ),
        (
            KeyState::Leaked,
            403,
            "PERMISSION_DENIED",
            "Your API key was reported as leaked. Please use another API key.",
            "",
        ),
        (
            KeyState::ServiceBlocked,
            403,
            "PERMISSION_DENIED",
            "Requests to this API generativelanguage.googleapis.com method google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent are blocked.",
            "API_KEY_SERVICE_BLOCKED",
        ),
        (
            KeyState::ReferrerBlocked,
            403,
            "PERMISSION_DENIED",
            "Requests from referer <empty> are blocked.",
            "API_KEY_HTTP_REFERRER_BLOCKED",
        ),
        (
            KeyState::IpBlocked,
            403,
            "PERMISSION_DENIED",
            "The provided API key has an IP address restriction. The originating IP address of the call (127.0.0.1) violates this restriction.",
            "API_KEY_IP_ADDRESS_BLOCKED",
        ),
        (KeyState::NotFound, 400, "INVALID_ARGUMENT", "API Key not found. Please pass a valid API key.", ""),
        (
            KeyState::InvalidUntyped,
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
            "API_KEY_INVALID",
        ),
        (KeyState::BadAuthKey, 400, "INVALID_ARGUMENT", "Invalid Auth key.", ""),
        (
            KeyState::TokenTypeUnsupported,
            401,
            "UNAUTHENTICATED",
            UNAUTHENTICATED,
            "ACCESS_TOKEN_TYPE_UNSUPPORTED",
        ),
        (
            KeyState::NoPermission { operation: "generateContent".to_owned() },
            403,
            "PERMISSION_DENIED",
            "The caller does not have permission",
            "",
        ),
    ];
    for (state, code, status, message, why) in cases {
        assert!(server.set_key_state(KEY, state.clone()));
        let response = generate(&server).await;
        let body = response.json();
        assert_eq!(response.status, code, "{state:?}");
        assert_eq!(body["error"]["code"], code);
        assert_eq!(body["error"]["status"], status);
        assert_eq!(body["error"]["message"], message);
        assert_eq!(reason(&body), why);
        assert_eq!(body["error"].get("details").is_some(), !why.is_empty(), "{state:?}");
        if matches!(state, KeyState::ServiceBlocked | KeyState::ReferrerBlocked | KeyState::IpBlocked) {
            assert_eq!(body["error"]["details"][0]["metadata"]["consumer"], "projects/123456");
        }
        let typed = body["error"]["details"][0].get("@type").is_some();
        assert_eq!(typed, !why.is_empty() && state != KeyState::InvalidUntyped, "{state:?}");
        assert_eq!(server.log().last().unwrap().verdict, Verdict::KeyRefused(state));
    }
    assert_eq!(post(&server, "countTokens", &prompt("x")).await.status, 200, "another operation");
    assert!(server.log().iter().all(|entry| !entry.charged));
}

#[tokio::test]
async fn each_project_state_has_its_error() {
    let server = one_key().start().await.unwrap();
    let suspended = format!("Permission denied: Consumer 'api_key:{KEY}' has been suspended.");
    let cases = [
        (
            ProjectState::ServiceDisabled,
            403,
            "Generative Language API has not been used in project 123456 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/generativelanguage.googleapis.com/overview?project=123456 then retry. If you enabled this API recently, wait a few minutes for the action to propagate to our systems and retry.",
            "SERVICE_DISABLED",
        ),
        (ProjectState::Denied, 403, "Your project has been denied access. Please contact support.", ""),
        (ProjectState::Suspended, 403, suspended.as_str(), "CONSUMER_SUSPENDED"),
        (
            ProjectState::PrepayDepleted,
            429,
            "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage your project and billing.",
            "",
        ),
        (ProjectState::LocationBlocked, 400, "User location is not supported for the API use.", ""),
        (
            ProjectState::LocationNeedsBilling,
            400,
            "User location is not supported for the API use without a billing account linked.",
            "",
        ),
    ];
    for (state, code, message, why) in cases {
        assert!(server.set_project_state("proj-a", state));
        let response = generate(&server).await;
        assert_eq!((response.status, response.message().as_str()), (code, message), "{state:?}");
        assert_eq!(reason(&response.json()), why);
        if !why.is_empty() {
            assert_eq!(response.json()["error"]["details"][0]["metadata"]["consumer"], "projects/123456");
        }
        assert_eq!(server.log().last().unwrap().verdict, Verdict::ProjectRefused(state));
    }
    assert!(!server.set_project_state("nobody", ProjectState::Ok));
    assert!(server.set_project_state("proj-a", ProjectState::Ok));
    assert_eq!(generate(&server).await.status, 200);
}

#[tokio::test]
async fn a_model_is_closed_to_one_project_and_open_to_another() {
    let server = Sim::builder()
        .project(ProjectSpec::new("new").gated("gemini-2.5-flash"))
        .project(ProjectSpec::new("old"))
        .key(KeySpec::new("AIza-new", "new"))
        .key(KeySpec::new("AIza-old", "old"))
        .start()
        .await
        .unwrap();
    let body = prompt("x").to_string();
    let closed = send(&server, "POST", GENERATE, &[("x-goog-api-key", "AIza-new")], &body).await;
    assert_eq!(closed.status, 404);
    assert!(closed.message().contains("is no longer available to new users"), "{}", closed.message());
    assert_eq!(send(&server, "POST", GENERATE, &[("x-goog-api-key", "AIza-old")], &body).await.status, 200);
    let other = GENERATE.replace("2.5-flash", "2.5-pro");
    assert_eq!(send(&server, "POST", &other, &[("x-goog-api-key", "AIza-new")], &body).await.status, 200);
    let card = GENERATE.trim_end_matches(":generateContent");
    assert_eq!(send(&server, "GET", card, &[("x-goog-api-key", "AIza-new")], "").await.status, 200);
    assert!(!server.log()[0].charged);
}

#[tokio::test]
async fn credentials_count_only_where_google_takes_them() {
    let server = one_key().key(KeySpec::new("AQ.new", "proj-a")).start().await.unwrap();
    let body = prompt("x").to_string();
    let none = send(&server, "POST", GENERATE, &[], &body).await;
    assert_eq!(none.status, 403);
    assert_eq!(
        none.message(),
        "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API."
    );
    let query = |key: &str| format!("{GENERATE}?x=1&key={key}");
    assert_eq!(send(&server, "POST", &query(KEY), &[], &body).await.status, 200);
    assert_eq!(send(&server, "POST", &query("AQ.new"), &[], &body).await.status, 401);
    assert_eq!(send(&server, "POST", GENERATE, &[("X-Goog-Api-Key", "AQ.new")], &body).await.status, 200);
    let bearer = ("authorization", "Bearer AIza-secret-1");
    let response = send(&server, "POST", GENERATE, &[bearer], &body).await;
    assert_eq!((response.status, response.message().as_str()), (401, UNAUTHENTICATED));
    assert_eq!(
        response.json()["error"]["details"][0]["metadata"],
        json!({
            "method": "google.ai.generativelanguage.v1beta.GenerativeService.GenerateContent",
            "service": "generativelanguage.googleapis.com",
        })
    );
    let both = send(&server, "POST", GENERATE, &[bearer, ("x-goog-api-key", KEY)], &body).await;
    assert_eq!(both.status, 400);
    let log = server.log();
    assert_eq!(log[0].verdict, Verdict::NoKey);
    assert!(log.iter().all(|entry| !entry.path.contains("AIza")));
}

#[tokio::test]
async fn no_rendering_shows_a_secret() {
    let server = one_key().start().await.unwrap();
    generate(&server).await;
    let entry = server.log().remove(0);
    assert_eq!(entry.key.as_deref(), Some(KEY));
    let json = serde_json::to_value(&entry).unwrap();
    assert_eq!(json["key"], "key#1");
    let shown = format!("{entry:?} {entry} {json} {server:?} {:?}", KeySpec::new(KEY, "p"));
    assert!(!shown.contains(KEY), "{shown}");
}

#[tokio::test]
async fn a_replaced_key_is_unknown_and_the_new_one_valid() {
    let server = one_key().start().await.unwrap();
    assert!(!server.replace_key("nobody's", "x"));
    assert!(server.replace_key(KEY, "AIza-secret-2"));
    assert_eq!(generate(&server).await.status, 400);
    let body = prompt("x").to_string();
    let new = send(&server, "POST", GENERATE, &[("x-goog-api-key", "AIza-secret-2")], &body).await;
    assert_eq!(new.status, 200);
    assert_eq!(server.log()[1].key_label.as_deref(), Some("key#2"));
}

#[tokio::test]
async fn files_and_caches_belong_to_one_project() {
    let server = one_key()
        .project(ProjectSpec::new("proj-b"))
        .file("files/mine", "proj-a")
        .file("files/theirs", "proj-b")
        .cached("cachedContents/mine", "proj-a")
        .cached("cachedContents/theirs", "proj-b")
        .start()
        .await
        .unwrap();
    let file = |uri: &str| json!({"contents": [{"parts": [{"fileData": {"fileUri": uri}}]}]});
    let base = server.base_url();
    for (uri, status) in [
        (format!("{base}/v1beta/files/mine"), 200),
        (format!("{base}/v1beta/files/theirs"), 403),
        ("https://generativelanguage.googleapis.com/v1/files/expired".to_owned(), 403),
        ("https://www.youtube.com/watch?v=1".to_owned(), 200),
    ] {
        let response = post(&server, "generateContent", &file(&uri)).await;
        assert_eq!(response.status, status, "{uri}");
        if status == 403 {
            let id = uri.rsplit('/').next().unwrap();
            assert_eq!(
                response.message(),
                format!("You do not have permission to access the File {id} or it may not exist.")
            );
        }
    }
    for (name, status) in [("mine", 200), ("theirs", 403), ("gone", 403)] {
        let mut body = prompt("x");
        body["cachedContent"] = json!(format!("cachedContents/{name}"));
        let response = post(&server, "generateContent", &body).await;
        assert_eq!(response.status, status, "{name}");
        if status == 403 {
            assert_eq!(response.message(), "CachedContent not found (or permission denied)");
        }
    }
    assert_eq!(server.log()[1].verdict, Verdict::NotOwned);
}

#[tokio::test]
async fn senseless_requests_get_a_400_or_404() {
    let server = one_key().start().await.unwrap();
    for (body, message) in [
        ("", "Invalid JSON payload received. Unexpected end of string.\n\n^"),
        ("{\"contents\": oops}", "Invalid JSON payload received. Unexpected token.\n{\"contents\": oops}\n^"),
        ("[]", "Invalid JSON payload received. Unknown name \"\": Root element must be a message."),
        ("{\"contens\": []}", "Invalid JSON payload received. Unknown name \"contens\": Cannot find field."),
        ("{}", "* GenerateContentRequest.contents: contents is not specified\n"),
        ("{\"contents\": []}", "* GenerateContentRequest.contents: contents is not specified\n"),
        ("{\"contents\": 7}", "Request contains an invalid argument."),
        ("{\"contents\": [{\"parts\": [7]}]}", "Request contains an invalid argument."),
    ] {
        let response = send(&server, "POST", GENERATE, &[("x-goog-api-key", KEY)], body).await;
        assert_eq!((response.status, response.message().as_str()), (400, message), "{body}");
    }
    for model in ["gemini-9", "gemini-embedding-001", "%FF"] {
        let target = format!("/v1beta/models/{model}:generateContent");
        let response =
            send(&server, "POST", &target, &[("x-goog-api-key", KEY)], &prompt("x").to_string()).await;
        let model = model.replace("%FF", "\u{fffd}");
        assert_eq!(response.status, 404);
        assert_eq!(
            response.message(),
            format!(
                "models/{model} is not found for API version v1beta, or is not supported for generateContent. Call ModelService.ListModels to see the list of available models and their supported methods."
            )
        );
    }
    let embed = "/v1/models/gemini-2.5-flash:embedContent";
    assert_eq!(send(&server, "POST", embed, &[("x-goog-api-key", KEY)], "{}").await.status, 404);
    let nowhere = send(&server, "GET", "/nowhere", &[], "").await;
    assert_eq!((nowhere.status, nowhere.header("content-type")), (404, Some("text/html; charset=UTF-8")));
    assert!(server.log().iter().all(|entry| !entry.charged));
}

#[tokio::test]
async fn a_body_of_more_than_20_mib_is_refused() {
    let server = one_key().start().await.unwrap();
    let limit = 20 * 1024 * 1024;
    let mut body = prompt("").to_string();
    let padding = " ".repeat(limit - body.len());
    body.push_str(&padding);
    let fits = send(&server, "POST", GENERATE, &[("x-goog-api-key", KEY)], &body).await;
    assert_eq!(fits.status, 200);
    body.push(' ');
    let large = send(&server, "POST", GENERATE, &[("x-goog-api-key", KEY)], &body).await;
    assert_eq!(large.status, 400);
    assert_eq!(large.message(), "Request payload size exceeds the limit: 20971520 bytes.");
}

#[tokio::test]
async fn garbage_on_the_socket_gets_a_400_and_the_server_lives() {
    let server = one_key().start().await.unwrap();
    for garbage in
        [&b"\x00\x01\x02\r\n\r\n"[..], b"GET\r\n\r\n", b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n"]
    {
        let bytes = raw(&server, garbage).await.ok().unwrap();
        assert_eq!(parse(&bytes).status, 400, "{garbage:?}");
    }
    // Header bytes beyond ASCII are legal HTTP and no valid key.
    let mut odd = request("GET", "/v1/models", &[("x-goog-api-key", "@")], b"");
    let at = odd.iter().position(|byte| *byte == b'@').unwrap();
    odd[at] = 0xff;
    assert_eq!(parse(&raw(&server, &odd).await.ok().unwrap()).status, 400);
    assert_eq!(generate(&server).await.status, 200);
}

#[tokio::test]
async fn contradictory_settings_are_refused_before_listening() {
    for (builder, message) in [
        (Sim::builder().key(KeySpec::new("s", "p")), "key#1 belongs to project `p`, which is not declared"),
        (one_key().key(KeySpec::new(KEY, "proj-a")), "key#2 has the same secret as key#1"),
        (one_key().project(ProjectSpec::new("proj-a")), "project `proj-a` is declared twice"),
        (one_key().file("files/x", "q"), "`files/x` belongs to project `q`, which is not declared"),
    ] {
        let error = builder.start().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), message);
    }
}
