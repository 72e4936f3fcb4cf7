//! What `moorline classify` says: the coordination shapes, the provider corpus, and a line's form.

use moorline_failover::{Explained, Surface, corpus::Row, explain, render};
use serde_json::{Value, json};

use crate::support::{all_rows, noon};

const SHAPES: &str = include_str!("../../corpus/coordination-shapes.jsonl");

fn say(value: &Value, surface: Surface) -> Explained {
    explain(value, surface, noon())
}

#[test]
fn coordination_errors_are_found_in_every_wrapping() {
    for line in SHAPES.lines() {
        let row: Value = serde_json::from_str(line).expect("the corpus is JSON Lines");
        for surface in [Surface::Auto, Surface::Provider] {
            let said = serde_json::to_value(say(&row["input"], surface)).expect("an explanation is JSON");
            let Value::Object(expected) = &row["expect"] else { panic!("{line}") };
            for (key, wanted) in expected {
                let got = said.get(key).or_else(|| said["verdicts"].get(key));
                assert_eq!(got, Some(wanted), "{key} of {} on {surface:?}", row["id"]);
            }
        }
    }
}

fn line_of(row: &Row) -> Value {
    json!({"provider": row.provider, "status": row.status, "code": row.code, "type": row.kind, "message": row.message,
        "body": row.body, "headers": row.headers})
}

/// The same error as client libraries wrap it.
fn wrapped(row: &Row) -> Vec<Value> {
    let body = row.body.clone().unwrap_or_else(|| {
        json!({"error": {"message": row.message, "code": row.code, "type": row.kind}}).to_string()
    });
    let client = json!({"name": "AI_APICallError", "message": row.message, "statusCode": row.status,
        "responseBody": body, "responseHeaders": row.headers, "provider": row.provider, "isRetryable": true});
    vec![
        line_of(row),
        json!({"provider": row.provider, "status": row.status, "body": body}),
        json!({"name": "Error", "message": "Agent failed before reply", "cause": line_of(row)}),
        json!({"name": "AI_RetryError", "message": "Failed after 3 attempts.", "errors": [client], "lastError": client}),
        client,
    ]
}

#[test]
fn the_class_survives_the_wrappings_of_client_libraries() {
    let (mut lines, mut wrong) = (0, Vec::new());
    for row in all_rows().into_iter().filter(|row| !row.ambiguous) {
        for value in wrapped(&row) {
            for surface in [Surface::Auto, Surface::Provider] {
                let said = say(&value, surface);
                lines += 1;
                if said.reason.as_deref() != Some(row.class.as_str()) {
                    wrong.push(format!(
                        "{} {surface:?}: {} is not {} ({})",
                        row.id, said.code, row.class, said.rule
                    ));
                }
            }
        }
    }
    let right = 100.0 * (lines - wrong.len()) as f64 / lines as f64;
    assert!(right >= 99.0, "{right:.2} %\n{}", wrong.join("\n"));
}

#[test]
fn every_key_is_always_there() {
    for value in [
        json!("nobody knows"),
        json!({}),
        json!(null),
        json!([1, 2]),
        json!({"status": 429}),
        json!({"code": "EACCES"}),
    ] {
        let said = serde_json::to_value(say(&value, Surface::Auto)).expect("an explanation is JSON");
        for key in [
            "code",
            "domain",
            "reason",
            "scope",
            "retry",
            "retryAfterMs",
            "evidence",
            "certainty",
            "rule",
            "causes",
        ] {
            assert!(said.get(key).is_some(), "{key} of {value}");
        }
        for key in ["runner", "failover", "promptCache", "announce", "qa"] {
            assert!(said["verdicts"][key].is_string(), "{key} of {value}");
        }
    }
}

#[test]
fn what_shows_no_call_of_a_provider_is_local() {
    for value in [
        json!("operation timed out"),
        json!({"name": "NotFoundError", "message": "no such row"}),
        json!({"message": "Something odd"}),
        json!({"name": "Error", "message": "I could not remember the member limit exceeded"}),
        json!("the door lock is stale and rusty"),
    ] {
        let said = say(&value, Surface::Auto);
        assert_eq!(said.domain, "local", "{value}: {}", said.rule);
        assert_eq!(said.verdicts.failover.as_str(), "stop");
    }
    // The caller says that it was one.
    assert_eq!(say(&json!("operation timed out"), Surface::Provider).code.to_string(), "provider.timeout");
    // The wording says it.
    let prose =
        json!("This model's maximum context length is 4096 tokens, however you requested 5000 tokens");
    assert_eq!(say(&prose, Surface::Auto).code.to_string(), "request.context_overflow");
}

#[test]
fn what_lies_beneath_a_clients_error_says_what_broke() {
    for (cause, code) in [
        (
            json!({"name": "SocketError", "code": "UND_ERR_SOCKET", "message": "other side closed"}),
            "provider.timeout",
        ),
        (
            json!({"name": "FetchError", "message": "failed, reason: self-signed certificate in certificate chain"}),
            "local.tls_trust",
        ),
    ] {
        let error = json!({"provider": "xai", "name": "APIConnectionError", "message": "Connection error.", "cause": cause});
        assert_eq!(say(&error, Surface::Provider).code.to_string(), code, "{error}");
    }
}

#[test]
fn a_mixed_summary_is_split_and_its_lock_error_decides() {
    let value = json!({"name": "FallbackSummaryError", "message": "All models failed (2): openai/gpt-5: session file \
        locked (timeout 60000ms): pid=1 alive=true ageMs=2 /s/a.jsonl.lock | google/gemini: 429 Resource exhausted"});
    let said = say(&value, Surface::Auto);
    assert_eq!(said.verdicts.failover.as_str(), "stop");
    let codes: Vec<String> =
        said.causes.iter().filter_map(|cause| cause.code.as_ref().map(ToString::to_string)).collect();
    assert_eq!(codes[..2], ["coordination.lock_timeout", "provider.rate_limit"]);
}

#[test]
fn a_stated_wait_is_said_in_milliseconds_and_only_where_a_retry_is_allowed() {
    let headers = json!({"retry-after": "20"});
    let said =
        |status: u16| say(&json!({"status": status, "provider": "acme", "headers": headers}), Surface::Auto);
    assert_eq!((said(429).retry, said(429).retry_after_ms), ("after", Some(20_000)));
    assert_eq!((said(402).retry, said(402).retry_after_ms), ("forbidden", None));
    let past = json!({"status": 429, "headers": {"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}});
    assert_eq!(say(&past, Surface::Auto).retry_after_ms, Some(0));
}

#[test]
fn people_are_told_the_rule_and_what_happens() {
    let text = render(&say(
        &json!({"status": 429, "provider": "openai", "code": "insufficient_quota"}),
        Surface::Auto,
    ));
    for part in [
        "provider.billing",
        "openai/insufficient_quota",
        "https://",
        "failover      next",
        "QA            fail",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn a_deep_chain_is_no_trouble() {
    let mut value = json!({"code": "file_lock_stale", "message": "file lock stale for /s/a.jsonl"});
    for _ in 0..120 {
        value = json!({"name": "Error", "message": "wrapped", "cause": value});
    }
    let said = say(&value, Surface::Auto);
    assert_eq!(said.code.to_string(), "coordination.lock_stale");
    assert!(said.causes.len() <= 33);
}
