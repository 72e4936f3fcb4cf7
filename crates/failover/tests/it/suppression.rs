//! An error that is not a provider's never walks the chain: no candidate consumed, nothing cooled, in every wrapping.

use std::{error::Error, fmt, io, sync::Arc};

use moorline_failover::{
    CallError, Chain, ChainError, CooldownStore, MemoryStore, Needs, ProviderFailure, Signal,
};
use moorline_taxonomy::{Code, Coordination, Domain, Mark, RemoteError, Wire};
use serde_json::{Value, json};

use crate::support::{candidates, clock};

/// Runs a chain of three in which every call fails with `error`; says how many were called, how many were consumed, and
/// how much cools.
async fn run(error: impl Fn() -> CallError + Send + Sync) -> (usize, usize, usize, ChainError) {
    let store = Arc::new(MemoryStore::new());
    let chain = Chain::new(candidates(&["a", "b", "c"]), clock()).with_store(store.clone());
    let mut calls = 0;
    let failed = chain
        .run(&Needs::default(), |_, _| {
            calls += 1;
            std::future::ready(Err::<(), _>(error()))
        })
        .await
        .expect_err("every call fails");
    let (cooling, consumed) = (store.load().await.unwrap().len(), failed.consumed());
    (calls, consumed, cooling, failed)
}

#[track_caller]
fn is_suppressed((calls, consumed, cooling, failed): (usize, usize, usize, ChainError), what: &str) {
    assert_eq!((calls, consumed, cooling), (1, 0, 0), "{what}: {failed}");
    assert!(matches!(failed, ChainError::Stopped { reason: None, .. }), "{what}: {failed}");
}

#[tokio::test]
async fn every_code_that_is_not_a_providers_stops_the_chain() {
    for code in Code::all().filter(|code| !matches!(code.domain(), Domain::Provider | Domain::Request)) {
        is_suppressed(run(|| CallError::local(Mark::new(code))).await, &code.to_string());
        let wire = || RemoteError::from(Wire::new(code, "over the wire"));
        is_suppressed(run(|| CallError::local(wire())).await, &code.to_string());
    }
}

#[tokio::test]
async fn a_providers_class_without_an_answer_does_not_walk_the_chain_either() {
    // Somebody wrapped a provider's error and lost the answer: there is nothing to check it by.
    for code in Code::all().filter(|code| matches!(code.domain(), Domain::Provider | Domain::Request)) {
        is_suppressed(run(|| CallError::local(Mark::new(code))).await, &code.to_string());
    }
}

#[derive(Debug)]
struct Outer<E>(E);

impl<E> fmt::Display for Outer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("429 rate limit exceeded: timeout, overloaded, insufficient balance")
    }
}

impl<E: Error + 'static> Error for Outer<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Transparent(Outer<Mark>);

#[tokio::test]
async fn wrapping_in_rust_does_not_hide_the_lock() {
    fn lock() -> Mark {
        Mark::new(Coordination::LockTimeout)
    }
    is_suppressed(run(|| CallError::local(Outer(lock()))).await, "a wrapper with a provider's words");
    is_suppressed(run(|| CallError::local(Transparent(Outer(lock())))).await, "transparent");
    is_suppressed(run(|| CallError::local(io::Error::other(Outer(lock())))).await, "io::Error");
    is_suppressed(run(|| CallError::local(Box::new(Outer(io::Error::other(lock()))))).await, "boxed");
    // Even handed in as if a provider had answered, while nothing shows that one did.
    is_suppressed(
        run(|| ProviderFailure::received(&Signal::new(), Outer(lock()))).await,
        "received without an answer",
    );
    let named = Signal::new().from_provider("openai").with_message("session file locked (timeout 60000ms)");
    is_suppressed(
        run(move || ProviderFailure::received(&named, lock())).await,
        "received with a provider's name only",
    );
}

fn lock() -> Value {
    json!({"name": "SessionWriteLockTimeoutError", "code": "OPENCLAW_SESSION_WRITE_LOCK_TIMEOUT",
        "message": "session file locked (timeout 60000ms): pid=1 alive=true ageMs=2 /s/00000000-0000-4000-8000-000000000001.jsonl.lock"})
}

/// The twelve shapes in which a lock error reached a chain and burned every candidate.
fn shapes() -> Vec<(&'static str, Value)> {
    let mut deep = lock();
    for _ in 0..60 {
        deep = json!({"name": "Error", "message": "wrapped", "cause": deep});
    }
    let message = lock()["message"].clone();
    vec![
        ("itself", lock()),
        ("cause", json!({"name": "Error", "message": "failed", "cause": lock()})),
        ("60 causes", deep),
        ("code on a plain object", json!({"code": "OPENCLAW_SESSION_WRITE_LOCK_TIMEOUT"})),
        ("message only", json!({"name": "Error", "message": message})),
        ("JSON round trip without code", json!({"message": message})),
        ("AggregateError", json!({"name": "AggregateError", "message": "", "errors": [lock()]})),
        ("errors", json!({"errors": [lock()]})),
        ("originalError", json!({"name": "Error", "message": "failed", "originalError": lock()})),
        ("inner", json!({"name": "Error", "message": "failed", "inner": lock()})),
        (
            "suppressed",
            json!({"name": "SuppressedError", "message": "x", "error": {"message": "d"}, "suppressed": lock()}),
        ),
        (
            "text after a prefix",
            Value::String(format!("Agent failed before reply: {}", message.as_str().unwrap())),
        ),
    ]
}

#[tokio::test]
async fn the_twelve_shapes_burn_nothing() {
    for (name, shape) in shapes() {
        let failed = run(|| CallError::foreign(&shape)).await;
        assert_eq!(failed.3.code().to_string(), "coordination.lock_timeout", "{name}");
        is_suppressed(failed, name);
    }
}

#[tokio::test]
async fn local_errors_burn_nothing() {
    for (name, shape, code) in [
        (
            "TypeError",
            json!({"name": "TypeError", "message": "Cannot read properties of undefined (reading 'content')"}),
            "local.bug",
        ),
        (
            "ENOSPC",
            json!({"name": "Error", "code": "ENOSPC", "message": "ENOSPC: no space left on device, write"}),
            "local.disk_full",
        ),
        (
            "EACCES",
            json!({"name": "Error", "code": "EACCES", "message": "EACCES: permission denied, open '/s/a'"}),
            "local.permission",
        ),
        ("nobody knows", json!({"name": "Error", "message": "something odd happened"}), "local.unclassified"),
    ] {
        let failed = run(|| CallError::foreign(&shape)).await;
        assert_eq!(failed.3.code().to_string(), code, "{name}");
        is_suppressed(failed, name);
    }
}

#[tokio::test]
async fn a_providers_answer_outside_a_lock_error_decides_and_keeps_it_beside() {
    let shape = json!({"status": 429, "provider": "openai", "code": "rate_limit_exceeded", "message": "Rate limit", "cause": lock()});
    let CallError::Provider(failure) = CallError::foreign(&shape) else { panic!("a provider answered") };
    assert_eq!(failure.verdict().code.to_string(), "provider.rate_limit");
    assert_eq!(failure.beside(), Some(Coordination::LockTimeout.into()));
    let (calls, consumed, ..) = run(|| CallError::foreign(&shape)).await;
    assert_eq!((calls, consumed), (3, 3));
}

#[tokio::test]
async fn a_lock_error_later_in_the_chain_burns_nothing_more() {
    let store = Arc::new(MemoryStore::new());
    let chain = Chain::new(candidates(&["a", "b", "c"]), clock()).with_store(store.clone());
    let failed = chain
        .run(&Needs::default(), |candidate, _| {
            let error = match candidate.provider() {
                "a" => ProviderFailure::received(&Signal::status(402).from_provider("a"), "no credit"),
                _ => CallError::local(Mark::new(Coordination::SessionTakeover)),
            };
            std::future::ready(Err::<(), _>(error))
        })
        .await
        .expect_err("nobody serves");
    assert_eq!(failed.code().to_string(), "coordination.session_takeover");
    assert_eq!(failed.consumed(), 1);
    assert_eq!(store.load().await.unwrap().len(), 1, "only the empty account cools");
}
