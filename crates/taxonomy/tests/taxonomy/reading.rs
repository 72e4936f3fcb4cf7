//! Reading foreign errors: every base in every carrier, and the errors that only look like one.

use std::time::Duration;

use moorline_taxonomy::{
    Code, Effect, FailoverVerdict,
    foreign::{Evidence, RULES, Reading, inspect, read},
    policy,
};
use serde_json::{Value, json};

use crate::shapes::{CARRIERS, COORDINATION, LOCAL, TEXT_CARRIERS, WORDS};

/// Asserts that `value` reads as `code`.
fn reads_as(value: &Value, code: &str, what: &str) {
    match read(value) {
        Reading::Ours(found) => assert_eq!(found.code.to_string(), code, "{what}: {value}"),
        other @ (Reading::Provider { .. } | Reading::Unknown) => {
            panic!("{what}: {code} read as {other:?}: {value}")
        }
    }
}

#[test]
fn every_base_alone_and_in_every_carrier_and_every_two() {
    for base in COORDINATION.iter().chain(LOCAL) {
        reads_as(&(base.value)(), base.code, base.name);
        for outer in CARRIERS {
            let one = (outer.wrap)((base.value)());
            reads_as(&one, base.code, &format!("{} in {}", base.name, outer.name));
            for inner in CARRIERS {
                let two = (outer.wrap)((inner.wrap)((base.value)()));
                reads_as(&two, base.code, &format!("{} in {} in {}", base.name, inner.name, outer.name));
            }
        }
    }
}

#[test]
fn words_alone_in_every_text_carrier_and_those_in_every_other() {
    for (words, code) in WORDS {
        for (name, text) in TEXT_CARRIERS {
            reads_as(&text(words), code, name);
            for outer in CARRIERS {
                reads_as(&(outer.wrap)(text(words)), code, &format!("{words}: {name} in {}", outer.name));
            }
        }
    }
}

#[test]
fn the_name_or_code_of_a_base_survives_as_text() {
    // A reason beside the message is gone when only the message is left.
    for base in COORDINATION.iter().chain(LOCAL).filter(|base| base.name != "lease lost by reason") {
        let value = (base.value)();
        let message = value["message"].as_str().unwrap_or("something else");
        // Names that only say that something failed are asked of the message, which other tests do.
        let name = value["name"].as_str().filter(|name| {
            !matches!(*name, "Error" | "AbortError" | "TypeError" | "SqliteError" | "OpenClawStateLeaseError")
        });
        if let Some(name) = name {
            reads_as(&json!(format!("{name}: {message}")), base.code, base.name);
            reads_as(&json!(format!("Turn failed: openclaw.{name}: {message}")), base.code, base.name);
        }
        let code = value["code"]
            .as_str()
            .filter(|code| code.starts_with("OPENCLAW_SESSION") || code.starts_with("AGENT_RUN"));
        if let Some(code) = code.filter(|_| !base.code.contains("lock_lost")) {
            for text in [
                code.to_owned(),
                format!("run ended | {code}"),
                format!("run ended (code={code})"),
                format!("Error [{code}]: x"),
            ] {
                reads_as(&json!(text), base.code, base.name);
            }
        }
    }
}

#[test]
fn an_answer_around_a_coordination_error_decides_and_keeps_it_beside() {
    let answers: &[fn(Value) -> Value] = &[
        |e| json!({ "status": 429, "provider": "openai", "code": "rate_limit_exceeded", "message": "Rate limit reached", "cause": e }),
        |e| json!({ "statusCode": 503, "message": "overloaded", "cause": e }),
        |e| json!({ "status": "500", "message": "m", "source": e }),
        |e| json!({ "type": "overloaded_error", "message": "Overloaded", "inner": e }),
        |e| json!({ "provider": "zhipu", "code": "1302", "message": "m", "originalError": e }),
        |e| json!({ "response": { "status": 429, "headers": { "retry-after": "5" } }, "message": "m", "cause": e }),
        |e| json!({ "headers": { "Retry-After": "5" }, "message": "m", "cause": e }),
        |e| json!({ "message": "429 {\"error\":{\"message\":\"slow down\"}}", "cause": e }),
        |e| json!({ "message": "Request failed with status code 429", "cause": e }),
        |e| json!({ "status": 400, "error": { "type": "invalid_request_error", "message": "m" }, "errors": [e] }),
    ];
    for answer in answers {
        for base in COORDINATION {
            for carrier in CARRIERS {
                let value = answer((carrier.wrap)((base.value)()));
                let Reading::Provider { layer, beside } = read(&value) else {
                    panic!("{}: {value}", base.name)
                };
                assert!(std::ptr::eq(layer, &raw const value), "the outermost layer: {value}");
                assert!(
                    beside.iter().any(|found| found.code.to_string() == base.code),
                    "{} beside: {value}",
                    base.name
                );
            }
        }
    }
}

#[test]
fn a_provider_s_name_alone_does_not_make_a_lock_error_a_provider_s() {
    let labels: &[fn(Value) -> Value] = &[
        |e| json!({ "provider": "openai", "model": "gpt-5", "message": "attempt failed", "cause": e }),
        |e| json!({ "model": "openai/gpt-5", "error": e }),
        |e| json!({ "name": "FailoverError", "provider": "openai", "reason": "timeout", "status": 408, "message": "m", "cause": e }),
        |e| json!({ "provider": "openai", "code": "timeout", "message": "m", "cause": e }),
        // The provider answered well; what failed failed after it.
        |e| json!({ "provider": "openai", "status": 200, "message": "cannot store the reply", "cause": e }),
    ];
    for label in labels {
        for base in COORDINATION.iter().chain(LOCAL) {
            reads_as(&label((base.value)()), base.code, base.name);
        }
    }
}

#[test]
fn an_answer_beneath_a_coordination_error_does_not_decide() {
    for base in COORDINATION {
        let mut value = (base.value)();
        value["cause"] = json!({ "status": 429, "provider": "openai", "message": "Rate limit reached" });
        reads_as(&value, base.code, base.name);
    }
}

#[test]
fn a_quotation_in_an_answer_is_not_even_kept_beside() {
    for value in [
        json!({ "status": 400, "message": "session file locked (timeout 5ms): pid=1" }),
        json!({ "status": 400, "error": { "message": "Error: session file locked (timeout 5ms): pid=1" } }),
        json!({ "status": 400, "body": "session file locked (timeout 5ms): pid=1" }),
        json!("400 session file locked (timeout 5ms): pid=1"),
    ] {
        let Reading::Provider { beside, .. } = read(&value) else { panic!("{value}") };
        assert_eq!(beside, [], "{value}");
    }
}

/// Errors whose reading is a provider's, nobody's or another class, though they have words of the field in them.
#[test]
fn what_only_looks_like_one_is_none() {
    let provider = [
        json!({ "status": 400, "provider": "openai", "message": "Invalid value: 'session file locked (timeout 5ms): pid=1'" }),
        json!({ "status": 400, "message": "session file locked (timeout 5ms): pid=1" }),
        json!({ "status": 422, "message": "body.messages.2.content: unexpected text session file lock stale (too-old): pid=1" }),
        json!({ "status": 423, "message": "Locked" }),
        json!({ "status": 500, "code": "SQLITE_BUSY", "message": "database is locked", "provider": "ollama" }),
        json!({ "status": 500, "name": "TypeError", "message": "x is not a function" }),
        json!({ "status": 409, "error": { "message": "session file locked (timeout 5ms): pid=1", "type": "conflict" } }),
        json!({ "provider": "openai", "message": "Your account has been locked" }),
        json!({ "provider": "openai", "message": "The log says: session file locked (timeout 5ms): pid=1" }),
        json!({ "provider": "openai", "message": "tool failed: session file locked (timeout 5ms): pid=1" }),
        json!({ "provider": "openai", "code": "ECONNRESET", "message": "read ECONNRESET" }),
        json!({ "provider": "openai", "name": "TypeError", "message": "fetch failed", "cause": { "code": "ECONNREFUSED" } }),
        json!({ "name": "TypeError", "message": "fetch failed", "cause": { "code": "UND_ERR_CONNECT_TIMEOUT", "url": "https://api.openai.com/v1" } }),
        json!({ "name": "TypeError", "message": "fetch failed", "cause": { "code": "ENOTFOUND", "message": "getaddrinfo ENOTFOUND api.anthropic.com" } }),
        json!({ "provider": "openai", "name": "SyntaxError", "message": "Unexpected token < in JSON at position 0" }),
        json!({ "provider": "openai", "name": "AbortError", "message": "This operation was aborted", "reason": { "name": "TimeoutError" } }),
        json!({ "name": "TypeError", "message": "x is undefined", "cause": { "status": 529, "message": "Overloaded" } }),
        json!("423 Locked"),
        json!("423 Locked: session file locked (timeout 60000ms)"),
        json!("400 Invalid value for messages[3].content: session file locked (timeout 5ms): pid=1"),
        json!("HTTP 423: session file locked (timeout 5ms)"),
        json!(
            "Error: 400 {\"error\":{\"code\":\"OPENCLAW_SESSION_WRITE_LOCK_TIMEOUT\",\"message\":\"quoted\"},\"provider\":\"x\"}"
        ),
        json!("All models failed (2): a/b: 429 Too Many Requests | c/d: overloaded"),
    ];
    for value in provider {
        let reading = read(&value);
        assert!(matches!(reading, Reading::Provider { .. }), "{value}: {reading:?}");
    }
    let nobody = [
        json!("the door lock is stale and rusty"),
        json!("account has been locked"),
        json!("user: session file locked (timeout 5ms): pid=1"),
        json!("the user said: session file locked (timeout 5ms): pid=1"),
        json!("messages[3].content: session file locked (timeout 5ms): pid=1"),
        json!("Here is the log:\nsession file locked (timeout 5ms): pid=1"),
        json!("session file locked by the editor"),
        json!("OPENCLAW_SESSION_WRITE_LOCK_STALE_MS must be a positive integer"),
        json!({ "code": "ECONNRESET", "message": "read ECONNRESET" }),
        json!({ "name": "TypeError", "message": "fetch failed", "cause": { "code": "ECONNREFUSED" } }),
        json!({ "name": "AbortError", "message": "The operation was aborted due to timeout" }),
        json!({ "channel": "telegram", "status": 429, "text": "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests\"}" }),
        json!({ "note": { "code": "OPENCLAW_SESSION_WRITE_LOCK_STALE" }, "message": "m" }),
        json!({ "code": "coordination.lock_wedged", "domain": "coordination", "message": "a code of a newer version" }),
        json!({ "status": 137, "message": "worker exited" }),
        json!("took 500 ms"),
        json!("all tests failed: 3"),
        Value::Null,
        json!(42),
        json!(""),
        json!([]),
    ];
    for value in nobody {
        let reading = read(&value);
        assert!(matches!(reading, Reading::Unknown), "{value}: {reading:?}");
        assert_eq!(reading.code().map(|code| code.to_string()).as_deref(), Some("local.unclassified"));
    }
}

#[test]
fn names_and_sentences_of_this_machine_and_program() {
    for (value, code) in [
        (
            json!({ "name": "TypeError", "message": "Cannot read properties of undefined (reading 'content')" }),
            "local.bug",
        ),
        (
            json!({ "name": "TypeError", "provider": "openai", "message": "Cannot read properties of undefined (reading 'x')" }),
            "local.bug",
        ),
        (json!({ "name": "RangeError", "message": "Maximum call stack size exceeded" }), "local.bug"),
        (
            json!({ "name": "TypeError", "message": "render: session file locked (timeout 5ms): pid=1" }),
            "local.bug",
        ),
        (json!("TypeError: Cannot read properties of null (reading 'id')"), "local.bug"),
        (
            json!("thread 'tokio-runtime-worker' panicked at crates/a/src/b.rs:10:5:\nindex out of bounds"),
            "local.bug",
        ),
        (json!("panic: runtime error: invalid memory address"), "local.bug"),
        (json!("builtins.KeyError: 'choices'"), "local.bug"),
        (json!("write failed: No space left on device (os error 28)"), "local.disk_full"),
        (json!("OSError: [Errno 28] No space left on device: '/data'"), "local.disk_full"),
        (json!("Error: EACCES: permission denied, open '/data/s.json'"), "local.permission"),
        (json!("[Errno 13] Permission denied: '/data'"), "local.permission"),
        (
            json!({ "name": "PermissionError", "message": "[Errno 13] Permission denied: '/data'" }),
            "local.permission",
        ),
        (json!({ "name": "Error", "message": "unable to get local issuer certificate" }), "local.tls_trust"),
        (
            json!({ "name": "TypeError", "message": "fetch failed", "cause": { "code": "CERT_HAS_EXPIRED" } }),
            "local.tls_trust",
        ),
        (
            json!(
                "error: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self signed certificate"
            ),
            "local.tls_trust",
        ),
        (json!("x509: certificate signed by unknown authority"), "local.tls_trust"),
        (json!({ "name": "ConfigValidationError", "message": "session.writeLock.staleMs" }), "local.config"),
        (json!("Requested agent harness \"codex\" is not registered."), "local.config"),
        (json!({ "name": "TypeError", "message": "Invalid URL", "code": "ERR_INVALID_URL" }), "local.config"),
        (json!({ "name": "AbortError", "message": "This operation was aborted" }), "cancelled.user"),
        (
            json!({ "name": "AbortError", "provider": "openai", "message": "Request was aborted." }),
            "cancelled.user",
        ),
        (
            json!({ "name": "DOMException", "code": 20, "message": "The operation was aborted." }),
            "cancelled.user",
        ),
        (json!({ "name": "AbortError", "reason": "client disconnected" }), "cancelled.client_gone"),
        (
            json!({ "name": "AbortError", "message": "aborted", "reason": "server shutting down" }),
            "cancelled.shutdown",
        ),
        (json!({ "code": "ERR_CANCELED", "name": "CanceledError", "message": "canceled" }), "cancelled.user"),
        (json!("AbortError: This operation was aborted"), "cancelled.user"),
        (json!("KeyboardInterrupt"), "cancelled.user"),
        (json!("Command was killed with SIGTERM (Termination): agent-cli"), "cancelled.shutdown"),
        (
            json!("turn failed: session busy: coordination.lock_timeout: pid 3 holds it"),
            "coordination.lock_timeout",
        ),
        (
            json!(
                "session lock /s/1f.jsonl.lock not acquired within 60000 ms (acquireTimeoutMs): owner another live process"
            ),
            "coordination.lock_timeout",
        ),
        (json!("session lock /s/1f.jsonl.lock was lost: it was revoked"), "coordination.lock_lost"),
    ] {
        reads_as(&value, code, "sentence");
    }
}

#[test]
fn of_siblings_a_takeover_decides_and_structure_decides_before_text() {
    let siblings = json!({ "errors": [{ "code": "file_lock_timeout" }, { "name": "EmbeddedAttemptSessionTakeoverError" }] });
    reads_as(&siblings, "coordination.session_takeover", "retrying a run that was superseded does harm");
    let text_outside = json!({ "message": "session file locked (timeout 5ms)", "cause": { "code": "AGENT_RUN_SUPERSEDED_ABORT" } });
    reads_as(&text_outside, "coordination.writer_superseded", "structure first");
    let nested =
        json!({ "code": "file_lock_timeout", "cause": { "name": "EmbeddedAttemptSessionTakeoverError" } });
    reads_as(&nested, "coordination.lock_timeout", "the outer layer has looked at the inner one");
    let settled = json!({ "code": "local.bug", "domain": "local", "message": "m", "causes": [{ "code": "coordination.lock_timeout", "message": "m" }] });
    reads_as(&settled, "local.bug", "an error of ours has classified itself");
}

#[test]
fn a_gateway_s_answer_in_our_words_is_ours_unless_a_provider_is_named() {
    let wire = json!({ "code": "coordination.lock_stale", "domain": "coordination", "message": "m", "retryAfterMs": 500 });
    for answer in [
        json!({ "status": 409, "body": wire }),
        json!({ "status": 409, "body": wire.to_string() }),
        json!({ "statusCode": 503, "response": { "data": { "error": wire } } }),
        json!({ "status": 503, "body": { "error": { "code": "OPENCLAW_SESSION_WRITE_LOCK_STALE" } } }),
        json!({ "status": 503, "body": { "message": "run failed", "cause": wire } }),
        json!(format!("409 {wire}")),
        json!({ "name": "GatewayClientRequestError", "status": 503, "message": "session file lock stale (too-old): pid=1" }),
    ] {
        reads_as(&answer, "coordination.lock_stale", "no provider speaks like that");
    }
    let named = json!({ "status": 409, "provider": "openai", "body": wire });
    assert!(matches!(read(&named), Reading::Provider { .. }));
    let Reading::Ours(found) = read(&wire) else { panic!("{wire}") };
    assert_eq!(found.retry_after, Some(Duration::from_millis(500)));
}

#[test]
fn the_error_of_the_prompt_stays_the_primary_one() {
    let takeover = |prompt: Value| {
        json!({ "name": "EmbeddedAttemptSessionTakeoverError", "promptError": prompt,
            "message": "session file changed while embedded prompt lock was released: /s/1f.jsonl" })
    };
    let answered = takeover(json!({ "status": 429, "provider": "openai" }));
    let Reading::Provider { beside, .. } = read(&answered) else { panic!("{answered}") };
    assert_eq!(beside[0].code.to_string(), "coordination.session_takeover");
    reads_as(
        &takeover(json!({ "message": "boom" })),
        "coordination.session_takeover",
        "nothing answered the prompt",
    );
}

#[test]
fn the_effect_is_stated_by_the_class_the_error_or_the_chain() {
    for (value, effect) in [
        (json!({ "code": "file_lock_timeout" }), Effect::None),
        (json!({ "name": "EmbeddedAttemptSessionTakeoverError" }), Effect::Possible),
        (json!({ "code": "file_lock_timeout", "effect": "possible" }), Effect::Possible),
        (json!({ "code": "file_lock_timeout", "effect": "a word of another version" }), Effect::Possible),
        (
            json!({ "effect": "possible", "text": "session file locked (timeout 5ms): pid=1" }),
            Effect::Possible,
        ),
        (
            json!({ "effect": "possible", "error": "session file locked (timeout 5ms): pid=1" }),
            Effect::Possible,
        ),
        (json!({ "sentBeforeError": true, "cause": { "code": "file_lock_timeout" } }), Effect::Done),
        (json!({ "code": "coordination.lock_timeout", "cause": { "visibleReplySent": true } }), Effect::Done),
    ] {
        let Reading::Ours(found) = read(&value) else { panic!("{value}") };
        assert_eq!(found.effect, effect, "{value}");
    }
}

#[test]
fn a_delay_is_read_beside_the_error_it_belongs_to() {
    let delay = |value: Value| match read(&value) {
        Reading::Ours(found) => found.retry_after,
        other @ (Reading::Provider { .. } | Reading::Unknown) => panic!("{other:?}"),
    };
    let half = Some(Duration::from_millis(500));
    assert_eq!(delay(json!({ "code": "file_lock_timeout", "retryAfterMs": 500 })), half);
    assert_eq!(delay(json!({ "code": "file_lock_timeout", "retry_after": 0.5 })), half);
    assert_eq!(delay(json!({ "code": "file_lock_timeout", "retryAfter": "0.5" })), half);
    assert_eq!(delay(json!({ "message": "file lock timeout for /x", "retryAfterMs": 499.2 })), half);
    assert_eq!(
        delay(json!({ "retryAfterMs": 9, "cause": { "code": "file_lock_timeout" } })),
        None,
        "another error's delay"
    );
    for absurd in [json!(-1), json!(1e300), json!("soon"), json!({}), json!(null)] {
        // Whatever is not a delay is none; an absurd one is as long as a delay can be.
        let _ = delay(json!({ "code": "file_lock_timeout", "retryAfterMs": absurd, "retryAfter": absurd }));
    }
}

#[test]
fn every_rule_of_the_list_is_met_and_no_other() {
    let sentences = [
        json!("read-only file system"),
        json!("self-signed certificate in certificate chain"),
        json!("aborted by user"),
        json!("assertion failed: x"),
        json!({ "name": "ReferenceError", "message": "x is not defined" }),
        json!({ "code": "ERR_ASSERTION" }),
    ];
    let structured = COORDINATION.iter().chain(LOCAL).map(|base| (base.value)());
    let worded = WORDS.iter().map(|(words, _)| json!(words));
    let mut met: Vec<&str> = vec!["mark"];
    for value in structured.chain(worded).chain(sentences) {
        for found in inspect(&value).found {
            let rule = RULES
                .iter()
                .find(|rule| rule.id == found.rule)
                .unwrap_or_else(|| panic!("{} is not in the list", found.rule));
            // A text may say a code or a name.
            assert!(
                rule.evidence == found.evidence
                    || found.evidence == Evidence::Text
                    || found.evidence == Evidence::Code,
                "{found:?}"
            );
            met.push(found.rule);
        }
    }
    for rule in RULES {
        assert!(met.contains(&rule.id), "no error meets {}", rule.id);
    }
}

#[test]
fn no_coordination_cancelled_or_local_error_walks_a_chain() {
    for base in COORDINATION.iter().chain(LOCAL) {
        let code: Code = base.code.parse().expect("a code");
        for effect in Effect::ALL {
            assert_eq!(policy(code, effect).failover, FailoverVerdict::Stop);
        }
    }
}
