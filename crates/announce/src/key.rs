//! The key of an announce: its logical completion.
//!
//! Requester, child run and kind, and not the run id of the day: a run that is resumed, retried or renamed must not
//! announce twice. The receiver gets the same words as its idempotency key, so they are written one way only.

use std::fmt;

use moorline_taxonomy::{Local, Mark};
use serde::{Deserialize, Serialize};

/// Bytes of one part.
const LONGEST_PART: usize = 512;
/// The kind of an announce that a child has finished.
const COMPLETION: &str = "completion";
/// What a kind ends with when the announce says that another one was given up.
const GIVE_UP: &str = ".give_up";

/// The logical completion that an announce is about.
///
/// ```
/// use moorline_announce::Key;
/// let key = Key::completion("agent:main:main", "run/7")?;
/// assert_eq!(key.to_string(), "agent:main:main/run%2F7/completion");
/// # Ok::<(), moorline_announce::KeyError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    requester: String,
    child_run: String,
    kind: String,
}

impl Key {
    /// A key of any kind.
    ///
    /// # Errors
    /// A part that is empty, over 512 bytes, or holds control characters; a kind that is reserved.
    pub fn new(
        requester: impl Into<String>,
        child_run: impl Into<String>,
        kind: impl Into<String>,
    ) -> Result<Self, KeyError> {
        let kind = kind.into();
        if kind.ends_with(GIVE_UP) {
            return Err(KeyError::new("kind", "is reserved for notices"));
        }
        Ok(Self {
            requester: part("requester", requester.into())?,
            child_run: part("child run", child_run.into())?,
            kind: part("kind", kind)?,
        })
    }

    /// The key of "this child has finished".
    ///
    /// # Errors
    /// As [`Key::new`].
    pub fn completion(requester: impl Into<String>, child_run: impl Into<String>) -> Result<Self, KeyError> {
        Self::new(requester, child_run, COMPLETION)
    }

    /// Whether it is the key of "this child has finished".
    #[must_use]
    pub fn is_completion(&self) -> bool {
        self.kind == COMPLETION
    }

    /// The session that is told.
    #[must_use]
    pub fn requester(&self) -> &str {
        &self.requester
    }

    /// The run that it is told about.
    #[must_use]
    pub fn child_run(&self) -> &str {
        &self.child_run
    }

    /// What is told.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The key of the notice that this announce was given up.
    #[must_use]
    pub(crate) fn give_up(&self) -> Self {
        Self { kind: format!("{}{GIVE_UP}", self.kind), ..self.clone() }
    }

    /// Whether it is the key of such a notice. There is no notice about a notice.
    #[must_use]
    pub fn is_give_up(&self) -> bool {
        self.kind.ends_with(GIVE_UP)
    }

    /// A key as a store kept it: written by [`Key::new`] or as a notice, so it is taken as it is.
    #[cfg(feature = "sqlite")]
    pub(crate) fn stored(requester: String, child_run: String, kind: String) -> Self {
        Self { requester, child_run, kind }
    }
}

/// The idempotency key as the receiver gets it.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let escaped = |part: &str| part.replace('%', "%25").replace('/', "%2F");
        write!(f, "{}/{}/{}", escaped(&self.requester), escaped(&self.child_run), escaped(&self.kind))
    }
}

/// A part that makes no key.
#[derive(Debug, thiserror::Error)]
#[error("the {part} of an announce key {reason}")]
pub struct KeyError {
    part: &'static str,
    reason: &'static str,
    source: Mark,
}

impl KeyError {
    fn new(part: &'static str, reason: &'static str) -> Self {
        Self { part, reason, source: Mark::new(Local::Bug) }
    }
}

fn part(name: &'static str, part: String) -> Result<String, KeyError> {
    if part.is_empty() {
        return Err(KeyError::new(name, "is empty"));
    }
    if part.len() > LONGEST_PART {
        return Err(KeyError::new(name, "is longer than 512 bytes"));
    }
    if part.chars().any(char::is_control) {
        return Err(KeyError::new(name, "holds a control character"));
    }
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_parts_never_write_the_same_key() {
        let key = |requester, run| Key::completion(requester, run).unwrap().to_string();
        assert_ne!(key("a/b", "c"), key("a", "b/c"));
        assert_ne!(key("a%2F", "c"), key("a/", "c"));
    }

    #[test]
    fn bad_parts_are_refused_by_name() {
        let long = "x".repeat(513);
        for (requester, run, kind, says) in [
            ("", "r", "k", "requester"),
            ("s", "", "k", "child run"),
            ("s", "r", "", "kind"),
            ("s", "a\nb", "k", "control"),
            (long.as_str(), "r", "k", "512"),
            ("s", "r", "completion.give_up", "reserved"),
        ] {
            let error = Key::new(requester, run, kind).unwrap_err();
            assert!(error.to_string().contains(says), "{error}");
        }
        let notice = Key::completion("s", "r").unwrap().give_up();
        assert!(notice.is_give_up() && notice.requester() == "s");
    }
}
