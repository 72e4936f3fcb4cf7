//! What a process promised and did, one line each, written before the promise is given.
//!
//! The audit reads these files beside transcripts and outbox: a send that was accepted here must end in a reply, a parked
//! reply or a reported failure somewhere. One file a process, so that no two processes share one; a line is one write, so a
//! killed process leaves whole lines behind.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use crate::{clock, session_key::SessionKey};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(crate) enum Event {
    /// A run will take a turn with this message.
    RunAccepted { run_id: String, session_key: SessionKey, message_key: String },
    /// A run ended; each accepted run ends once.
    RunEnded { run_id: String, outcome: String, code: Option<String> },
    /// A send was accepted; its reply or its failure is owed.
    SendAccepted { send_id: String, from: Option<SessionKey>, to: SessionKey },
    /// The reply of a send is in the sender's hands.
    SendReplied { send_id: String },
    /// A send failed, and its sender was told.
    SendFailed { send_id: String, code: String },
    /// A child was accepted; its result is owed to the requester.
    SpawnAccepted { run_id: String, requester: SessionKey, child: SessionKey },
    /// The result of a child is in the outbox.
    AnnouncePrepared { key: String, requester: SessionKey, child_run_id: String },
    /// The result of a child is in the requester's transcript.
    AnnounceDelivered { key: String },
    /// A live stale lock was reported and left in place.
    LockStale { lock_path: String, owner_pid: Option<u32>, reasons: Vec<String> },
    /// The lock of a dead owner was taken over; its run is interrupted.
    LockReclaimed { lock_path: String, owner_pid: Option<u32>, run_id: Option<String>, reasons: Vec<String> },
    /// The lock is held for maintenance, under this token.
    LockHeld { lock_path: String, run_id: String },
}

/// A line of the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Milliseconds since the Unix epoch.
    pub(crate) at: u64,
    /// The process.
    pub(crate) pid: u32,
    #[serde(flatten)]
    pub(crate) event: Event,
}

/// This process's event file. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    file: Arc<Mutex<File>>,
}

impl Events {
    #[allow(
        clippy::disallowed_methods,
        reason = "the room of the event files: one writer a file, one write a line"
    )]
    pub(crate) fn open(folder: &Path, role: &str) -> std::io::Result<Self> {
        let name = format!("{role}-{}-{}.jsonl", clock::wall_ms(), std::process::id());
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(folder.join(name))?;
        Ok(Self { file: Arc::new(Mutex::new(file)) })
    }

    /// Writes an event. A promise is given only after this succeeded.
    pub(crate) fn write(&self, event: Event) -> std::io::Result<()> {
        let line = Line { at: clock::wall_ms(), pid: std::process::id(), event };
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&bytes)
    }

    /// Writes what already happened; that it could not be recorded is logged, and does not undo it.
    pub(crate) fn note(&self, event: Event) {
        if let Err(error) = self.write(event) {
            tracing::error!(%error, "an event could not be recorded");
        }
    }
}

/// Every line of every file, in the order of time. A last line without its newline is a write that never finished.
pub(crate) fn read_all(folder: &Path) -> anyhow::Result<Vec<Line>> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let text = std::fs::read_to_string(entry?.path())?;
        for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
            lines.push(serde_json::from_str::<Line>(line)?);
        }
    }
    lines.sort_by_key(|line| line.at);
    Ok(lines)
}
