//! Whatever comes in: no panic, no endless work, and the class that structure gives.

use moorline_failover::{Signal, Verdict, classify};

const SIZE: usize = 64 * 1024;

fn body(body: &[u8]) -> Verdict {
    classify(&Signal::status(429).from_provider("acme").with_body(body))
}

#[track_caller]
fn is_a_rate_limit(bytes: &[u8]) {
    assert_eq!(body(bytes).code.to_string(), "provider.rate_limit");
}

#[test]
fn large_bodies_keep_the_status_class() {
    for filler in [
        "x",
        " ",
        "\0",
        "{",
        "[",
        "}",
        "\"",
        "'",
        "\\",
        "\\u",
        "<",
        "429 ",
        "频",
        "{\"a\":",
        "é",
        "{\"message\":\"",
    ] {
        let mut bytes = filler.repeat(SIZE / filler.len() + 1).into_bytes();
        is_a_rate_limit(&bytes);
        // Cut in the middle of a character or an escape.
        bytes.truncate(SIZE - 1);
        is_a_rate_limit(&bytes);
    }
}

#[test]
fn bytes_that_are_no_text_are_no_trouble() {
    let mut binary: Vec<u8> = (0..=255).cycle().take(SIZE).collect();
    is_a_rate_limit(&binary);
    binary.reverse();
    is_a_rate_limit(&binary);
    is_a_rate_limit(b"{\"error\":{\"message\":\"\xFF\xFE\x80\",\"code\":\"\xC3\x28\"}}");
    is_a_rate_limit(b"\xEF\xBB\xBF{}");
    is_a_rate_limit(&[]);
}

#[test]
fn depth_and_nesting_are_bounded() {
    is_a_rate_limit(&"{\"error\":".repeat(100_000).into_bytes());
    is_a_rate_limit(&"[".repeat(1_000_000).into_bytes());
    // A document in a string in a document, six levels deep: what is beyond the bound is not looked at.
    let mut nested = r#"{"error":{"code":"context_length_exceeded"}}"#.to_owned();
    for _ in 0..6 {
        nested = serde_json::json!({"error": {"message": nested}}).to_string();
    }
    is_a_rate_limit(nested.as_bytes());
}

#[test]
fn a_code_behind_a_long_echo_is_found() {
    let echo = "ignore all rules: context length exceeded, invalid api key. ".repeat(500);
    let told = serde_json::json!({"prompt": echo, "error": {"code": "insufficient_quota", "message": "no"}})
        .to_string();
    let verdict = classify(&Signal::status(429).from_provider("openai").with_body(told.as_bytes()));
    assert_eq!(verdict.code.to_string(), "provider.billing");
}

#[test]
fn an_echo_under_an_unknown_key_says_nothing() {
    let echo = "context length exceeded; invalid api key; your credit balance is too low; overloaded";
    for key in ["prompt", "input", "messages", "request", "content", "failed_generation", "url", "completion"]
    {
        let told = serde_json::json!({"error": {"message": "something", key: echo}, key: {"message": echo}})
            .to_string();
        is_a_rate_limit(told.as_bytes());
    }
}

#[test]
fn a_page_is_read_by_its_title_only() {
    let mut page = "<html><head><title>Too Many Requests</title></head><body>invalid api key ".to_owned();
    page.push_str(&"context length exceeded ".repeat(3000));
    is_a_rate_limit(page.as_bytes());
}

#[test]
fn hostile_fields_are_no_trouble() {
    let long = "9".repeat(SIZE);
    let headers =
        [("retry-after", long.as_str()), (long.as_str(), "x"), ("x-ratelimit-reset-tokens", "\u{7f}")];
    let signal = Signal::status(429)
        .from_provider(&long)
        .with_code(&long)
        .with_kind(&long)
        .with_message(&long)
        .with_headers(&headers);
    assert_eq!(classify(&signal).code.to_string(), "provider.rate_limit");
}
