//! Errors as gateways really give them: wrapped, foreign, mixed. Read into the wire form, and retried or not.

use moorline_qa_retry::{read_error, verdict};
use moorline_taxonomy::{Code, Coordination, QaVerdict, Wire, WireCode};
use proptest::prelude::*;
use serde_json::{Value, json};

fn retried(error: &Value) -> bool {
    verdict(&read_error(error)) == QaVerdict::Retry
}

/// Everything that wraps without evidence of a provider.
const CARRIERS: [&str; 9] =
    ["cause", "source", "error", "reason", "inner", "originalError", "suppressed", "data", "details"];

/// How a foreign error may wrap another one.
#[derive(Clone, Debug)]
enum Wrap {
    Under(&'static str),
    InList,
    InText,
    AfterPrefix,
}

fn any_wrap() -> impl Strategy<Value = Wrap> {
    prop_oneof![
        6 => proptest::sample::select(&CARRIERS[..]).prop_map(Wrap::Under),
        2 => Just(Wrap::InList),
        1 => Just(Wrap::InText),
        1 => Just(Wrap::AfterPrefix),
    ]
}

fn wrapped(error: Value, wraps: &[Wrap]) -> Value {
    wraps.iter().fold(error, |error, wrap| match wrap {
        Wrap::Under(carrier) => json!({ "name": "Error", "message": "it failed", *carrier: error }),
        Wrap::InList => json!({ "name": "AggregateError", "errors": [error] }),
        Wrap::InText => json!({ "message": error.to_string() }),
        Wrap::AfterPrefix => json!({ "message": format!("Error: {error}") }),
    })
}

/// Coordination errors as they come: ours, and those of other programs.
fn any_coordination() -> impl Strategy<Value = (Value, Code)> {
    let ours = proptest::sample::select(Coordination::ALL.to_vec())
        .prop_map(|code| (serde_json::to_value(Wire::new(code, "m")).unwrap(), Code::from(code)));
    let foreign = proptest::sample::select(vec![
        (json!({ "code": "file_lock_stale" }), Coordination::LockStale),
        (json!({ "code": "file_lock_timeout" }), Coordination::LockTimeout),
        (json!({ "code": "OPENCLAW_SESSION_WRITE_LOCK_TIMEOUT", "message": "m" }), Coordination::LockTimeout),
        (json!({ "name": "SessionWriteLockStaleError", "message": "m" }), Coordination::LockStale),
        (json!({ "name": "EmbeddedAttemptSessionTakeoverError" }), Coordination::SessionTakeover),
    ])
    .prop_map(|(error, code)| (error, Code::from(code)));
    prop_oneof![ours, foreign]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_wrapping_keeps_a_coordination_error_what_it_is(
        (error, code) in any_coordination(),
        wraps in prop::collection::vec(any_wrap(), 0..5),
    ) {
        let error = wrapped(error, &wraps);
        let wire = read_error(&error);
        prop_assert_eq!(&wire.code, &WireCode::Known(code), "{}", error);
        let contention = ["lock_timeout", "lock_stale", "lane_timeout", "storage_busy"].contains(&code.name());
        prop_assert_eq!(verdict(&wire) == QaVerdict::Retry, contention, "{}", error);
    }

    #[test]
    fn a_provider_s_answer_outside_a_coordination_error_is_never_retried(
        (error, _) in any_coordination(),
        inner in prop::collection::vec(proptest::sample::select(&CARRIERS[..]).prop_map(Wrap::Under), 1..3),
        outer in prop::collection::vec(any_wrap(), 0..3),
        status in proptest::sample::select(vec![400, 401, 402, 404, 423, 429, 500, 503, 529]),
    ) {
        let mut answer = wrapped(error, &inner);
        answer["status"] = json!(status);
        answer["provider"] = json!("acme");
        prop_assert!(!retried(&wrapped(answer.clone(), &outer)), "{}", answer);
    }

    #[test]
    fn nothing_else_is_ever_retried(text in ".{0,80}", status in proptest::option::of(400_u16..600)) {
        let error = match status {
            Some(status) => json!({ "status": status, "message": text }),
            None => json!({ "name": "AssertionError", "message": text }),
        };
        prop_assert!(!retried(&error), "{}", error);
    }
}

#[test]
fn the_error_object_of_an_rpc_keeps_its_details() {
    let mut wire = Wire::new(Coordination::LockStale, "held by another run");
    wire.lock_path = Some("/state/x.jsonl.lock".to_owned());
    wire.waited_ms = Some(1000);
    let object = json!({ "code": -32000, "message": "held by another run", "data": wire });
    assert_eq!(read_error(&object), wire);
    assert_eq!(read_error(&serde_json::to_value(&wire).unwrap()), wire);
}

#[test]
fn a_code_of_a_newer_version_stays_what_it_is() {
    let newer = json!({ "code": "coordination.quorum_lost", "domain": "coordination", "message": "session file locked?" });
    let wire = read_error(
        &json!({ "code": -32000, "message": "session file locked (timeout 60000ms)", "data": newer }),
    );
    assert_eq!(wire.code.to_string(), "coordination.quorum_lost");
    assert_eq!(verdict(&wire), QaVerdict::Fail);
}

#[test]
fn an_error_that_nobody_knows_is_unclassified_and_keeps_its_text() {
    for (error, message) in [
        (json!({ "code": -32601, "message": "Method not found" }), "Method not found"),
        (json!("boom"), "boom"),
        (json!(null), "null"),
    ] {
        let wire = read_error(&error);
        assert_eq!((wire.code.to_string().as_str(), wire.message.as_str()), ("local.unclassified", message));
    }
}

#[test]
fn the_text_of_an_rpc_error_does_not_outrank_its_typed_data() {
    let text = "session file locked (timeout 60000ms): pid=1 alive=true";
    let wire = Wire::new(moorline_taxonomy::Provider::ServerError, text);
    let object = json!({ "code": -32000, "message": text, "data": wire });
    assert_eq!(read_error(&object), wire);
    // Without typed data the text is all there is, and this one is what a lock error of another program looks like.
    assert!(retried(&json!({ "code": -32000, "message": text })));
}

#[test]
fn quoted_lock_words_are_no_lock_error() {
    for error in [
        json!({ "status": 400, "message": "400 invalid value \"session file locked\" in tool text" }),
        json!({ "status": 423, "message": "423 Locked" }),
        json!({ "message": "your account has been locked" }),
        json!({ "name": "AssertionError", "message": "expected \"coordination.lock_timeout\" in the reply" }),
    ] {
        assert!(!retried(&error), "{error}");
    }
}
