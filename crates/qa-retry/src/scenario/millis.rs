//! Durations as scenarios write them: whole milliseconds in a field whose name ends in `Ms`.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::Error as _};

/// The longest that a scenario may ask for. A QA run that waits longer is a mistake in a number.
const LONGEST_MS: u64 = 24 * 60 * 60 * 1000;

pub(super) fn one<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let ms = u64::deserialize(deserializer)?;
    if (1..=LONGEST_MS).contains(&ms) {
        Ok(Duration::from_millis(ms))
    } else {
        Err(D::Error::custom(format_args!("{ms} is not within 1 to {LONGEST_MS} milliseconds")))
    }
}

pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    one(deserializer).map(Some)
}
