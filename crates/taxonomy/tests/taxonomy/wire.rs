//! The wire form: every key always written, anything read, nothing lost on the way.

use std::{error::Error, io};

use moorline_taxonomy::{Cause, Code, Coordination, Effect, Local, Mark, RemoteError, Wire, WireCode};
use serde_json::{Value, json};

#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Typed {
    message: &'static str,
    #[source]
    mark: Mark,
}

#[derive(Debug, thiserror::Error)]
#[error("turn failed")]
struct Context(#[source] Box<dyn Error + Send + Sync>);

fn cause(code: Option<Code>, message: &str) -> Cause {
    Cause { code: code.map(WireCode::Known), message: message.to_owned() }
}

#[test]
fn every_key_is_written_for_every_code() {
    const KEYS: [&str; 12] = [
        "causes",
        "code",
        "domain",
        "effect",
        "legacyCode",
        "lockPath",
        "message",
        "owner",
        "retryAfterMs",
        "staleReasons",
        "version",
        "waitedMs",
    ];
    for code in Code::all() {
        let json = serde_json::to_value(Wire::new(code, "m")).expect("JSON");
        let keys: Vec<&str> = json.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(keys, KEYS, "{code}");
        assert_eq!(json["domain"], code.domain().as_str());
        assert_eq!(json["code"], code.to_string());
    }
}

#[test]
fn the_chain_becomes_the_causes_and_no_link_is_said_twice() {
    let inner = Typed {
        message: "lock busy",
        mark: Mark::new(Coordination::LockTimeout).caused_by(io::Error::other("EAGAIN")),
    };
    let outer = Typed {
        message: "session taken over",
        mark: Mark::new(Coordination::SessionTakeover).effect_is(Effect::Possible).caused_by(inner),
    };
    let wire = Wire::of(&Context(Box::new(io::Error::other(outer))));
    assert_eq!(wire.code.known(), Some(Coordination::SessionTakeover.into()));
    assert_eq!((wire.message.as_str(), wire.effect), ("turn failed", Effect::Possible));
    assert_eq!(
        wire.causes,
        [
            cause(None, "session taken over"),
            cause(Some(Coordination::LockTimeout.into()), "lock busy"),
            cause(None, "EAGAIN")
        ],
        "the mark that gives the class is not a cause; another mark is the code of the error that carries it"
    );
}

#[test]
fn a_mark_deeper_than_the_causes_that_are_kept_still_gives_the_class() {
    let mut chain: Box<dyn Error + Send + Sync> = Box::new(Mark::new(Coordination::LockLost));
    for _ in 0..100 {
        chain = Box::new(Context(chain));
    }
    assert_eq!(Wire::of(&*chain).code.known(), Some(Coordination::LockLost.into()));
}

#[test]
fn an_error_without_a_mark_is_unclassified_and_keeps_its_causes() {
    let wire = Wire::of(&Context("boom".into()));
    assert_eq!(wire.code.known(), Some(Local::Unclassified.into()));
    assert_eq!(wire.causes, [cause(None, "boom")]);
    assert_eq!(Wire::of(&Mark::new(Local::Bug)).causes, []);
}

#[test]
fn an_error_from_the_wire_goes_on_as_it_came_and_context_is_added_outside() {
    let mut wire = Wire::new(Coordination::LockStale, "busy under pid 77");
    wire.owner = Some(moorline_taxonomy::Owner { pid: Some(77), ..Default::default() });
    wire.retry_after_ms = Some(500);
    wire.causes = vec![cause(None, "flock: EAGAIN")];
    let remote = || RemoteError::from(wire.clone());
    assert_eq!(Wire::of(&remote()), wire);
    assert_eq!(Wire::of(&io::Error::other(remote())), wire, "io adds no words of its own");
    let passed_on = Wire::of(&Context(Box::new(remote())));
    assert_eq!(passed_on.message, "turn failed");
    assert_eq!(
        (&passed_on.code, &passed_on.owner, passed_on.retry_after_ms),
        (&wire.code, &wire.owner, Some(500))
    );
    assert_eq!(
        passed_on.causes,
        [cause(Some(Coordination::LockStale.into()), "busy under pid 77"), cause(None, "flock: EAGAIN")]
    );
}

#[test]
fn a_mark_outside_an_error_from_the_wire_gives_the_class() {
    let remote = RemoteError::from(Wire::new(Coordination::LockTimeout, "busy"));
    let outer =
        Typed { message: "taken over", mark: Mark::new(Coordination::SessionTakeover).caused_by(remote) };
    let wire = Wire::of(&outer);
    assert_eq!(wire.code.known(), Some(Coordination::SessionTakeover.into()));
    assert_eq!(wire.causes, [cause(Some(Coordination::LockTimeout.into()), "busy")]);
}

#[test]
fn a_code_of_another_version_is_kept_and_passed_on() {
    let json = json!({ "version": 7, "code": "coordination.lock_wedged", "domain": "coordination", "message": "m", "effect": "sideways",
        "retryAfterMs": 12.2, "owner": "nobody", "causes": [{ "code": "x.y", "message": "beneath" }, 3], "legacyCode": "OLD", "unheard": [1] });
    let wire: Wire = serde_json::from_value(json).expect("a wire error");
    assert_eq!(wire.code, WireCode::Other("coordination.lock_wedged".to_owned()));
    assert_eq!((wire.version, wire.effect, wire.retry_after_ms), (7, Effect::Possible, Some(13)));
    assert_eq!((wire.owner.as_ref(), wire.legacy_code.as_deref()), (None, Some("OLD")));
    assert_eq!(wire.causes.len(), 1);
    let remote = RemoteError::from(wire.clone());
    assert!(Mark::find(&remote).is_none(), "a code that is not known decides nothing");
    assert_eq!(Wire::of(&remote), wire);
    assert_eq!(
        serde_json::from_value::<Wire>(serde_json::to_value(&wire).expect("JSON")).expect("a wire error"),
        wire
    );
}

#[test]
fn only_the_code_is_required() {
    let bare: Wire = serde_json::from_str(r#"{"code":"local.disk_full"}"#).expect("a wire error");
    assert_eq!(bare, Wire { version: 0, ..Wire::new(Local::DiskFull, "") });
    let nulls: Wire = serde_json::from_str(
        r#"{"code":"local.disk_full","domain":null,"message":null,"effect":null,"retryAfterMs":null,"owner":null,"staleReasons":null,"causes":null,"version":null}"#,
    )
    .expect("a wire error");
    assert_eq!(nulls, bare);
    assert!(serde_json::from_str::<Wire>(r#"{"message":"m"}"#).is_err());
    assert!(serde_json::from_str::<Wire>("3").is_err());
}

#[test]
fn messages_are_bounded_and_redacted_and_causes_are_bounded() {
    let secret = "sk-abcd0123456789abcdef0123";
    let wire = Wire::new(Local::Config, format!("bad key {secret} {}", "\u{e9}".repeat(5000)));
    assert!(
        wire.message.starts_with("bad key [redacted] \u{e9}") && wire.message.ends_with('\u{2026}'),
        "{}",
        &wire.message[..40]
    );
    assert!(wire.message.len() <= 4096);
    let across = Wire::new(Local::Config, format!("{}{secret}", "a ".repeat(2040)));
    assert!(!across.message.contains("sk-"), "a secret across the cut");
    let back: Wire =
        serde_json::from_value(serde_json::to_value(&wire).expect("JSON")).expect("a wire error");
    assert_eq!(back, wire, "what was cut is not cut again");

    let mut chain: Box<dyn Error + Send + Sync> = format!("root {secret}").into();
    assert!(!Wire::of(&Context(format!("root {secret}").into())).causes[0].message.contains("sk-"));
    for _ in 0..100 {
        chain = Box::new(Typed { message: "link", mark: Mark::new(Local::Bug).caused_by(chain) });
    }
    assert_eq!(Wire::of(&*chain).causes.len(), 32);
    let many: Vec<Value> = (0..1000).map(|at| json!({ "message": at.to_string() })).collect();
    let read: Wire =
        serde_json::from_value(json!({ "code": "local.bug", "causes": many })).expect("a wire error");
    assert_eq!(read.causes.len(), 32);
}
