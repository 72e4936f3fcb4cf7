//! The wall clock, read in one place. Waits use the monotonic clock (`tokio::time::Instant`); the wall clock serves
//! `createdAt` and ages alone, and an age never decides about removal.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Wall time as the duration since the Unix epoch, in whole milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WallMs(pub(crate) u64);

impl WallMs {
    pub(crate) fn now() -> Self {
        // A clock before 1970 reads as 1970: ages then come out as zero, which never reports a lock as stale.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Time since `earlier`; zero when the clock went back.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// Gives another program a moment to finish what it is in the middle of. Only where a lock seems lost, never on the way of
/// a healthy append; bounded by the caller.
pub(crate) fn settle(pause: Duration) {
    std::thread::sleep(pause);
}
