//! From an error in process to its wire form: the outermost code decides, the chain becomes the causes.
//!
//! The decision: an error that came over the wire goes on as it came, and only its context is added; a mark further in
//! than another code is a cause, not the class. The option not taken is asking every error type for its own wire form:
//! the type is lost under wrapping, the marks in the chain are not.
//!
//! What must stay true: the walk is bounded; no link is said twice; no context that an outer layer added is lost.

use std::error::Error;

use crate::{
    Local, LockFacts, Mark, RemoteError, Wire, WireCode, chain,
    wire::{Cause, MAX_CAUSES, clean, millis},
};

impl Wire {
    /// The wire form of any error: the outermost mark (or error that came over the wire) gives the class, the chain
    /// gives the causes. An error without either is `local.unclassified`.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let message = clean(&error.to_string());
        let class = chain::links(error).find_map(Class::of);
        let mut wire = match class {
            None => Self::with_code(WireCode::Known(Local::Unclassified.into()), message),
            Some(Class::Mark(mark)) => {
                let mut wire = Self::with_code(WireCode::Known(mark.code()), message);
                wire.effect = mark.effect();
                wire.retry_after_ms = mark.retry_after().map(millis);
                wire.lock_is(mark.lock());
                wire
            }
            // The words are the same, so nothing stands around it but wrappers without words of their own.
            Some(Class::Remote(remote)) if remote.message == message => return remote.clone(),
            Some(Class::Remote(remote)) => Self { message, ..remote.clone() },
        };
        wire.causes = causes(error, &wire.message);
        wire
    }

    fn lock_is(&mut self, lock: Option<&LockFacts>) {
        if let Some(lock) = lock {
            self.owner.clone_from(&lock.owner);
            self.lock_path.clone_from(&lock.lock_path);
            self.stale_reasons.clone_from(&lock.stale_reasons);
            self.waited_ms = lock.waited.map(millis);
        }
    }
}

/// What gives the class.
enum Class<'a> {
    Mark(&'a Mark),
    Remote(&'a Wire),
}

impl<'a> Class<'a> {
    fn of(link: &'a (dyn Error + 'static)) -> Option<Self> {
        let remote = chain::as_type::<RemoteError>(link).map(|remote| Self::Remote(remote.wire()));
        remote.or_else(|| chain::as_type::<Mark>(link).map(Self::Mark))
    }
}

/// The links beneath `error`, which says `message`.
fn causes(error: &(dyn Error + 'static), message: &str) -> Vec<Cause> {
    let mut kept: Vec<Cause> = Vec::new();
    // The mark that gives the class is the code of the whole, and no cause.
    let mut classified = false;
    for (index, link) in chain::links(error).enumerate() {
        if kept.len() >= MAX_CAUSES {
            break;
        }
        match Class::of(link) {
            Some(Class::Remote(wire)) => {
                push(&mut kept, message, Some(wire.code.clone()), wire.message.clone());
                // Its own chain came with it, and its mark repeats its code.
                kept.extend(wire.causes.iter().take(MAX_CAUSES).cloned());
                break;
            }
            Some(Class::Mark(_)) if !classified => classified = true,
            Some(Class::Mark(mark)) => match kept.last_mut().filter(|last| last.code.is_none()) {
                // A mark is the source of the error that it classifies.
                Some(last) => last.code = Some(WireCode::Known(mark.code())),
                None => {
                    let code = Some(WireCode::Known(mark.code()));
                    kept.push(Cause { code, message: mark.code().meaning().to_owned() });
                }
            },
            None if index > 0 => push(&mut kept, message, None, clean(&link.to_string())),
            None => {}
        }
    }
    kept.truncate(MAX_CAUSES);
    kept
}

/// Keeps a link, unless the one above it says the same: a transparent wrapper and the error inside it, an `io::Error` and
/// what it carries.
fn push(kept: &mut Vec<Cause>, message: &str, code: Option<WireCode>, said: String) {
    match kept.last_mut() {
        Some(above) if above.message == said && above.code.is_none() => above.code = code,
        None if message == said && code.is_none() => {}
        Some(_) | None => kept.push(Cause { code, message: said }),
    }
}
