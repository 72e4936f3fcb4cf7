//! The traps: errors that look like another class, each a case. The corpus has most of them too; here each is named.

use moorline_failover::{Scope, Signal, classify};

#[track_caller]
fn check(signal: Signal<'_>, code: &str) {
    let verdict = classify(&signal);
    assert_eq!(verdict.code.to_string(), code, "rule {}", verdict.rule);
}

const QUOTA: &str = "You exceeded your current quota, please check your plan and billing details.";

#[test]
fn the_same_sentence_is_another_class_at_another_provider() {
    let at = |provider| Signal::status(429).from_provider(provider).with_message(QUOTA);
    check(at("openai"), "provider.billing");
    check(Signal::status(402).from_provider("coreweave").with_message(QUOTA), "provider.billing");
    check(at("gemini"), "provider.rate_limit");
    check(at("dashscope"), "provider.rate_limit");
}

#[test]
fn the_same_code_is_another_class_at_another_provider() {
    let at = |provider| Signal::status(429).from_provider(provider).with_code("insufficient_quota");
    check(at("openai"), "provider.billing");
    check(at("dashscope"), "provider.rate_limit");
}

#[test]
fn access_is_refused_under_400() {
    let bad = |provider, message| Signal::status(400).from_provider(provider).with_message(message);
    check(bad("gemini", "API key not valid. Please pass a valid API key."), "provider.auth");
    check(bad("xai", "Incorrect API key provided: xa***."), "provider.auth");
    check(Signal::status(400).from_provider("bedrock").with_code("IncompleteSignature"), "provider.auth");
}

#[test]
fn money_runs_out_under_400_403_404_and_429() {
    for status in [400, 403, 404, 429] {
        check(
            Signal::status(status).with_message("Your credit balance is too low to access the API."),
            "provider.billing",
        );
    }
}

#[test]
fn throttles_come_under_400_402_and_413() {
    let kind = |status, provider, kind| Signal::status(status).from_provider(provider).with_kind(kind);
    check(kind(400, "openai-codex", "usage_limit_reached"), "provider.rate_limit");
    check(
        Signal::status(402).from_provider("openrouter").with_code("in_flight_budget_exhausted"),
        "provider.rate_limit",
    );
    check(
        Signal::status(413).from_provider("groq").with_code("rate_limit_exceeded").with_message(
            "Request too large for model `x` on tokens per minute (TPM): Limit 6000, Requested 7500",
        ),
        "request.unsatisfiable",
    );
    // The same in a body, beside the same exact code.
    check(
        Signal::status(429).from_provider("openai").with_body(
            br#"{"error":{"message":"Request too large for x on tokens per min (TPM): Limit 30000, Requested 40000.","type":"tokens","code":"rate_limit_exceeded"}}"#,
        ),
        "request.unsatisfiable",
    );
}

#[test]
fn overload_comes_under_429_498_and_529() {
    check(Signal::status(429).with_message("The engine is currently overloaded"), "provider.overloaded");
    check(Signal::status(498).from_provider("groq"), "provider.overloaded");
    check(Signal::status(529).from_provider("anthropic"), "provider.overloaded");
}

#[test]
fn the_window_overflows_under_200_403_413_and_500() {
    let long = "This model's maximum context length is 4096 tokens, however you requested 5000 tokens";
    for status in [200, 403, 413, 500] {
        check(Signal::status(status).with_message(long), "request.context_overflow");
    }
}

#[test]
fn a_model_is_missing_under_400() {
    check(
        Signal::status(400)
            .from_provider("bedrock")
            .with_message("The provided model identifier is invalid."),
        "provider.model_not_found",
    );
}

#[test]
fn too_many_tokens_can_be_a_throttle() {
    let wait = "Too many tokens, please wait before trying again.";
    check(Signal::status(429).from_provider("bedrock").with_message(wait), "provider.rate_limit");
    check(Signal::new().from_provider("bedrock").with_message(wait), "provider.rate_limit");
    check(
        Signal::new()
            .from_provider("cerebras")
            .with_message("Tokens per minute limit exceeded - too many tokens processed"),
        "provider.rate_limit",
    );
}

#[test]
fn a_limit_of_prompt_tokens_can_be_a_budget() {
    check(
        Signal::status(402)
            .from_provider("openrouter")
            .with_message("Prompt tokens limit exceeded: 16952 > 16000. To increase, visit https://openrouter.ai/settings/keys"),
        "provider.billing",
    );
}

#[test]
fn numbers_in_names_and_counts_are_no_statuses() {
    check(
        Signal::status(400).from_provider("bedrock").with_message(
            "The model returned the following errors: tools.0: Input tag 'text_editor_20250429' found using 'type' \
             does not match any of the expected tags",
        ),
        "request.format",
    );
    let body = br#"{"error":{"code":400,"message":"the request exceeds the available context size","type":"exceed_context_size_error","n_prompt_tokens":14429}}"#;
    check(Signal::status(400).from_provider("llama.cpp").with_body(body), "request.context_overflow");
}

#[test]
fn a_deadline_that_expired_is_no_expired_key() {
    let grpc = Signal::new().from_provider("xai");
    check(
        grpc.with_message("The deadline for the request expired before the operation completed."),
        "provider.timeout",
    );
    check(grpc.with_message("certificate has expired"), "local.tls_trust");
}

#[test]
fn words_about_another_class_do_not_overrule_structure() {
    check(
        Signal::status(502)
            .from_provider("acme")
            .with_code("billing_config_error")
            .with_kind("server_error")
            .with_message(
                "documentation mentions too many tokens, but this is a billing configuration failure",
            ),
        "provider.server_error",
    );
    check(
        Signal::status(400).from_provider("openai").with_code("context_length_exceeded").with_message(
            "However, your messages resulted in 140021 tokens (timeout settings unchanged, rate limit fine).",
        ),
        "request.context_overflow",
    );
}

#[test]
fn quoted_lock_words_are_no_lock_error() {
    check(
        Signal::status(400).from_provider("openai").with_kind("invalid_request_error").with_message(
            "Invalid value for messages[3].content: 'the log said session file locked (timeout 60000ms): rate limit'",
        ),
        "request.format",
    );
    check(
        Signal::status(400).from_provider("openai").with_message(
            "Invalid value: 'payment required'. Supported values are: 'none', 'auto', and 'required'.",
        ),
        "request.format",
    );
    check(Signal::status(423).from_provider("acme").with_message("Locked"), "provider.unknown");
    check(
        Signal::status(403).from_provider("acme").with_message("Your account has been locked"),
        "provider.auth_permanent",
    );
}

#[test]
fn pages_and_silence_are_read_by_status_and_title() {
    check(
        Signal::status(502).with_body(b"<html><head><title>502 Bad Gateway</title></head></html>"),
        "provider.server_error",
    );
    check(Signal::status(524).with_body(b"error code: 524"), "provider.timeout");
    check(Signal::status(503), "provider.overloaded");
    check(Signal::status(200), "provider.empty_response");
    check(Signal::new(), "provider.unknown");
    check(Signal::foreign(), "local.unclassified");
}

#[test]
fn python_and_javascript_spellings_are_read() {
    check(
        Signal::new().from_provider("opencode").with_body(
            b"Error code: 429 - {'code': '429', 'message': 'Error from provider: Too many requests', 'type': 'limitation'}",
        ),
        "provider.rate_limit",
    );
    check(
        Signal::status(400)
            .from_provider("github-copilot")
            .with_body(b"{ message: 'too long', code: 'model_max_prompt_tokens_exceeded' }"),
        "request.context_overflow",
    );
}

#[test]
fn what_an_upstream_says_is_the_upstreams() {
    let body = br#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":
        "{\"error\":{\"message\":\"insufficient balance, please recharge\",\"type\":\"exceeded_current_quota_error\"}}",
        "provider_name":"Moonshot AI"}}}"#;
    let verdict = classify(&Signal::status(429).from_provider("openrouter").with_body(body));
    assert_eq!(verdict.code.to_string(), "provider.billing");
    assert_eq!(verdict.scope, Scope::Upstream, "the caller's own account is not empty");
}
