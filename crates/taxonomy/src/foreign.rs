//! Reading our codes out of errors that other programs made.
//!
//! One walk over a JSON value and every carrier that runtimes use (`cause`, `source`, `error`, `reason`, `errors[]`,
//! `inner`, `originalError`, `suppressed`, `data`, text after a prefix), depth- and cycle-safe and bounded. Structure
//! first (a wire code, a legacy code, an error name, an errno), text last and anchored.

use std::time::Duration;

use serde_json::Value;

use crate::{Code, Effect};

/// What a foreign error turned out to be.
#[derive(Debug)]
pub enum Reading<'a> {
    /// A coordination, cancelled, local (or wire-form) error of the taxonomy; no provider answer outside it.
    Ours(Found),
    /// A provider was called: `layer` is the outermost layer with evidence (status, provider name, transport
    /// error). Coordination errors met beneath it are recorded `beside`; they do not decide.
    Provider {
        /// The layer to classify.
        layer: &'a Value,
        /// What else was met in the chain.
        beside: Vec<Found>,
    },
    /// Nothing recognised and no provider evidence: `local.unclassified`.
    Unknown,
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
    /// The rule that recognised it; stable, for audits.
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
