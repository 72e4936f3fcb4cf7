//! The handle that a call gets: how it tells the chain what it cannot see from outside.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

/// One call of one candidate. Clones are the same call.
#[derive(Clone, Debug)]
pub struct Attempt {
    number: u32,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    streamed: AtomicBool,
    cost: AtomicU64,
}

impl Attempt {
    pub(crate) fn new(number: u32) -> Self {
        Self { number, shared: Arc::default() }
    }

    /// The call's number in the run, from 1.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Says that output was shown. From here on a failure is not silently replayed: the run ends instead.
    pub fn mark_streamed(&self) {
        self.shared.streamed.store(true, Ordering::Release);
    }

    /// Whether output was shown.
    #[must_use]
    pub fn is_streamed(&self) -> bool {
        self.shared.streamed.load(Ordering::Acquire)
    }

    /// Adds to what the call cost, in any unit of the caller's; it is kept in the record.
    pub fn spent(&self, cost: u64) {
        self.shared.cost.fetch_add(cost, Ordering::Relaxed);
    }

    pub(crate) fn cost(&self) -> u64 {
        self.shared.cost.load(Ordering::Relaxed)
    }
}
