//! What the walk saw, before anything is weighed.
//!
//! The decision: the walk notes and judges nothing, so that which of two errors decides is one pure function over this
//! record (`weigh.rs`). The option not taken is stopping the walk at the first error that decides: what stands beside it
//! would then be lost to audits.

use std::time::Duration;

use serde_json::Value;

use super::{Evidence, word::Meaning};
use crate::Effect;

/// One recognised error, with where it stands.
#[derive(Debug)]
pub(super) struct Sighting {
    pub(super) meaning: Meaning,
    pub(super) evidence: Evidence,
    pub(super) retry_after: Option<Duration>,
    /// Layers above it.
    pub(super) depth: u32,
    /// It stands beneath a provider's answer, or beneath an error of ours that has classified itself.
    pub(super) shielded: bool,
    /// An abort that turned out to be a timeout: nobody's wish, so it says nothing.
    pub(super) void: bool,
    /// A takeover met in the cleanup of a prompt whose own error it keeps; that error is the primary one.
    pub(super) after_prompt: bool,
    /// The abort above it, by its place in the list.
    pub(super) abort: Option<usize>,
}

/// Everything that the walk saw.
#[derive(Debug, Default)]
pub(super) struct Sightings<'a> {
    /// Outermost first.
    pub(super) seen: Vec<Sighting>,
    /// The outermost layer that shows that a provider was called.
    pub(super) layer: Option<&'a Value>,
    /// Layers and texts that show that a provider was called, and those that show that it answered.
    pub(super) calls: u32,
    pub(super) answers: u32,
    /// The error of a prompt shows it, kept by the error of the cleanup after it.
    pub(super) prompt_answered: bool,
    /// Some layer says that the failed call was seen.
    pub(super) effect: Effect,
    /// The walk did not look at everything.
    pub(super) cut: bool,
}
