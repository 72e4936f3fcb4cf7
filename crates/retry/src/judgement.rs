//! What an error means to whoever retries.

use std::time::Duration;

/// The answer of a judging function about one error.
///
/// The function is pure: it looks at the error and at nothing else, so that its test is a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Another attempt makes sense.
    Retry {
        /// The delay that the failed side stated, if it did. It lengthens the scheduled delay and never shortens it.
        after: Option<Duration>,
    },
    /// Another attempt would be wrong or useless.
    Stop,
}
