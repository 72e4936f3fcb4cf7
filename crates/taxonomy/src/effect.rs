//! Whether a failed call may have had a visible effect. The announce policy turns on it: what may have been seen is never
//! blindly done again.
//!
//! The decision: three words, of which *possible* is the honest one. The option not taken is a flag, under which a call
//! that timed out after it was sent must be called one or the other.
//!
//! What must stay true: the order none < possible < done, since the graver of two statements about one call holds.

use serde::{Deserialize, Serialize};

/// May the failed call have had a visible effect?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Provably nothing happened: refused before it was accepted.
    #[default]
    None,
    /// Unknown: it may have been seen.
    Possible,
    /// It was seen; only the answer failed.
    Done,
}

impl Effect {
    /// Every effect, in order.
    pub const ALL: [Self; 3] = [Self::None, Self::Possible, Self::Done];

    /// The word used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Possible => "possible",
            Self::Done => "done",
        }
    }
}
