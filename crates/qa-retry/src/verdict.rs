//! Whether an error may be retried: the QA column of the policy table, and nothing beside it.
//!
//! What must stay true: the decision takes code and effect. The message may say "session file locked" or nothing at all;
//! a code that this version does not know is never retried, since unknown never acts.

use moorline_taxonomy::{QaVerdict, Wire, policy};

/// What a QA run does about an error of the gateway.
///
/// ```
/// use moorline_qa_retry::verdict;
/// use moorline_taxonomy::{Coordination, Provider, QaVerdict, Wire};
/// assert_eq!(verdict(&Wire::new(Coordination::LockTimeout, "")), QaVerdict::Retry);
/// assert_eq!(verdict(&Wire::new(Provider::RateLimit, "session file locked")), QaVerdict::Fail);
/// ```
#[must_use]
pub fn verdict(wire: &Wire) -> QaVerdict {
    wire.code.known().map_or(QaVerdict::Fail, |code| policy(code, wire.effect).qa)
}
