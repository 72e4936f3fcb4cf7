//! The lock types of the in-process queue, named once so that the model checker can put its own in their place
//! (tests/queue_model.rs includes `lane.rs` with shuttle's).

pub(crate) use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Locks a mutex whose critical sections cannot panic half-way; a poisoned one is still consistent.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
