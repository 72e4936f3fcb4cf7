//! The outcome when a retry gives up.

use std::{error::Error, fmt, time::Duration};

/// Why no further attempt was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The error was judged not worth another attempt.
    Judged,
    /// The schedule has no further delay.
    Schedule,
    /// The shared budget has no retry left.
    Budget,
    /// The next attempt would come after the deadline.
    Deadline,
    /// The failed side asked for a longer pause than the caller waits for.
    StatedTooLong {
        /// What it asked for.
        stated: Duration,
        /// What the caller waits for at most.
        longest: Duration,
    },
    /// The caller cancelled the wait.
    Cancelled,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Judged => f.write_str("the error is not worth another attempt"),
            Self::Schedule => f.write_str("the schedule has no further delay"),
            Self::Budget => f.write_str("the shared retry budget is spent"),
            Self::Deadline => f.write_str("the next attempt would come after the deadline"),
            Self::StatedTooLong { stated, longest } => {
                write!(f, "it asked to wait {stated:?}, and the caller waits {longest:?} at most")
            }
            Self::Cancelled => f.write_str("the wait was cancelled"),
        }
    }
}

/// The last error, and how it came that there is no further attempt.
///
/// Its source is the last error itself, so the mark of that error is found through it.
#[derive(Debug)]
pub struct GaveUp<E> {
    error: E,
    attempts: u32,
    waited: Duration,
    why: Why,
}

impl<E> GaveUp<E> {
    pub(crate) fn new(error: E, attempts: u32, waited: Duration, why: Why) -> Self {
        Self { error, attempts, waited, why }
    }

    /// The error of the last attempt.
    #[must_use]
    pub fn error(&self) -> &E {
        &self.error
    }

    /// Gives the error of the last attempt back.
    #[must_use]
    pub fn into_error(self) -> E {
        self.error
    }

    /// Attempts made, the first included; at least 1.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Time spent waiting between attempts, the attempts themselves not included.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// Why there is no further attempt.
    #[must_use]
    pub fn why(&self) -> Why {
        self.why
    }
}

impl<E> fmt::Display for GaveUp<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.attempts == 1 { "" } else { "s" };
        write!(
            f,
            "gave up after {} attempt{plural} and {:?} of waiting: {}",
            self.attempts, self.waited, self.why
        )
    }
}

impl<E: Error + 'static> Error for GaveUp<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}
