//! What the plan decides by: one event, and the delay drawn for it.

use std::time::Duration;

use crate::{Failure, Lookup, Receipt};

/// Something that happened, and the delay that the schedule gives if it leads to a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What happened.
    pub event: Event,
    /// The next delay, jitter included; see [`Limits::pause`](crate::Limits::pause).
    pub pause: Duration,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its time has come, or might have.
    Due,
    /// The host has started, and nobody is sending what the outbox calls *sending*.
    Restarted,
    /// A send ended.
    Sent(Result<Receipt, Failure>),
    /// A lookup ended.
    LookedUp(Result<Lookup, Failure>),
    /// The requester's session is idle now.
    RequesterIdle,
    /// An operator wants another try now.
    Retry,
    /// An operator wants it to end.
    Dismiss,
}
