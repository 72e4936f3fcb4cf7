//! How a run ended: exactly one of these.

use std::path::PathBuf;

use moorline_taxonomy::{Cancelled, Wire};

use super::model::{Candidate, Usage};
use crate::transcript::Entry;

/// A reply that is in the transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The text.
    pub text: String,
    /// Its entry; `None` in a transcript whose entries have no ids.
    pub entry_id: Option<String>,
    /// Who answered; `None` when the reply was in the transcript already.
    pub candidate: Option<Candidate>,
    /// Tokens of the whole run.
    pub usage: Usage,
    /// The turn had been answered before; nothing was called.
    pub replayed: bool,
}

impl Reply {
    /// The answer that an earlier run of the turn wrote.
    pub(super) fn replayed(entry: &Entry) -> Self {
        Self {
            text: entry.text(),
            entry_id: entry.id().map(str::to_owned),
            candidate: None,
            usage: Usage::default(),
            replayed: true,
        }
    }
}

/// Another writer has the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superseded {
    /// Where the reply was parked; `None` when there was none yet, or when parking failed.
    pub parked: Option<PathBuf>,
    /// The parked record.
    pub parked_id: Option<String>,
    /// The reply, if there was one: it is in nobody's transcript.
    pub reply: Option<String>,
    /// What showed the takeover.
    pub wire: Wire,
}

/// The run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The primary error; a takeover that was met while cleaning up is among its causes.
    pub wire: Wire,
    /// The user's message is in the transcript.
    pub message_kept: bool,
    /// Where a reply was parked that could not be written.
    pub parked: Option<PathBuf>,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunOutcome {
    /// The reply is in the transcript.
    Replied(Reply),
    /// Another writer has the session; what was paid for is parked.
    Superseded(Superseded),
    /// Another writer has the session, and no tool had an effect: run the turn again, once.
    Requeue(Wire),
    /// It failed.
    Failed(Failure),
    /// Somebody who may do so ended it.
    Cancelled(Cancelled),
}
