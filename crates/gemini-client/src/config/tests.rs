//! What is a base URL, and what stays beneath it.

use super::*;

#[test]
fn only_plain_http_urls_are_base_urls() {
    for text in
        [DEFAULT_BASE_URL, "http://127.0.0.1:80/", "https://gateway.example/gemini", " http://[::1]:9 "]
    {
        assert!(Base::parse(text).is_ok(), "{text}");
    }
    for text in [
        "",
        "generativelanguage.googleapis.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "https://user:pw@example.com",
        "https://example.com/?key=1",
        "https://example.com/#a",
        "http://",
        "https://exa mple.com",
    ] {
        let error = Base::parse(text).expect_err(text);
        assert!(error.to_string().contains("hint: "), "{error}");
        assert!(!error.to_string().contains("pw"), "{error}");
    }
}

#[test]
fn clear_text_is_warned_of_only_where_it_leaves_the_machine() {
    for (text, warned) in [
        ("https://example.com", false),
        ("http://localhost:1", false),
        ("http://127.8.0.1", false),
        ("http://[::1]", false),
        ("http://example.com", true),
        ("http://10.0.0.1", true),
    ] {
        assert_eq!(!Base::parse(text).unwrap().warnings().is_empty(), warned, "{text}");
    }
}

#[test]
fn a_path_stays_beneath_the_base() {
    let base = Base::parse("http://host/gemini/").unwrap();
    let joined = base.join("/v1beta/models/m:generateContent?alt=sse").unwrap();
    assert_eq!(joined.as_str(), "http://host/gemini/v1beta/models/m:generateContent?alt=sse");
    assert_eq!(base.join("//evil.example/x").unwrap().host_str(), Some("host"));
    assert_eq!(base.join("/@evil.example/x").unwrap().host_str(), Some("host"));
    for path in [
        "",
        "v1beta",
        "@evil.example/",
        "/../x",
        "/%2e%2e/x",
        "/..",
        "/a?key=1",
        "/a?b=1&KEY=2",
        "/a?k%65y=1",
    ] {
        assert!(base.join(path).is_err(), "{path}");
    }
}

#[test]
fn debug_shows_no_password() {
    let mut config = Config::at("https://user:hunter2@host");
    config.proxy = Some("http://user:hunter2@proxy".to_owned());
    let text = format!("{config:?}");
    assert!(!text.contains("hunter2"), "{text}");
}
