//! When to try again, in every form that somebody states it.
//!
//! Strongest first: a header made for it, a field of the body, the reset of a bucket that is known to be empty, prose.
//! Everything ends as a [`Stated`] value; no clock is read, so a date stays a date until somebody who has the time
//! asks. What cannot be understood is ignored and counted, never guessed.
//!
//! The option not taken is parsing one form per vendor: forms travel with gateways and client libraries, vendors do not.
//!
//! What must stay true: a delay changes *when*, never *whether*.

pub(crate) mod body;
pub(crate) mod date;
pub(crate) mod duration;
pub(crate) mod headers;
pub(crate) mod prose;

use std::time::Duration;

use crate::verdict::Stated;

/// Longer delays are shortened to this: nobody has a limit that is longer, so it is a unit mistaken.
pub(crate) const LONGEST: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// Delays found, and how many were in a form nobody understands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) stated: Option<Stated>,
    pub(crate) unparsable: u8,
}

impl Found {
    fn or_unparsable(&mut self, value: Option<Stated>) {
        match value {
            Some(stated) => self.stated = self.stated.or(Some(stated)),
            None => self.unparsable = self.unparsable.saturating_add(1),
        }
    }
}

/// Seconds, of any size and with a fraction.
pub(crate) fn seconds(value: f64) -> Option<Stated> {
    // `try_from_secs_f64` refuses what is negative, infinite or no number.
    Duration::try_from_secs_f64(value).ok().map(after)
}

/// A delay, clamped.
pub(crate) fn after(delay: Duration) -> Stated {
    Stated::After(delay.min(LONGEST))
}

/// The later of two, where that can be said without a clock; a delay and a date cannot be compared, the first stays.
pub(crate) fn later(one: Stated, other: Stated) -> Stated {
    match (one, other) {
        (Stated::After(a), Stated::After(b)) => Stated::After(a.max(b)),
        (Stated::At(a), Stated::At(b)) => Stated::At(a.max(b)),
        (Stated::After(_), Stated::At(_)) | (Stated::At(_), Stated::After(_)) => one,
    }
}

/// The sooner of two; see [`later`].
fn sooner(one: Stated, other: Stated) -> Stated {
    if later(one, other) == one { other } else { one }
}
