//! Durations as people and programs write them: `6m0s`, `1h43m56s`, `120ms`, `0.5s`, `20 minutes`, `30 秒`.

use std::time::Duration;

/// What stands at the beginning of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Length {
    /// Numbers with units.
    Known(Duration),
    /// A number without a unit.
    Unitless(f64),
    /// No duration.
    None,
}

/// Units in seconds, longest spelling first where one begins another.
const UNITS: &[(&str, f64)] = &[
    ("milliseconds", 0.001),
    ("millisecond", 0.001),
    ("msecs", 0.001),
    ("msec", 0.001),
    ("ms", 0.001),
    ("microseconds", 0.000_001),
    ("us", 0.000_001),
    ("µs", 0.000_001),
    ("ns", 0.000_000_001),
    ("minutes", 60.0),
    ("minute", 60.0),
    ("mins", 60.0),
    ("min", 60.0),
    ("m", 60.0),
    ("seconds", 1.0),
    ("second", 1.0),
    ("secs", 1.0),
    ("sec", 1.0),
    ("s", 1.0),
    ("hours", 3600.0),
    ("hour", 3600.0),
    ("hrs", 3600.0),
    ("hr", 3600.0),
    ("h", 3600.0),
    ("days", 86_400.0),
    ("day", 86_400.0),
    ("d", 86_400.0),
    ("weeks", 604_800.0),
    ("week", 604_800.0),
    ("w", 604_800.0),
    ("毫秒", 0.001),
    ("秒", 1.0),
    ("分钟", 60.0),
    ("分鐘", 60.0),
    ("分", 60.0),
    ("小时", 3600.0),
    ("小時", 3600.0),
    ("个小时", 3600.0),
    ("天", 86_400.0),
    ("日", 86_400.0),
    ("周", 604_800.0),
];

/// Reads the duration at the beginning of `text`; what comes after it does not matter.
pub(crate) fn read(text: &[u8]) -> Length {
    let mut rest = text;
    let mut total = 0.0;
    let mut parts = 0;
    // Weeks, days, hours, minutes, seconds and their fractions: nobody writes more parts.
    while parts < 7 {
        rest = skip_joints(rest);
        let Some((number, after_number)) = number(rest) else { break };
        let Some((seconds, after_unit)) = unit(after_number) else {
            return match parts {
                0 if ends_here(after_number) => Length::Unitless(number),
                0 => Length::None,
                _ => break,
            };
        };
        total += number * seconds;
        rest = after_unit;
        parts += 1;
    }
    match Duration::try_from_secs_f64(total) {
        Ok(known) if parts > 0 => Length::Known(known),
        Ok(_) | Err(_) => Length::None,
    }
}

/// Spaces, commas and `and` between the parts of one duration.
fn skip_joints(mut text: &[u8]) -> &[u8] {
    loop {
        let trimmed = text.trim_ascii_start();
        let trimmed = trimmed.strip_prefix(b",").unwrap_or(trimmed);
        let trimmed = trimmed.strip_prefix(b"and ").unwrap_or(trimmed);
        if trimmed.len() == text.len() {
            return text;
        }
        text = trimmed;
    }
}

fn number(text: &[u8]) -> Option<(f64, &[u8])> {
    let mut dot = false;
    let mut end = 0;
    while let Some(byte) = text.get(end) {
        match byte {
            b'0'..=b'9' => {}
            // A full stop that ends a sentence is followed by no digit.
            b'.' if !dot && text.get(end + 1).is_some_and(u8::is_ascii_digit) => dot = true,
            _ => break,
        }
        end += 1;
    }
    // Nanoseconds of a week have sixteen digits; a longer number is no duration.
    if end == 0 || end > 24 {
        return None;
    }
    let digits = std::str::from_utf8(text.get(..end)?).ok()?;
    Some((digits.parse().ok()?, text.get(end..)?))
}

fn unit(text: &[u8]) -> Option<(f64, &[u8])> {
    let text = text.trim_ascii_start();
    UNITS.iter().find_map(|(name, seconds)| {
        let name = name.as_bytes();
        let head = text.get(..name.len())?;
        let after = text.get(name.len()..)?;
        // `m` is no unit in `messages`; a unit ends where the letters end. After it a digit may follow (`6m0s`).
        let whole = !name[0].is_ascii() || !after.first().is_some_and(u8::is_ascii_alphabetic);
        (whole && head.eq_ignore_ascii_case(name)).then_some((*seconds, after))
    })
}

/// Whether a bare number ends the statement. One before a colon is a clock time, and one before a word counts things.
fn ends_here(text: &[u8]) -> bool {
    text.iter().find(|byte| **byte != b' ').is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        for (text, seconds) in [
            ("6m0s", 360.0),
            ("1h43m56s", 6236.0),
            ("120ms", 0.12),
            ("11.054s. Visit https://", 11.054),
            ("40.025771073s.", 40.025_771_073),
            ("0s", 0.0),
            ("20 minutes", 1200.0),
            ("2 minutes and 30 seconds", 150.0),
            ("1 hour, 5 minutes", 3900.0),
            ("3d 4h", 273_600.0),
            ("30 秒后重试", 30.0),
            ("5 分钟", 300.0),
            ("2 weeks", 1_209_600.0),
            ("7SEC", 7.0),
        ] {
            assert_eq!(
                read(text.as_bytes()),
                Length::Known(Duration::try_from_secs_f64(seconds).unwrap()),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_duration_is_none() {
        for text in ["", "messages", "5 messages", "-3s", "999999999999999999999999999s", "a few minutes"] {
            assert_eq!(read(text.as_bytes()), Length::None, "{text}");
        }
        assert_eq!(read(b"17"), Length::Unitless(17.0));
        assert_eq!(read(b"17."), Length::Unitless(17.0));
        assert_eq!(read(b"17, please"), Length::Unitless(17.0));
    }
}
