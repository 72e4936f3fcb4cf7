//! The port that makes real contention: somebody else who holds a session's lock.
//!
//! The decision: the host provides it, since only the host knows where the lock of a session is, and a lock held by a
//! second process is the only contention worth testing. The option not taken is a gateway method that pretends to be
//! busy: it would test the pretence.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use moorline_taxonomy::Wire;

/// Holds session locks against the gateway.
#[async_trait]
pub trait Contention: Send + Sync {
    /// Takes the lock of session `key` and returns as soon as it is held. The host lets go after `duration`, or when the
    /// [`Hold`] is dropped, whichever is first.
    ///
    /// # Errors
    /// The lock could not be had. Contention on it is retried like that of any step.
    async fn hold(&self, key: &str, duration: Duration) -> Result<Hold, Wire>;
}

/// A lock that is held until this is dropped; the scenario drops it at its end.
pub struct Hold(#[expect(dead_code, reason = "kept for what dropping it does")] Box<dyn Send>);

impl Hold {
    /// Keeps whatever must be dropped to let go: a guard, a child process that is killed on drop.
    pub fn new(guard: impl Send + 'static) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hold").finish_non_exhaustive()
    }
}
