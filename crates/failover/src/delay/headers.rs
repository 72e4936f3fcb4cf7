//! Delays in response headers.
//!
//! `retry-after` and its kin mean this request. The reset headers of rate-limit buckets mean the buckets: they count
//! only where no better word was sent, and the buckets that say they are empty count first.

use std::time::Duration;

use super::{
    Found, after,
    date::{self, epoch},
    duration::{self, Length},
    later, seconds, sooner,
};
use crate::{signal::Signal, vendor::Vendor, verdict::Stated};

/// What the headers say about trying again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Said {
    /// The server forbids it in so many words.
    pub(crate) veto: bool,
    pub(crate) delay: Found,
}

/// Reads the headers, once.
pub(crate) fn read(signal: &Signal<'_>, vendor: Vendor) -> Said {
    let mut said = Said::default();
    let mut seconds_or_date = None;
    for (name, value) in signal.headers {
        let is = |wanted: &str| *name == wanted || name.eq_ignore_ascii_case(wanted);
        // The length is compared first: most headers are about something else.
        match name.len() {
            11 if is("retry-after") => seconds_or_date = Some(value.trim_ascii()),
            14 if is("retry-after-ms") => said.delay.or_unparsable(millis(value)),
            14 if is("x-should-retry") => said.veto |= value.trim().eq_ignore_ascii_case("false"),
            19 if is("x-ms-retry-after-ms") => said.delay.or_unparsable(millis(value)),
            19 if is("stripe-should-retry") => said.veto |= value.trim().eq_ignore_ascii_case("false"),
            22 if is("grpc-retry-pushback-ms") => {
                // A negative pushback is how gRPC says never.
                let never = value.trim().starts_with('-');
                said.veto |= never;
                if !never {
                    said.delay.or_unparsable(millis(value));
                }
            }
            _ => {}
        }
    }
    if said.delay.stated.is_none()
        && let Some(value) = seconds_or_date
    {
        said.delay.or_unparsable(retry_after(value, vendor));
    }
    if said.delay.stated.is_none() && !signal.headers.is_empty() {
        said.delay.stated = resets(signal, vendor);
    }
    said
}

fn millis(value: &str) -> Option<Stated> {
    value.trim().parse().ok().and_then(|millis: f64| seconds(millis / 1000.0))
}

/// Seconds, an HTTP date, or one of the forms that are not in the standard and are sent all the same.
pub(crate) fn retry_after(value: &str, vendor: Vendor) -> Option<Stated> {
    // Nearly always whole seconds, and nine digits are no point in time yet.
    if value.len() <= 9
        && let Ok(number) = value.parse::<u32>()
    {
        return Some(after(Duration::from_secs(u64::from(number))));
    }
    if let Ok(number) = value.parse::<f64>() {
        return match epoch(number) {
            Some(time) => Some(Stated::At(time)),
            None => seconds(number),
        };
    }
    date::http(value).or_else(|| date::iso(value.as_bytes(), vendor)).map(Stated::At).or_else(|| {
        match duration::read(value.as_bytes()) {
            Length::Known(delay) => Some(after(delay)),
            Length::Unitless(_) | Length::None => None,
        }
    })
}

fn resets(signal: &Signal<'_>, vendor: Vendor) -> Option<Stated> {
    let mut empty: Option<Stated> = None;
    let mut any: Option<Stated> = None;
    for (name, value) in signal.headers {
        let Some(at) = find_ignoring_case(name, "reset") else { continue };
        if find_ignoring_case(name, "limit").is_none() && find_ignoring_case(name, "codex").is_none() {
            continue;
        }
        let Some(stated) = retry_after(value.trim(), vendor) else { continue };
        if is_empty(signal, name, at) {
            empty = Some(empty.map_or(stated, |other| later(other, stated)));
        }
        any = Some(any.map_or(stated, |other| sooner(other, stated)));
    }
    empty.or(any)
}

/// Whether the bucket that `name` resets says that nothing is left in it.
fn is_empty(signal: &Signal<'_>, name: &str, reset_at: usize) -> bool {
    let (prefix, suffix) = (&name[..reset_at], &name[reset_at + "reset".len()..]);
    signal.headers.iter().any(|(other, value)| {
        let sibling = |word: &str| {
            other.len() >= prefix.len() + word.len()
                && other.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix))
                && other
                    .get(prefix.len()..prefix.len() + word.len())
                    .is_some_and(|w| w.eq_ignore_ascii_case(word))
        };
        let value = value.trim();
        let same_suffix = other.len() >= suffix.len()
            && other.get(other.len() - suffix.len()..).is_some_and(|tail| tail.eq_ignore_ascii_case(suffix));
        (sibling("remaining") && same_suffix && value.parse::<f64>().is_ok_and(|left| left <= 0.0))
            || (sibling("status") && value.eq_ignore_ascii_case("rejected"))
            || (sibling("used-percent") && value.parse::<f64>().is_ok_and(|used| used >= 100.0))
    })
}

fn find_ignoring_case(text: &str, word: &str) -> Option<usize> {
    text.as_bytes().windows(word.len()).position(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stated(headers: &[(&str, &str)]) -> Option<Stated> {
        read(&Signal::status(429).with_headers(headers), Vendor::Generic).delay.stated
    }

    fn secs(seconds: u64) -> Option<Stated> {
        Some(Stated::After(Duration::from_secs(seconds)))
    }

    #[test]
    fn the_word_for_this_request_wins_over_the_buckets() {
        assert_eq!(stated(&[("X-RateLimit-Reset-Tokens", "6m0s"), ("Retry-After", "7")]), secs(7));
        assert_eq!(
            stated(&[("retry-after", "7"), ("retry-after-ms", "1500")]),
            Some(Stated::After(Duration::from_millis(1500)))
        );
        assert_eq!(stated(&[("retry-after", "0")]), secs(0));
    }

    #[test]
    fn the_empty_bucket_counts_and_otherwise_the_soonest() {
        let both = [("x-ratelimit-reset-requests", "1s"), ("x-ratelimit-reset-tokens", "6m0s")];
        assert_eq!(stated(&both), secs(1));
        let tokens = [
            both[0],
            both[1],
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-remaining-requests", "9"),
        ];
        assert_eq!(stated(&tokens), secs(360));
        let codex = [
            ("x-codex-primary-reset-after-seconds", "13873"),
            ("x-codex-primary-used-percent", "100"),
            ("x-codex-secondary-reset-after-seconds", "316705"),
            ("x-codex-secondary-used-percent", "80"),
        ];
        assert_eq!(stated(&codex), secs(13_873));
    }

    #[test]
    fn dates_are_kept_as_dates() {
        let at = |seconds| Some(Stated::At(std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)));
        assert_eq!(stated(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]), at(784_111_777));
        assert_eq!(
            stated(&[("anthropic-ratelimit-tokens-reset", "2025-10-20T19:14:08Z")]),
            at(1_760_987_648)
        );
        assert_eq!(stated(&[("x-ratelimit-reset", "1760987648000")]), at(1_760_987_648));
    }

    #[test]
    fn nonsense_is_counted_and_ignored() {
        for value in ["soon", "-5", "NaN", "1e400", "", "9".repeat(400).as_str()] {
            let headers = [("retry-after", value)];
            let found = read(&Signal::status(429).with_headers(&headers), Vendor::Generic).delay;
            assert_eq!((found.stated, found.unparsable), (None, 1), "{value}");
        }
        let forever = [("retry-after", "99999999")];
        assert_eq!(stated(&forever), Some(Stated::After(super::super::LONGEST)));
    }
}
