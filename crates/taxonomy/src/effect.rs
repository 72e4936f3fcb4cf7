//! Whether a failed call may have had a visible effect. The announce and runner policies turn on it: what may
//! have been seen is never blindly done again.

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
