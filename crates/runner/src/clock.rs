//! Wall time as it is written down: ISO 8601 in UTC with milliseconds, and milliseconds since 1970.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// `2026-05-01T09:30:00.000Z`.
pub(crate) fn iso(wall: SystemTime) -> String {
    Timestamp::try_from(wall).unwrap_or(Timestamp::UNIX_EPOCH).strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Milliseconds since 1970; 0 for a clock that stands before it.
pub(crate) fn millis(wall: SystemTime) -> u64 {
    u64::try_from(wall.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_millis()).unwrap_or(u64::MAX)
}
