//! Dates as they are stated: HTTP dates, ISO 8601 with and without a zone, seconds and milliseconds since the epoch.

use std::time::{Duration, SystemTime};

use jiff::{Timestamp, civil, tz::Offset};

use crate::vendor::Vendor;

/// Numbers from here on are seconds since the epoch (September 2001); smaller ones are delays.
const EPOCH_SECONDS: f64 = 1e9;
/// Numbers from here on are milliseconds since the epoch.
const EPOCH_MILLIS: f64 = 1e12;

/// Seconds or milliseconds since the epoch. `None` for a number that is neither.
pub(crate) fn epoch(number: f64) -> Option<SystemTime> {
    let seconds = if number >= EPOCH_MILLIS { number / 1000.0 } else { number };
    if !(EPOCH_SECONDS..EPOCH_MILLIS).contains(&seconds) {
        return None;
    }
    SystemTime::UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}

/// A date in one of HTTP's three forms.
pub(crate) fn http(text: &str) -> Option<SystemTime> {
    httpdate::parse_http_date(text).ok()
}

/// An ISO 8601 date at the beginning of `text`. One without a zone is in the vendor's.
pub(crate) fn iso(text: &[u8], vendor: Vendor) -> Option<SystemTime> {
    // `2026-09-04T19:01:25.123456789+08:00` is the longest form.
    let head = text.get(..text.len().min(35))?;
    let head = match std::str::from_utf8(head) {
        Ok(head) => head,
        Err(error) => std::str::from_utf8(head.get(..error.valid_up_to())?).ok()?,
    };
    if !head.as_bytes().first().is_some_and(u8::is_ascii_digit) || head.as_bytes().get(4) != Some(&b'-') {
        return None;
    }
    let token = head.split(|c: char| c.is_whitespace() || matches!(c, ',' | ')' | '"' | '\'')).next()?;
    if let Ok(timestamp) = token.trim_end_matches('.').parse::<Timestamp>() {
        return system(timestamp);
    }
    let date: civil::Date = head.get(..10)?.parse().ok()?;
    let after = head.get(10..)?.trim_start_matches(['T', ' ']);
    let after = after.strip_prefix("at ").unwrap_or(after);
    let time: civil::Time = [8, 5]
        .into_iter()
        .find_map(|len| after.get(..len).and_then(|clock| clock.parse().ok()))
        .unwrap_or(civil::Time::midnight());
    let offset = if says_utc(text) { Offset::UTC } else { home(vendor) };
    system(offset.to_timestamp(date.to_datetime(time)).ok()?)
}

/// As the standard library's time. What lies before 1970 is no time to try again.
fn system(timestamp: Timestamp) -> Option<SystemTime> {
    let nanos = u64::try_from(timestamp.as_nanosecond()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(nanos))
}

fn says_utc(text: &[u8]) -> bool {
    let text = text.get(..text.len().min(64)).unwrap_or(text);
    memchr::memmem::find(text, b"UTC").is_some_and(|at| text.get(at + 3).is_none_or(|next| *next != b'+'))
}

/// Where a vendor lives that writes local times. A wrong guess of a zone is at most a day; the chain's cap bounds it.
fn home(vendor: Vendor) -> Offset {
    match vendor {
        Vendor::Zhipu
        | Vendor::DashScope
        | Vendor::Baidu
        | Vendor::MiniMax
        | Vendor::Moonshot
        | Vendor::Volcengine
        | Vendor::Tencent
        | Vendor::IFlow
        | Vendor::SiliconFlow
        | Vendor::IFlytek => Offset::constant(8),
        Vendor::Generic
        | Vendor::OpenAi
        | Vendor::Codex
        | Vendor::Azure
        | Vendor::Anthropic
        | Vendor::Google
        | Vendor::Bedrock
        | Vendor::OpenRouter
        | Vendor::ZenMux
        | Vendor::Mistral
        | Vendor::Groq
        | Vendor::Xai
        | Vendor::DeepSeek
        | Vendor::Together
        | Vendor::Cerebras
        | Vendor::Copilot
        | Vendor::Local
        | Vendor::Fireworks
        | Vendor::Cloudflare
        | Vendor::OpenCode
        | Vendor::Gateway => Offset::UTC,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(time: Option<SystemTime>) -> Option<u64> {
        time.map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs())
    }

    #[test]
    fn iso_forms_are_read() {
        for (text, seconds) in [
            ("2025-10-20T19:14:08Z", 1_760_987_648),
            ("2025-10-20T19:14:08.5Z", 1_760_987_648),
            ("2025-10-20T21:14:08+02:00", 1_760_987_648),
            ("2025-10-20 19:14:08", 1_760_987_648),
            ("2025-10-20 at 19:14 UTC.", 1_760_987_640),
            ("2025-10-20", 1_760_918_400),
        ] {
            assert_eq!(unix(iso(text.as_bytes(), Vendor::OpenAi)), Some(seconds), "{text}");
        }
        assert_eq!(unix(iso(b"2025-10-20 19:14:08", Vendor::Zhipu)), Some(1_760_987_648 - 8 * 3600));
    }

    #[test]
    fn numbers_since_the_epoch_are_told_apart() {
        assert_eq!(unix(epoch(1_775_317_531.0)), Some(1_775_317_531));
        assert_eq!(unix(epoch(1_775_317_531_000.0)), Some(1_775_317_531));
        assert_eq!(epoch(30.0), None);
        assert_eq!(epoch(f64::NAN), None);
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["", "tomorrow", "2025", "2025-13-45 99:99:99", "99999-99", "日期"] {
            assert_eq!(iso(text.as_bytes(), Vendor::Generic), None, "{text}");
        }
    }
}
