//! The program's wall clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch.
#[allow(clippy::disallowed_methods, reason = "the program's one look at the wall clock")]
pub(crate) fn wall_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The wall clock, for what is written down with a time.
#[allow(clippy::disallowed_methods, reason = "the program's one look at the wall clock")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
