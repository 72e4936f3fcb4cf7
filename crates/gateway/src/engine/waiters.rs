//! Who waits for a session lock in this process. The lanes know who waits for a turn; a turn that has its lane may still wait
//! for a runner process that holds the session.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use moorline_lock_core::{RunTag, Target};
use serde_json::{Value, json};

use super::turns::{lock_path, millis};

/// Everybody who waits now. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Waiters(Arc<Mutex<Vec<Waiter>>>);

struct Waiter {
    lock_path: String,
    tag: RunTag,
    since: Instant,
}

impl Waiters {
    pub(super) fn add(&self, target: &Target, tag: &RunTag) {
        let waiter = Waiter { lock_path: lock_path(target), tag: tag.clone(), since: Instant::now() };
        self.all().push(waiter);
    }

    pub(super) fn remove(&self, target: &Target, tag: &RunTag) {
        let (mut all, path) = (self.all(), lock_path(target));
        if let Some(place) = all.iter().position(|waiter| waiter.tag == *tag && waiter.lock_path == path) {
            all.remove(place);
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.all().len()
    }

    /// The longest wait first.
    pub(crate) fn list(&self) -> Value {
        let all = self.all();
        let rows = all.iter().map(|waiter| {
            json!({
                "lockPath": waiter.lock_path, "runId": waiter.tag.run_id(), "sessionKey": waiter.tag.session_key(),
                "waitedMs": millis(waiter.since.elapsed()),
            })
        });
        json!({"waiting": rows.collect::<Vec<_>>()})
    }

    fn all(&self) -> MutexGuard<'_, Vec<Waiter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
