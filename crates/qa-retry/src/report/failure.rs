//! Why a step failed.
//!
//! The decision: the failures of the harness itself (a check, a wait, an answer that cannot be read) have kinds of their
//! own and no code, since the taxonomy is about errors of the system under test. The option not taken is one code for
//! "assertion failed", which every consumer of codes would then have to think about.

use std::fmt;

use moorline_retry::Why;
use moorline_taxonomy::Wire;
use serde::{Deserialize, Serialize};

/// Why a step failed, or was cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Failure {
    /// The gateway, or a run, ended with an error.
    Error {
        /// The error.
        error: Box<Wire>,
        /// For local contention: why it was not tried again.
        gave_up: Option<GaveUp>,
    },
    /// Something is not as expected.
    Assertion {
        /// All that is not.
        mismatches: Vec<Mismatch>,
    },
    /// The gateway answered in a form that is not in the contract.
    Answer {
        /// The method.
        method: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The gateway did not answer in time.
    NoAnswer {
        /// The method.
        method: String,
        /// How long it was waited for.
        after_ms: u64,
    },
    /// What was waited for did not happen.
    WaitedInVain {
        /// What for.
        what: String,
        /// How long.
        after_ms: u64,
        /// What was seen last.
        seen: String,
    },
    /// The scenario's time was over.
    Deadline {
        /// How long it may take.
        deadline_ms: u64,
    },
    /// The scenario injects contention, and the host brought no way to do that.
    NoContention,
    /// The run was cancelled.
    Cancelled,
}

/// One thing that is not as expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mismatch {
    /// The field of the expectation, as in `expect.reply`.
    pub field: String,
    /// What it says.
    pub expected: String,
    /// What was found.
    pub actual: String,
}

/// Why local contention was not tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GaveUp {
    /// Every retry of the step was made.
    Attempts,
    /// The run's retries are spent.
    Budget,
    /// The next attempt would come after the scenario's deadline.
    Deadline,
    /// The gateway asked for a longer pause than a QA run makes.
    PauseTooLong,
    /// The run was cancelled.
    Cancelled,
}

impl GaveUp {
    /// `None` is an error that may not be retried at all.
    pub(crate) fn of(why: Why) -> Option<Self> {
        match why {
            Why::Judged => None,
            Why::Schedule => Some(Self::Attempts),
            Why::Budget => Some(Self::Budget),
            Why::Deadline => Some(Self::Deadline),
            Why::StatedTooLong { .. } => Some(Self::PauseTooLong),
            Why::Cancelled => Some(Self::Cancelled),
        }
    }

    /// The reason in words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Attempts => "every retry of the step was made",
            Self::Budget => "the run's retries are spent",
            Self::Deadline => "the next attempt would come after the scenario's deadline",
            Self::PauseTooLong => "the gateway asked for a longer pause than a QA run makes",
            Self::Cancelled => "the run was cancelled",
        }
    }
}

impl Failure {
    /// What kind of failure it is: the word of its JSON form.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Error { .. } => "error",
            Self::Assertion { .. } => "assertion",
            Self::Answer { .. } => "answer",
            Self::NoAnswer { .. } => "no_answer",
            Self::WaitedInVain { .. } => "waited_in_vain",
            Self::Deadline { .. } => "deadline",
            Self::NoContention => "no_contention",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error { error, gave_up } => {
                write!(f, "{} (effect {}): {}", error.code, error.effect.as_str(), error.message)?;
                match gave_up {
                    Some(why) => write!(f, "; not tried again: {}", why.as_str()),
                    None => Ok(()),
                }
            }
            Self::Assertion { mismatches } => {
                for (index, Mismatch { field, expected, actual }) in mismatches.iter().enumerate() {
                    let joint = if index == 0 { "" } else { "; " };
                    write!(f, "{joint}{field}: expected {expected}, found {actual}")?;
                }
                Ok(())
            }
            Self::Answer { method, problem } => {
                write!(f, "the answer to {method} is not as agreed: {problem}")
            }
            Self::NoAnswer { method, after_ms } => write!(f, "no answer to {method} after {after_ms} ms"),
            Self::WaitedInVain { what, after_ms, seen } => {
                write!(f, "waited {after_ms} ms for {what}; last seen: {seen}")
            }
            Self::Deadline { deadline_ms } => {
                write!(f, "the scenario took longer than its deadline of {deadline_ms} ms")
            }
            Self::NoContention => f.write_str("this host cannot inject contention"),
            Self::Cancelled => f.write_str("the run was cancelled"),
        }
    }
}
