//! How a host ends a run: one flag with a reason, shared by everybody who works for the run.
//!
//! The option not taken is a cancellation token of another crate in the public interface. What must stay true: the first
//! reason stays; a stop that was given before anybody waited is seen.

use std::sync::Arc;

use moorline_taxonomy::Cancelled;
use tokio::sync::watch;

/// Asks a run to end. Clones share one flag.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<Option<Cancelled>>>);

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Stop {
    /// Not stopped.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }

    /// Stops; the first reason stays.
    pub fn stop(&self, why: Cancelled) {
        self.0.send_if_modified(|now| {
            let first = now.is_none();
            if first {
                *now = Some(why);
            }
            first
        });
    }

    /// The reason, once stopped.
    #[must_use]
    pub fn reason(&self) -> Option<Cancelled> {
        *self.0.borrow()
    }

    /// Completes when stopped. Cancel-safe.
    pub async fn stopped(&self) -> Cancelled {
        let mut receiver = self.0.subscribe();
        loop {
            if let Some(why) = *receiver.borrow_and_update() {
                return why;
            }
            if receiver.changed().await.is_err() {
                // The sender lives in `self`, so this is never reached; a stop that cannot come any more never comes.
                std::future::pending::<()>().await;
            }
        }
    }
}
