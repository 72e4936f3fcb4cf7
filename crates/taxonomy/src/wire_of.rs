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
        let mut causes = Causes { message: error.to_string(), kept: Vec::new(), last_is_link: false };
        let mut class: Option<Class<'_>> = None;
        for (index, link) in chain::links(error).enumerate() {
            if causes.kept.len() >= MAX_CAUSES {
                break;
            }
            if let Some(remote) = chain::as_type::<RemoteError>(link) {
                match class {
                    // An error that came over the wire goes on as it came; what follows is its own mark.
                    None if index == 0 || causes.kept.is_empty() && causes.message == remote.wire().message => {
                        return remote.wire().clone();
                    }
                    None => {
                        class = Some(Class::Remote(remote.wire()));
                        causes.remote(remote.wire());
                        break;
                    }
                    Some(_) => {
                        causes.remote(remote.wire());
                        break;
                    }
                }
            }
            match (chain::as_type::<Mark>(link), class) {
                (Some(mark), None) => class = Some(Class::Mark(mark)),
                (Some(mark), Some(_)) => causes.mark(mark),
                (None, _) if index > 0 => causes.link(link),
                (None, _) => {}
            }
        }
        let mut wire = match class {
            None => Self::new(Local::Unclassified, causes.message),
            Some(Class::Mark(mark)) => {
                let mut wire = Self::new(mark.code(), causes.message);
                wire.effect = mark.effect();
                wire.retry_after_ms = mark.retry_after().map(millis);
                wire.lock_is(mark.lock());
                wire
            }
            Some(Class::Remote(remote)) => Self { message: clean(&causes.message), ..remote.clone() },
        };
        wire.causes = causes.kept;
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

/// What gave the class.
#[derive(Clone, Copy)]
enum Class<'a> {
    Mark(&'a Mark),
    Remote(&'a Wire),
}

struct Causes {
    message: String,
    kept: Vec<Cause>,
    /// The last cause is the link right above the next one, so a mark that follows is its code.
    last_is_link: bool,
}

impl Causes {
    fn link(&mut self, link: &(dyn Error + 'static)) {
        let message = clean(&link.to_string());
        let above = self.kept.last().map_or(clean(&self.message), |cause| cause.message.clone());
        // A transparent wrapper and the error inside it, or an `io::Error` and what it carries, say the same thing.
        if message != above {
            self.kept.push(Cause { code: None, message });
            self.last_is_link = true;
        }
    }

    fn mark(&mut self, mark: &Mark) {
        let code = Some(WireCode::Known(mark.code()));
        match self.kept.last_mut().filter(|last| self.last_is_link && last.code.is_none()) {
            Some(last) => last.code = code,
            None => self.kept.push(Cause { code, message: mark.code().meaning().to_owned() }),
        }
        self.last_is_link = false;
    }

    fn remote(&mut self, wire: &Wire) {
        let code = Some(wire.code.clone());
        match self.kept.last_mut().filter(|last| last.code.is_none() && last.message == wire.message) {
            Some(last) => last.code = code,
            None => self.kept.push(Cause { code, message: wire.message.clone() }),
        }
        self.kept.extend(wire.causes.iter().cloned());
        self.kept.truncate(MAX_CAUSES);
    }
}
