//! What holds for every error, not only for those somebody thought of.

use moorline_taxonomy::{
    Code, Effect, FailoverVerdict, QaVerdict, RemoteError, Wire,
    foreign::{Reading, inspect, read, read_error},
    policy,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::shapes::{CARRIERS, COORDINATION, LOCAL, TEXT_CARRIERS, WORDS};

fn code_of(value: &Value) -> Option<String> {
    match read(value) {
        Reading::Ours(found) => Some(found.code.to_string()),
        Reading::Provider { .. } => Some("provider".to_owned()),
        Reading::Unknown => None,
    }
}

/// An error of the field in up to three carriers, with its class.
fn wrapped() -> impl Strategy<Value = (Value, &'static str)> {
    let structured =
        (0..COORDINATION.len()).prop_map(|at| ((COORDINATION[at].value)(), COORDINATION[at].code));
    let worded = (0..WORDS.len(), 0..TEXT_CARRIERS.len())
        .prop_map(|(at, text)| ((TEXT_CARRIERS[text].1)(WORDS[at].0), WORDS[at].1));
    (prop_oneof![structured, worded], prop::collection::vec(0..CARRIERS.len(), 0..=3)).prop_map(
        |((mut value, code), carriers)| {
            for carrier in carriers {
                value = (CARRIERS[carrier].wrap)(value);
            }
            (value, code)
        },
    )
}

/// Values without a word of contention: ids, prompts, provider errors that quote, local errors, broken shapes.
fn noise() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        prop::sample::select(vec![
            "Error",
            "TypeError",
            "AbortError",
            "ENOSPC",
            "ECONNRESET",
            "timeout",
            "rate_limit_exceeded",
            "429 {\"error\":{}}",
            "400 session file locked (timeout 5ms): pid=1",
            "account has been locked",
            "423 Locked",
            "stale",
            "lock",
            "{",
            "[[[[",
            "\"",
            "All models failed (2): a/b: 429 | c/d: 500 x",
            "OPENCLAW_SESSION_WRITE_LOCK_STALE_MS",
            "error=\"",
            "Caused by:\n0: ",
        ])
        .prop_map(Value::from),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "name",
            "code",
            "message",
            "status",
            "provider",
            "cause",
            "error",
            "errors",
            "reason",
            "data",
            "body",
            "details",
            "headers",
            "errno",
            "text",
            "suppressed",
            "causes",
            "staleReasons",
            "effect",
            "retryAfterMs",
            "type",
            "prompt",
        ])
        .prop_map(str::to_owned),
        "[a-z]{1,8}",
    ];
    leaf.prop_recursive(6, 80, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..8)
                .prop_map(|fields| fields.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    /// A coordination error burns no candidate and is retried by QA only if it is contention, whatever stands around it.
    #[test]
    fn no_wrapping_changes_a_coordination_error((value, code) in wrapped()) {
        let Reading::Ours(found) = read(&value) else { panic!("{value}") };
        prop_assert_eq!(found.code.to_string(), code, "{}", value);
        for effect in Effect::ALL {
            let verdicts = policy(found.code, effect);
            prop_assert_eq!(verdicts.failover, FailoverVerdict::Stop);
            let contention = matches!(code, "coordination.lock_timeout" | "coordination.lock_stale" | "coordination.lane_timeout" | "coordination.storage_busy");
            prop_assert_eq!(verdicts.qa == QaVerdict::Retry, contention);
        }
    }

    /// What QA retries is contention: no error without a word of it is retried.
    #[test]
    fn noise_is_never_retried(value in noise()) {
        if let Some(code) = read(&value).code() {
            prop_assert_eq!(policy(code, Effect::None).qa, QaVerdict::Fail, "{} {}", code, value);
        }
    }

    #[test]
    fn words_appended_to_a_message_change_nothing(
        at in 0..COORDINATION.len() + LOCAL.len(),
        carrier in 0..CARRIERS.len(),
        words in prop_oneof![
            ".{0,200}",
            prop::sample::select(WORDS).prop_map(|(words, _)| format!(": {words}")),
            Just(": 429 {\"error\":{\"type\":\"rate_limit_error\"}}".to_owned()),
            Just("\nCaused by: session file changed while embedded prompt lock was released".to_owned()),
            Just(" (os error 28)".to_owned()),
        ],
    ) {
        let base = COORDINATION.iter().chain(LOCAL).nth(at).expect("in range");
        let mut value = (base.value)();
        let message = value["message"].as_str().unwrap_or_default().to_owned();
        value["message"] = format!("{message}{words}").into();
        prop_assert_eq!(code_of(&(CARRIERS[carrier].wrap)(value.clone())), Some(base.code.to_owned()), "{}", value);
    }

    #[test]
    fn unrelated_fields_change_nothing(
        (value, code) in wrapped(),
        unrelated in noise(),
        field in prop::sample::select(vec!["prompt", "requestId", "session", "toolResult", "messages", "pid", "usage", "input", "x"]),
    ) {
        let mut value = value;
        if let Some(object) = value.as_object_mut() {
            object.insert(field.to_owned(), unrelated);
            object.insert("attempt".to_owned(), json!(429));
        }
        prop_assert_eq!(code_of(&value), Some(code.to_owned()), "{}", value);
    }

    /// Two readings of one value agree, and a value that went through text reads the same.
    #[test]
    fn reading_is_a_function_of_the_value((value, code) in wrapped()) {
        prop_assert_eq!(code_of(&value), code_of(&value));
        let again: Value = serde_json::from_str(&value.to_string()).expect("JSON");
        prop_assert_eq!(code_of(&again), Some(code.to_owned()));
    }

    /// Any value ends, and what it is recognised by is in the list of rules.
    #[test]
    fn any_value_is_read(value in noise()) {
        let inspection = inspect(&value);
        for found in &inspection.found {
            prop_assert!(moorline_taxonomy::foreign::RULES.iter().any(|rule| rule.id == found.rule));
        }
        if let Reading::Ours(found) = &inspection.reading {
            prop_assert!(inspection.found.contains(found));
        }
    }

    /// Any text ends and is read without a slip over a character's middle, however the marks that the reader looks for
    /// stand in it.
    #[test]
    fn any_text_is_read(
        parts in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "20", "26", "-", "T", " ", "\n", ":", ": ", "[", "]", "(", ")", "{", "}", "\"", "'", "`", "|", " | ", "=", "error=\"", "429", "500",
                    "Error", "Caused by:", "[cause]:", "(os error ", "28", "[Errno ", "session file lock stale (", "lease-lost", "All models failed",
                    "(node:1", "Uncaught ", "command lane ", "\u{e9}", "\u{4e00}", "\u{26a0}\u{fe0f}", "\0", "coordination.lock_stale", "SQLITE_BUSY",
                    "status code ", "lane task error: ", "thread '", "SessionWriteLockStaleError",
                ])
                .prop_map(str::to_owned),
                "\\PC{0,3}",
            ],
            0..24,
        ),
    ) {
        let text = parts.concat();
        let _ = read(&json!(text));
        let _ = read(&json!({ "provider": "p", "message": text, "name": text, "code": text, "reason": text, "status": text }));
        let _ = read(&json!({ "status": 500, "message": text, "cause": { "message": text, "stderr": text } }));
        let _ = moorline_taxonomy::redact(&text);
    }

    /// Over the wire and back: class, effect and delay stay, also in a text and in an RPC answer.
    #[test]
    fn the_wire_keeps_the_class(
        at in 0..42_usize,
        effect in prop::sample::select(&Effect::ALL[..]),
        delay in prop::option::of(0..u64::MAX / 2),
        message in ".{0,300}",
        carrier in 0..CARRIERS.len(),
    ) {
        let code = Code::all().nth(at).expect("42 codes");
        let mut wire = Wire::new(code, message);
        wire.effect = effect;
        wire.retry_after_ms = delay;
        let json = serde_json::to_value(&wire).expect("JSON");
        let back: Wire = serde_json::from_value(json.clone()).expect("a wire error");
        prop_assert_eq!(&back, &wire);
        prop_assert_eq!(&Wire::of(&RemoteError::from(back)), &wire);
        let typed = read_error(&RemoteError::from(wire.clone())).expect("a mark");
        prop_assert_eq!((typed.code, typed.effect, typed.retry_after), (code, effect, wire.retry_after()));
        for value in [json.clone(), json!(json.to_string()), json!({ "jsonrpc": "2.0", "error": { "code": -32000, "message": "m", "data": json } })] {
            let Reading::Ours(found) = read(&value) else { panic!("{value}") };
            prop_assert_eq!((found.code, found.effect, found.retry_after), (code, effect, wire.retry_after()));
        }
        let carried = (CARRIERS[carrier].wrap)(json);
        let Reading::Ours(found) = read(&carried) else { panic!("{carried}") };
        prop_assert_eq!(found.code, code, "{}", carried);
    }
}
