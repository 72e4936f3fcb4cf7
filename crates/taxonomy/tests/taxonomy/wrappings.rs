//! The mark is found under every wrapping that Rust programs use, where downcasting the error's own type is not.

use std::{error::Error, fmt, io, sync::Arc};

use moorline_taxonomy::{Code, Coordination, Effect, LockFacts, Mark, Owner, Wire, foreign::read_error};

/// An error as the crates of this house make them.
#[derive(Debug, thiserror::Error)]
#[error("session lock /s/1f.jsonl.lock not acquired within 5 ms")]
struct LockError(#[source] Mark);

fn lock_error() -> LockError {
    let owner = Owner { pid: Some(77), ..Owner::default() };
    let lock = LockFacts {
        owner: Some(owner),
        lock_path: Some("/s/1f.jsonl.lock".to_owned()),
        ..LockFacts::default()
    };
    LockError(Mark::new(Coordination::LockTimeout).effect_is(Effect::None).lock_is(lock).caused_by("EAGAIN"))
}

#[derive(Debug, thiserror::Error)]
enum Wrapper {
    #[error("turn failed")]
    Source(#[from] LockError),
    #[error(transparent)]
    Transparent(LockError),
    #[error("turn failed")]
    Boxed(#[source] Box<dyn Error + Send + Sync>),
    #[error("turn failed")]
    Shared(#[source] Arc<LockError>),
    #[error("turn failed")]
    SharedDyn(#[source] Arc<dyn Error + Send + Sync>),
    #[error("cannot write")]
    Io(#[source] io::Error),
    #[error(transparent)]
    TransparentIo(io::Error),
}

/// A wrapper written by hand that keeps its cause in a box of a box.
#[derive(Debug)]
struct ByHand(Box<Box<dyn Error + Send + Sync>>);

impl fmt::Display for ByHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("by hand")
    }
}

impl Error for ByHand {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&**self.0 as &(dyn Error + 'static))
    }
}

fn wrappings() -> Vec<(&'static str, Box<dyn Error>)> {
    let io = || io::Error::other(lock_error());
    vec![
        ("itself", Box::new(lock_error())),
        ("source", Box::new(Wrapper::from(lock_error()))),
        ("transparent", Box::new(Wrapper::Transparent(lock_error()))),
        ("boxed", Box::new(Wrapper::Boxed(Box::new(lock_error())))),
        ("shared", Box::new(Wrapper::Shared(Arc::new(lock_error())))),
        ("shared dyn", Box::new(Wrapper::SharedDyn(Arc::new(lock_error())))),
        ("io::Error::other", Box::new(io())),
        ("io in io", Box::new(io::Error::other(io()))),
        ("io in io in io", Box::new(io::Error::new(io::ErrorKind::TimedOut, io::Error::other(io())))),
        ("io as a source", Box::new(Wrapper::Io(io()))),
        ("io, transparent", Box::new(Wrapper::TransparentIo(io()))),
        ("box of a box", Box::new(ByHand(Box::new(Box::new(lock_error()))))),
        ("box of an error type", Box::new(Box::new(lock_error()))),
        (
            "all of them",
            Box::new(Wrapper::Boxed(Box::new(io::Error::other(Wrapper::Transparent(lock_error()))))),
        ),
        ("the mark in io", Box::new(io::Error::other(Mark::new(Coordination::LockTimeout)))),
        (
            "the mark in io in io",
            Box::new(io::Error::other(io::Error::other(Mark::new(Coordination::LockTimeout)))),
        ),
        (
            "the mark shared",
            Box::new(Wrapper::SharedDyn(Arc::new(Arc::new(Mark::new(Coordination::LockTimeout))))),
        ),
    ]
}

#[test]
fn the_mark_is_found_and_the_type_is_not() {
    let expected = Code::from(Coordination::LockTimeout);
    let mut lost = 0;
    for (name, error) in wrappings() {
        assert_eq!(Mark::find(&*error).map(Mark::code), Some(expected), "{name}");
        assert_eq!(read_error(&*error).map(|found| found.code), Some(expected), "{name}");
        lost += usize::from(error.downcast_ref::<LockError>().is_none());
    }
    assert!(lost > 10, "downcasting would have done, and the mark would be needless");
}

#[test]
fn what_is_known_of_the_lock_reaches_the_wire_under_every_wrapping() {
    for (name, error) in wrappings() {
        let wire = Wire::of(&*error);
        assert_eq!(wire.code.known(), Some(Coordination::LockTimeout.into()), "{name}");
        assert_eq!(wire.legacy_code.as_deref(), Some("OPENCLAW_SESSION_WRITE_LOCK_TIMEOUT"), "{name}");
        assert_eq!(wire.message, error.to_string(), "{name}");
        if !name.contains("the mark") {
            assert_eq!(wire.owner.and_then(|owner| owner.pid), Some(77), "{name}");
            assert_eq!(wire.lock_path.as_deref(), Some("/s/1f.jsonl.lock"), "{name}");
            assert_eq!(
                wire.causes.last().map(|cause| cause.message.as_str()),
                Some("EAGAIN"),
                "{name}: {:?}",
                wire.causes
            );
        }
    }
}

#[test]
fn the_outermost_mark_wins() {
    let inner = lock_error();
    let outer = LockError(Mark::new(Coordination::SessionTakeover).caused_by(inner));
    assert_eq!(Mark::find(&outer).map(Mark::code), Some(Coordination::SessionTakeover.into()));
}
