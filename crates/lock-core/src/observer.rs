//! What a host may want to write down as it happens: whose lock was taken over, and which live lock was reported.
//!
//! Called from inside an acquisition, before it returns, whoever acquires; an observer must not block.

use crate::{error::Report, held::Held};

/// Hears of what the locks meet.
pub trait Observer: Send + Sync {
    /// A lock was taken over: the owner that [`Held::taken_over`] names died holding it, so its run did not end by itself.
    fn taken_over(&self, held: &Held);

    /// A live stale lock is about to be reported to a caller; it stays in place.
    fn stale(&self, report: &Report);
}
