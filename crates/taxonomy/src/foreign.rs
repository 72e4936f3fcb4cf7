//! Reading our codes out of errors that other programs made.
//!
//! One walk over a JSON value and every carrier that runtimes use (`cause`, `source`, `error`, `reason`, `errors[]`,
//! `inner`, `originalError`, `suppressed`, `data`, `details`, JSON inside text, text after a prefix). Structure decides
//! first (a wire code, a legacy code, an error name, an errno), text last and anchored; [`RULES`] lists every rule.
//!
//! The decision: *what was recognised* and *what a provider answered* are gathered separately, and one function weighs
//! them (`weigh.rs`). The option not taken is returning at the first match: whether a lock error decides depends on whether
//! a provider's answer stands outside it, and which of two siblings decides on what both are.
//!
//! What must stay true: nothing recurses over input, every loop is bounded (`walk.rs` states the numbers), and reading
//! allocates nothing but its queue, what it found and the JSON it takes out of text. Values themselves are the caller's:
//! dropping a `serde_json::Value` nested some 10^5 levels deep recurses and can overflow the stack, which no reader can
//! prevent; `serde_json` itself refuses to parse more than 128 levels.

use std::time::Duration;

use serde_json::Value;

use crate::{Code, Effect, Local};

mod above;
mod bugs;
mod evidence;
mod keys;
mod layer;
mod locals;
mod owned;
mod phrases;
mod prefix;
mod rules;
mod sighting;
mod status;
mod structure;
mod text;
mod typed;
mod walk;
mod weigh;
mod word;

pub use owned::legacy_words;
pub use rules::{RULES, Rule};
pub use typed::read_error;

/// What a foreign error turned out to be.
#[derive(Debug)]
pub enum Reading<'a> {
    /// A coordination, cancelled, local (or wire-form) error of the taxonomy; no provider answer outside it.
    Ours(Found),
    /// A provider was called: `layer` is the outermost layer with evidence (status, provider name, transport
    /// error). Coordination errors met beneath it are recorded `beside`; they do not decide.
    Provider {
        /// The layer to classify. Evidence inside a text is reported as the object (or string) that has the text.
        layer: &'a Value,
        /// What else was met in the chain.
        beside: Vec<Found>,
    },
    /// Nothing recognised and no provider evidence: `local.unclassified`.
    Unknown,
}

impl Reading<'_> {
    /// The code, unless a provider was called: then the failover crate's classifier has the word.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Ours(found) => Some(found.code),
            Self::Provider { .. } => None,
            Self::Unknown => Some(Local::Unclassified.into()),
        }
    }
}

/// One recognised error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The class.
    pub code: Code,
    /// May the failed call have had an effect?
    pub effect: Effect,
    /// The delay stated beside it.
    pub retry_after: Option<Duration>,
    /// What it was recognised by.
    pub evidence: Evidence,
    /// The rule that recognised it; stable, for audits. One of [`RULES`].
    pub rule: &'static str,
}

/// What a class was read from, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Evidence {
    /// A code of ours, on the wire or in a mark.
    Wire,
    /// A structured code of another program.
    Code,
    /// An error's name or type.
    Name,
    /// An operating-system error code.
    Errno,
    /// Anchored text.
    Text,
}

impl Evidence {
    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Code => "code",
            Self::Name => "name",
            Self::Errno => "errno",
            Self::Text => "text",
        }
    }
}

/// A reading with everything that was met on the way.
#[derive(Debug)]
pub struct Inspection<'a> {
    /// What the error is.
    pub reading: Reading<'a>,
    /// Everything recognised, outermost first, the deciding one included.
    pub found: Vec<Found>,
    /// The value was larger than the walk's bounds, and a part of it was not looked at.
    pub cut: bool,
}

/// Reads a foreign error.
///
/// ```
/// use moorline_taxonomy::foreign::{Reading, read};
/// let error = serde_json::json!({
///     "name": "AbortError",
///     "reason": { "code": "file_lock_stale", "message": "file lock stale for /state/7774.jsonl" },
/// });
/// let Reading::Ours(found) = read(&error) else { panic!("a lock error") };
/// assert_eq!(found.code.to_string(), "coordination.lock_stale");
///
/// // A provider's answer outside the lock error decides; the lock error is kept beside it.
/// let error = serde_json::json!({ "status": 429, "provider": "openai", "cause": error });
/// assert!(matches!(read(&error), Reading::Provider { beside, .. } if beside.len() == 2));
/// ```
#[must_use]
pub fn read(value: &Value) -> Reading<'_> {
    inspect(value).reading
}

/// Reads a foreign error with what is left of a budget of values, and takes what it looked at off it. For whoever reads
/// many parts of one error: without a budget, reading each of its causes with all that lies beneath looks at every cause
/// as often as there are causes above it.
///
/// ```
/// use moorline_taxonomy::foreign::{Reading, read_within};
/// let error = serde_json::json!({ "message": "wrapped", "cause": { "code": "file_lock_stale" } });
/// let mut budget = 2;
/// assert!(matches!(read_within(&error, &mut budget), Reading::Ours(_)));
/// assert_eq!(budget, 0);
/// assert!(matches!(read_within(&error, &mut budget), Reading::Unknown));
/// ```
#[must_use]
pub fn read_within<'a>(value: &'a Value, budget: &mut usize) -> Reading<'a> {
    weigh::weigh(walk::walk(value, budget)).reading
}

/// Reads a foreign error and keeps what else was recognised in it: for audits, `causes` and mixed summaries.
#[must_use]
pub fn inspect(value: &Value) -> Inspection<'_> {
    let mut budget = walk::MAX_NODES;
    weigh::weigh(walk::walk(value, &mut budget))
}
