//! What a process promised and did, one line each, written before the promise is given, and told to whoever listens.
//!
//! The audit reads these files beside transcripts and outbox: a send that was accepted here must end in a reply, a parked
//! reply or a reported failure somewhere. One writer a file, so that no two processes share one; a line is one write, so a
//! killed process leaves whole lines behind. `files.rs` has what is on disk, `feed.rs` what is told live.

mod feed;
mod files;

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

use crate::{clock, metrics, session_key::SessionKey};

pub(crate) use feed::{Kind, Notice, Told};
pub(crate) use files::{EventFile, files};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(crate) enum Event {
    /// A run will take a turn with this message. A run that is `recovered` belongs to a gateway, which goes on with its
    /// promises at its next start; the others belong to a process whose caller sees it die.
    RunAccepted { run_id: String, session_key: SessionKey, message_key: String, recovered: bool },
    /// A run was taken over before any of its tools had an effect, and begins again behind the other writer; a run does
    /// that once.
    RunRequeued { run_id: String, code: String },
    /// A run ended; each accepted run ends once.
    RunEnded { run_id: String, outcome: String, code: Option<String> },
    /// A send was accepted; its reply or its failure is owed.
    SendAccepted {
        send_id: String,
        from: Option<SessionKey>,
        to: SessionKey,
        message: String,
        max_ping_pong: u32,
        /// The caller gave no idempotency key; `send_id` was made up, and nobody asks with it again.
        #[serde(default)]
        generated: bool,
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
        /// The child began with its requester's history.
        #[serde(default)]
        fork: bool,
        idempotency_key: Option<String>,
    },
    /// The result of a child is in the outbox.
    AnnouncePrepared { key: String, requester: SessionKey, child_run_id: String },
    /// The result of a child is in the requester's transcript.
    AnnounceDelivered { key: String },
    /// The result of a child will not come: there was nothing to say, or it was refused, dismissed or given up, and whoever
    /// waits for it was told.
    AnnounceSettled { key: String },
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

/// This process's event files, and its feed. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    writer: Arc<Mutex<files::Writer>>,
    feed: feed::Feed,
}

impl Events {
    pub(crate) fn open(folder: &Path, role: &str) -> std::io::Result<Self> {
        let writer = files::Writer::open(folder, role)?;
        Ok(Self { writer: Arc::new(Mutex::new(writer)), feed: feed::Feed::new() })
    }

    /// Writes an event. A promise is given only after this succeeded.
    pub(crate) fn write(&self, event: Event) -> std::io::Result<()> {
        let (line, bytes) = line_of(event)?;
        let mut writer = self.writer();
        writer.append(&bytes)?;
        self.publish(&line);
        Ok(())
    }

    /// Writes what already happened. That it could not be recorded does not undo it: it is logged, and recorded before
    /// the next event.
    pub(crate) fn note(&self, event: Event) {
        let (line, bytes) = match line_of(event) {
            Ok(line) => line,
            Err(error) => return tracing::error!(%error, "an event cannot be written as JSON"),
        };
        let mut writer = self.writer();
        if let Err(error) = writer.owe(bytes) {
            tracing::error!(%error, "an event could not be recorded yet");
        }
        self.publish(&line);
    }

    /// Tells a line, under the lock of the writer: listeners hear in the order of the file.
    fn publish(&self, line: &Line) {
        self.feed.publish(line);
        metrics::event(&line.event);
    }

    /// Records what could not be recorded until now.
    pub(crate) fn settle(&self) {
        if let Err(error) = self.writer().settle() {
            tracing::error!(%error, "events could not be recorded; what they settled is looked up at the next start");
        }
    }

    /// Tells what is not written; `told` is only asked when somebody listens.
    pub(crate) fn tell(&self, told: impl FnOnce() -> Told) {
        if self.feed.is_heard() {
            self.feed.tell(&told());
        }
    }

    /// Tells what a model says, to those who asked for it. It is written nowhere.
    pub(crate) fn say(&self, session_key: &SessionKey, run_id: &str, text: &str) {
        self.feed.say(session_key, run_id, text);
    }

    /// What is written and told from now on, but for what models say.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.feed.subscribe()
    }

    /// What models say from now on.
    pub(crate) fn subscribe_deltas(&self) -> broadcast::Receiver<Notice> {
        self.feed.subscribe_deltas()
    }

    /// Removes files that are old and owe nothing; `owes` says so of each file, by its place. Returns how many are gone.
    pub(crate) fn retire(&self, files: &[EventFile], owes: impl Fn(usize) -> bool) -> std::io::Result<usize> {
        let now = self.writer().modified()?;
        files::retire(files, now, owes)
    }

    fn writer(&self) -> MutexGuard<'_, files::Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn line_of(event: Event) -> std::io::Result<(Line, Vec<u8>)> {
    let line = Line { at: clock::wall_ms(), pid: std::process::id(), event };
    let mut bytes = serde_json::to_vec(&line)?;
    bytes.push(b'\n');
    Ok((line, bytes))
}

/// What event files hold.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// Every line, in the order of time.
    pub(crate) lines: Vec<Line>,
    /// Whole lines that could not be read.
    pub(crate) broken: usize,
    /// Runs accepted in files whose writer still lives: they may yet end.
    pub(crate) alive: BTreeSet<String>,
}

/// Reads every file.
pub(crate) fn read_all(folder: &Path) -> std::io::Result<Recorded> {
    let mut recorded = Recorded::default();
    for file in files(folder)? {
        let one = file.read()?;
        // A writer locks its file before it writes the first line.
        if !one.lines.is_empty() && file.is_in_use()? {
            for line in &one.lines {
                if let Event::RunAccepted { run_id, .. } = &line.event {
                    recorded.alive.insert(run_id.clone());
                }
            }
        }
        recorded.lines.extend(one.lines);
        recorded.broken += one.broken;
    }
    recorded.lines.sort_by_key(|line| line.at);
    Ok(recorded)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The process id in the lines is this one's, which lives: it is not what is asked.
    #[test]
    fn a_run_may_yet_end_as_long_as_its_writer_holds_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let events = Events::open(folder.path(), "agent").unwrap();
        let event = Event::RunAccepted {
            run_id: "r".into(),
            session_key: "agent:main:x".parse().unwrap(),
            message_key: "r".into(),
            recovered: false,
        };
        events.write(event).unwrap();
        assert!(read_all(folder.path()).unwrap().alive.contains("r"));
        drop(events);
        let recorded = read_all(folder.path()).unwrap();
        assert_eq!((recorded.alive.len(), recorded.lines.len()), (0, 1));
    }
}
