//! Delays in fields of the body. The keys are few and travel between vendors; the most direct one wins.

use super::{after, date, duration, headers::retry_after, seconds};
use crate::{delay::duration::Length, vendor::Vendor, verdict::Stated};

/// What a key says about its value, the most direct last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DelayKey {
    /// When the window starts anew.
    ResetsAt,
    /// How long the window still lasts, in seconds or as a duration.
    ResetsIn,
    /// How long to wait, in seconds, as a duration or as a date.
    RetryAfter,
    /// How long to wait, in milliseconds.
    RetryAfterMillis,
}

/// The meaning of a key, given as its letters and digits in lower case.
pub(crate) fn key(squashed: &[u8]) -> Option<DelayKey> {
    Some(match squashed {
        b"retrydelay" | b"retryafter" | b"retryafterseconds" | b"retryaftersec" | b"retryafters"
        | b"retryinseconds" => DelayKey::RetryAfter,
        b"retryafterms" | b"retryaftermillis" => DelayKey::RetryAfterMillis,
        b"resetsinseconds" | b"resetafterseconds" | b"resetsin" | b"resetin" | b"resetafter"
        | b"resetinseconds" | b"quotaresetdelay" | b"estimatedtime" => DelayKey::ResetsIn,
        b"resetsat"
        | b"resetat"
        | b"resettime"
        | b"quotaresettimestamp"
        | b"nextflushtime"
        | b"ratelimitreset"
        | b"xratelimitreset"
        | b"resettimestamp" => DelayKey::ResetsAt,
        _ => return None,
    })
}

/// The value of a key, as it stands in the body (without quotes).
pub(crate) fn value(key: DelayKey, text: &str, vendor: Vendor) -> Option<Stated> {
    let text = text.trim();
    match key {
        DelayKey::RetryAfter => retry_after(text, vendor),
        DelayKey::RetryAfterMillis => text.parse().ok().and_then(|millis: f64| seconds(millis / 1000.0)),
        DelayKey::ResetsIn => match duration::read(text.as_bytes()) {
            Length::Known(delay) => Some(after(delay)),
            Length::Unitless(number) => seconds(number),
            Length::None => None,
        },
        DelayKey::ResetsAt => text
            .parse()
            .ok()
            .and_then(date::epoch)
            .or_else(|| date::iso(text.as_bytes(), vendor))
            .map(Stated::At),
    }
}
