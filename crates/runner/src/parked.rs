//! Parked replies: what a model said for a run that lost its session to another writer, kept until somebody decides.
//!
//! `<name>.jsonl.parked` is a file of JSON lines beside the transcript, mode 0600, with a lock of its own: parking must not wait
//! for the session that was just lost. The option not taken is to write the reply into the transcript on a side branch: after
//! a takeover a run writes nothing there.
//!
//! What must stay true: a reply is in this file or in the transcript, never in neither; appending one twice writes it once.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    time::SystemTime,
};

use moorline_lock_core::{Durability, Held, Journal, JournalError, LockError, Locks, RunTag, Target, Wait};
use moorline_taxonomy::{Local, Mark, Request};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    clock, ids,
    transcript::{Added, Draft, Forward, Provenance, SessionError, WriteAs, append_with, released},
};

/// A parked reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parked {
    /// Its id, for append and dismiss.
    pub id: String,
    /// When, ISO 8601 in UTC.
    pub parked_at: String,
    /// The run that was superseded.
    pub run_id: String,
    /// Its session.
    pub session_key: String,
    /// The turn.
    pub idempotency_key: String,
    /// `superseded`; `failed` when the transcript could not be written; `cancelled` when the process went down or the caller
    /// went away before it was.
    pub reason: String,
    /// What the model said.
    pub text: String,
    /// The messages that are not in the transcript, as they would have been written.
    #[serde(default)]
    pub messages: Vec<Value>,
}

/// A reply to be parked.
pub(crate) struct Paid {
    pub(crate) run_id: String,
    pub(crate) session_key: String,
    pub(crate) idempotency_key: String,
    pub(crate) reason: String,
    pub(crate) text: String,
    pub(crate) messages: Vec<Value>,
}

/// Something with a parked reply did not work.
#[derive(Debug, thiserror::Error)]
pub enum ParkedError {
    /// There is no parked reply of this id.
    #[error("no parked reply {id} at {}: it was appended or dismissed before, or was never there", path.display())]
    NotFound {
        /// The file.
        path: PathBuf,
        /// The id.
        id: String,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
    /// The parked file could not be locked.
    #[error("the parked replies could not be locked")]
    Lock(#[from] LockError),
    /// The parked file could not be written.
    #[error("the parked replies could not be written")]
    Journal(#[from] JournalError),
    /// The parked file could not be read.
    #[error("the parked replies at {} could not be read", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
    /// The transcript could not be appended to; the reply stays parked.
    #[error("the reply could not be appended to its session")]
    Session(#[from] SessionError),
}

/// The file of a transcript's parked replies; it need not exist.
#[must_use]
pub fn parked_path(transcript: &Path) -> PathBuf {
    let mut name = transcript.as_os_str().to_owned();
    name.push(".parked");
    PathBuf::from(name)
}

/// The parked replies of a transcript, oldest first. Lines that cannot be read are skipped with a warning.
///
/// # Errors
/// The file cannot be read. That it is not there is no error.
pub fn list_parked(transcript: &Path) -> Result<Vec<Parked>, ParkedError> {
    let path = parked_path(transcript);
    let read = |source| read_error(&path, source);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(read(error)),
    };
    let len = file.metadata().map_err(read)?.len();
    let mut parked = Vec::new();
    for line in Forward::new(&file, 0, len) {
        let line = line.map_err(read)?;
        match serde_json::from_slice(&line.bytes) {
            Ok(record) => parked.push(record),
            Err(_) if line.bytes.trim_ascii().is_empty() => {}
            Err(error) => {
                tracing::warn!(path = %path.display(), offset = line.offset, %error, "a parked line is skipped")
            }
        }
    }
    Ok(parked)
}

/// Appends a parked reply to its session, after whatever the other writer wrote, and takes it out of the parked file.
///
/// Cancel-safe, and safe to repeat after a crash: a reply that is in the transcript is not written again.
///
/// # Errors
/// There is no such reply, or a file cannot be locked or written. The reply is parked until it is in the transcript.
pub async fn append_parked(
    locks: &Locks,
    transcript: &Path,
    id: &str,
    wait: Wait,
    at: SystemTime,
) -> Result<Added, ParkedError> {
    let path = parked_path(transcript);
    let parked = find(transcript, id)?;
    // Whoever puts the same reply back at the same time waits, and then finds it there.
    let tag = RunTag::new(&format!("parked-{id}-{}", ids::fresh())).in_session(&parked.session_key);
    let provenance = Provenance {
        run: parked.run_id.clone(),
        turn: Some(parked.idempotency_key.clone()),
        written_as: WriteAs::Turn,
        settled: Some("replied".to_owned()),
    };
    let entry = (message(&parked, id, at), provenance);
    let added = append_with(locks, transcript, &tag, wait, entry, Some(id), at).await?;
    remove(locks, &path, id).await?;
    Ok(added)
}

/// Takes a parked reply out and gives it back; it is in no file afterwards.
///
/// # Errors
/// There is no such reply, or the file cannot be locked or written.
pub async fn dismiss_parked(locks: &Locks, transcript: &Path, id: &str) -> Result<Parked, ParkedError> {
    let parked = find(transcript, id)?;
    remove(locks, &parked_path(transcript), id).await?;
    Ok(parked)
}

/// Parks a reply; it is on disk when this returns.
pub(crate) async fn park(
    locks: &Locks,
    transcript: &Path,
    paid: Paid,
    at: SystemTime,
) -> Result<(PathBuf, String), ParkedError> {
    let path = parked_path(transcript);
    let Paid { run_id, session_key, idempotency_key, reason, text, messages } = paid;
    let id = ids::fresh();
    let parked_at = clock::iso(at);
    let record =
        Parked { id: id.clone(), parked_at, run_id, session_key, idempotency_key, reason, text, messages };
    let held = lock(locks, &path).await?;
    let parked = async {
        let mut journal = open(&held).await?;
        journal.append(&held, &line(&record)).await?;
        Ok(())
    }
    .await;
    released(held.release().await);
    parked.map(|()| (path, id))
}

async fn remove(locks: &Locks, path: &Path, id: &str) -> Result<(), ParkedError> {
    let held = lock(locks, path).await?;
    let removed = async {
        let mut journal = open(&held).await?;
        let mut gone = Vec::new();
        for line in Forward::new(journal.file(), 0, journal.len()) {
            let line = line.map_err(|source| read_error(path, source))?;
            // What cannot be read stays as it is.
            if serde_json::from_slice::<Parked>(&line.bytes).is_ok_and(|parked| parked.id == id) {
                gone.push((line.offset, line.offset + line.bytes.len() as u64 + 1));
            }
        }
        if gone.is_empty() {
            return Ok(());
        }
        let (mut from, end) =
            (journal.file().try_clone().map_err(|source| read_error(path, source))?, journal.len());
        let kept = |to: &mut File| {
            let mut at = 0;
            for (begins, ends) in gone.into_iter().chain([(end, end)]) {
                from.seek(SeekFrom::Start(at))?;
                io::copy(&mut (&mut from).take(begins - at), to)?;
                at = ends;
            }
            Ok(())
        };
        journal.replace(&held, kept).await?;
        Ok(())
    }
    .await;
    released(held.release().await);
    removed
}

fn find(transcript: &Path, id: &str) -> Result<Parked, ParkedError> {
    let found = list_parked(transcript)?.into_iter().find(|parked| parked.id == id);
    found.ok_or_else(|| ParkedError::NotFound {
        path: parked_path(transcript),
        id: id.to_owned(),
        mark: Mark::new(Request::Format),
    })
}

async fn lock(locks: &Locks, path: &Path) -> Result<Held, ParkedError> {
    Ok(locks.acquire(&Target::sidecar_of(path)?, &RunTag::anonymous()).await?)
}

async fn open(held: &Held) -> Result<Journal, JournalError> {
    let whole = |line: &[u8]| serde_json::from_slice::<Parked>(line).is_ok();
    Journal::open(held, Durability::Append, whole).await.map(|(journal, _)| journal)
}

fn line(parked: &Parked) -> Vec<u8> {
    let mut line = serde_json::to_vec(parked).unwrap_or_default();
    line.push(b'\n');
    line
}

/// The reply as a message. What the model said is kept as it would have been written; of a run that was cut off between
/// tools only the text is.
fn message(parked: &Parked, id: &str, at: SystemTime) -> Draft {
    let last = parked
        .messages
        .last()
        .filter(|message| message["role"] == "assistant" && message["stopReason"] != "toolUse");
    let mut message = last.cloned().unwrap_or_else(|| {
        json!({
            "role": "assistant",
            "content": [{"type": "text", "text": parked.text}],
            "api": "moorline",
            "provider": "moorline",
            "model": "parked",
            "usage": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "totalTokens": 0,
                "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "total": 0}},
            "stopReason": "stop",
            "timestamp": clock::millis(at),
        })
    });
    message["idempotencyKey"] = id.into();
    Draft::message(message)
}

fn read_error(path: &Path, source: io::Error) -> ParkedError {
    ParkedError::Read { path: path.to_owned(), mark: Mark::new(Local::Unclassified).caused_by(source) }
}
