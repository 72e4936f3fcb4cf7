//! What a run is asked to do.

use std::{path::PathBuf, time::Instant};

use serde_json::Value;

use super::{
    inbox::Inbox,
    model::{Candidate, ToolSpec},
};

/// The message that begins the turn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Incoming {
    /// What was said.
    pub text: String,
    /// The same message is never written twice: a turn with a key that is in the transcript goes on from there, and one that
    /// was answered gives that answer. Empty: the run's id stands for it.
    pub idempotency_key: String,
    /// Where it came from, as the transcript shall keep it; `Null` for a user.
    pub provenance: Value,
}

/// One turn of a session.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    /// The transcript.
    pub transcript: PathBuf,
    /// The session's key.
    pub session_key: String,
    /// The run's id, unique for each run.
    pub run_id: String,
    /// The message.
    pub message: Incoming,
    /// The system prompt.
    pub system: String,
    /// The tools.
    pub tools: Vec<ToolSpec>,
    /// The models that may be tried, in order.
    pub candidates: Vec<Candidate>,
    /// When the run must be done.
    pub deadline: Option<Instant>,
    /// The host runs the turn again when the outcome is [`crate::RunOutcome::Requeue`]. False for a turn that was requeued
    /// already: then a takeover parks the reply.
    pub may_requeue: bool,
    /// Where messages come in while the run is under way. The run closes it at its end.
    pub inbox: Option<Inbox>,
}

impl Turn {
    /// What names the turn in the transcript.
    pub(super) fn key(&self) -> &str {
        if self.message.idempotency_key.is_empty() { &self.run_id } else { &self.message.idempotency_key }
    }
}
