//! An error that came over the wire, as an `Error` again.
//!
//! The decision: it carries the whole wire form, so that passing it on loses nothing, and a [`Mark`] beneath, so that
//! every consumer finds its code the way it finds any other. The option not taken is rebuilding the sender's error type.
//!
//! What must stay true: `Wire::of(&RemoteError::from(wire))` is `wire` again, for codes of every version.

use std::{error::Error, fmt, time::Duration};

use crate::{LockFacts, Mark, Wire};

/// An error that came over the wire. Its code is found by [`Mark::find`] where this version knows it.
#[derive(Debug)]
pub struct RemoteError {
    wire: Wire,
    mark: Option<Mark>,
}

impl RemoteError {
    /// The wire form it came in.
    #[must_use]
    pub fn wire(&self) -> &Wire {
        &self.wire
    }
}

impl From<Wire> for RemoteError {
    fn from(wire: Wire) -> Self {
        let mark = wire.code.known().map(|code| {
            let mark = Mark::new(code).effect_is(wire.effect).lock_is(LockFacts {
                owner: wire.owner.clone(),
                lock_path: wire.lock_path.clone(),
                stale_reasons: wire.stale_reasons.clone(),
                waited: wire.waited_ms.map(Duration::from_millis),
            });
            match wire.retry_after() {
                Some(delay) => mark.retry_after_is(delay),
                None => mark,
            }
        });
        Self { wire, mark }
    }
}

impl fmt::Display for RemoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.wire.message)
    }
}

impl Error for RemoteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.mark.as_ref().map(|mark| mark as &(dyn Error + 'static))
    }
}
