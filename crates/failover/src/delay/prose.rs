//! Delays stated in a sentence, found where one of a few phrases ends.
//!
//! The matcher calls in here with the text after the phrase; what stands there is a duration, a date, or nothing.

use super::{
    after, date,
    duration::{self, Length},
    seconds,
};
use crate::{vendor::Vendor, verdict::Stated};

/// Phrases that a delay follows. English ones are whole words; the matcher folds case and punctuation.
pub(crate) const LEADS: &[&str] = &[
    "try again in",
    "try again after",
    "try again at",
    "retry in",
    "retry after",
    "retrying in",
    "available in",
    "available again in",
    "available again at",
    "please wait",
    "wait for",
    "wait at least",
    "wait until",
    "reset in",
    "resets in",
    "reset after",
    "resets after",
    "reset at",
    "resets at",
    "resets on",
    "reset on",
    "refreshed in",
    "refreshed at",
    "regain access on",
    "regain access at",
    "limit will reset at",
    "until",
    "请在",
    "请于",
    "将在",
    "将于",
    "等待",
];

/// What follows a lead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Prose {
    Delay(Stated),
    /// Something that looks like a time and cannot be understood.
    Unparsable,
    Nothing,
}

/// Reads the delay at the beginning of `text`.
pub(crate) fn read(text: &[u8], vendor: Vendor) -> Prose {
    let mut text = text.trim_ascii_start();
    for filler in ["about ", "approximately ", "at least ", "another ", "for ", "the next ", "~", ":", "`"] {
        if let Some(rest) =
            text.get(..filler.len()).filter(|head| head.eq_ignore_ascii_case(filler.as_bytes()))
        {
            text = text.get(rest.len()..).unwrap_or_default().trim_ascii_start();
        }
    }
    if !text.first().is_some_and(u8::is_ascii_digit) {
        return Prose::Nothing;
    }
    if let Some(time) = date::iso(text, vendor) {
        return Prose::Delay(Stated::At(time));
    }
    match duration::read(text) {
        Length::Known(delay) => Prose::Delay(after(delay)),
        Length::Unitless(number) => match date::epoch(number) {
            Some(time) => Prose::Delay(Stated::At(time)),
            None => seconds(number).map_or(Prose::Unparsable, Prose::Delay),
        },
        Length::None => Prose::Unparsable,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn fillers_are_skipped() {
        assert_eq!(
            read(b" about 20 seconds", Vendor::Generic),
            Prose::Delay(Stated::After(Duration::from_secs(20)))
        );
        assert_eq!(
            read(b" ~2 weeks", Vendor::Generic),
            Prose::Delay(Stated::After(Duration::from_secs(1_209_600)))
        );
    }

    #[test]
    fn what_is_no_time_is_nothing_or_counted() {
        assert_eq!(read(b" a moment", Vendor::Generic), Prose::Nothing);
        // A clock time has no date, so nobody knows how long that is.
        assert_eq!(read(b" 5:30 PM", Vendor::Generic), Prose::Unparsable);
        assert_eq!(read(b" 3am (Europe/Berlin)", Vendor::Generic), Prose::Unparsable);
        assert_eq!(read(b" 3 messages", Vendor::Generic), Prose::Unparsable);
    }
}
