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
    /// A run will take a turn with this message. A run that is `recovered` belongs to a gateway, which goes on with its
    /// promises at its next start; the others belong to a process whose caller sees it die.
    RunAccepted { run_id: String, session_key: SessionKey, message_key: String, recovered: bool },
    /// A run ended; each accepted run ends once.
    RunEnded { run_id: String, outcome: String, code: Option<String> },
    /// A send was accepted; its reply or its failure is owed.
    SendAccepted {
        send_id: String,
        from: Option<SessionKey>,
        to: SessionKey,
        message: String,
        max_ping_pong: u32,
    },
    /// The reply of a send is in the sender's hands.
    SendReplied { send_id: String },
    /// A send failed, and its sender was told.
    SendFailed { send_id: String, code: String },
    /// A child was accepted; its result is owed to the requester.
    SpawnAccepted {
        run_id: String,
        requester: SessionKey,
        child: SessionKey,
        task: String,
        idempotency_key: Option<String>,
    },
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

/// What the event files hold.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// Every line, in the order of time.
    pub(crate) lines: Vec<Line>,
    /// Whole lines that could not be read.
    pub(crate) broken: usize,
}

/// Reads every file. A last line without its newline is a write that never finished, and so no promise.
pub(crate) fn read_all(folder: &Path) -> std::io::Result<Recorded> {
    let mut recorded = Recorded::default();
    for entry in std::fs::read_dir(folder)? {
        let bytes = std::fs::read(entry?.path())?;
        let whole = bytes.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
        for line in whole {
            match serde_json::from_slice(line) {
                Ok(line) => recorded.lines.push(line),
                Err(_) => recorded.broken += 1,
            }
        }
    }
    recorded.lines.sort_by_key(|line| line.at);
    Ok(recorded)
}
