//! Single entries written outside a run: mirrors, announcements, labels, names, and the header of a new session.
//!
//! Every appender holds the session lock. It is taken for one append and let go again; a run of the same session that is
//! waiting for its model meets the entry on its way back, and merges it by what it was written as.

use std::{io, path::Path, time::SystemTime};

use moorline_lock_core::{
    Durability, Journal, JournalError, LockError, Locks, ReleaseError, RunTag, Target, Wait,
};
use moorline_taxonomy::{Local, Mark};

use super::{
    draft::{Added, Draft, NewSession, WriteAs, compose},
    entry::Provenance,
    format::Transcript,
    jsonl::Jsonl,
    mentions::mentions,
};
use crate::attempt::off_thread;

/// An entry was not written.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The session lock was not had, or was lost.
    #[error("the session could not be locked for writing")]
    Lock(#[from] LockError),
    /// The transcript could not be written.
    #[error("the transcript could not be written")]
    Journal(#[from] JournalError),
    /// The transcript could not be read.
    #[error("the transcript {path} could not be read")]
    Read {
        /// The transcript.
        path: String,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
    /// A session is there already.
    #[error("there is a session at {path} already")]
    Exists {
        /// The transcript.
        path: String,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
}

impl SessionError {
    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        Self::Read {
            path: path.display().to_string(),
            mark: Mark::new(Local::Unclassified).caused_by(source),
        }
    }
}

/// Creates a session: its transcript with the header, mode 0600, on disk when this returns.
///
/// `at` is the wall time to write down. Cancel-safe: dropped before the end, the file may be there, empty or whole.
///
/// # Errors
/// [`SessionError::Exists`] when the transcript has contents; the lock or the file system refuses.
pub async fn create_session(
    locks: &Locks,
    path: &Path,
    session: &NewSession,
    at: SystemTime,
) -> Result<(), SessionError> {
    let target = Target::sidecar_of(path)?;
    let tag = RunTag::anonymous().in_session(&session.session_key);
    let held = locks.acquire(&target, &tag).await?;
    let created = async {
        let (mut journal, _) = Journal::open(&held, Durability::Append, |line| Jsonl.is_whole(line)).await?;
        if !journal.is_empty() {
            let mark = Mark::new(Local::Config);
            return Err(SessionError::Exists { path: path.display().to_string(), mark });
        }
        journal.append(&held, &session.header(at)).await?;
        Ok(())
    }
    .await;
    released(held.release().await);
    created
}

/// Appends one entry to a session under its lock: for whoever is not the run itself.
///
/// The entry follows the active leaf. What it is written as decides what a run does that is under way: mirrors, metadata
/// and announcements are merged, a turn is a takeover. A run's own tools use the writer in their context instead
/// ([`crate::ToolContext::writer`]), which joins the lock that the run holds.
///
/// Cancel-safe: dropped before the end, the entry may be there, whole, or not.
///
/// # Errors
/// As [`Locks::acquire_within`] and [`Journal::append`].
pub async fn append_entry(
    locks: &Locks,
    path: &Path,
    tag: &RunTag,
    wait: Wait,
    draft: Draft,
    written_as: WriteAs,
    at: SystemTime,
) -> Result<Added, SessionError> {
    let provenance = Provenance { run: tag.run_id().to_owned(), turn: None, written_as, settled: None };
    append_with(locks, path, tag, wait, (draft, provenance), None, at).await
}

/// Appends one entry with a mark of the caller's choice; with `once` unless an entry with this idempotency key is there,
/// however far back.
pub(crate) async fn append_with(
    locks: &Locks,
    path: &Path,
    tag: &RunTag,
    wait: Wait,
    entry: (Draft, Provenance),
    once: Option<&str>,
    at: SystemTime,
) -> Result<Added, SessionError> {
    let target = Target::sidecar_of(path)?;
    let held = locks.acquire_within(&target, tag, wait).await?;
    let added = async {
        let (mut journal, _) = Journal::open(&held, Durability::Append, |line| Jsonl.is_whole(line)).await?;
        let read = |source| SessionError::read(path, source);
        if let Some(key) = once
            && let Some(entry_id) = with_key(&journal, key).await.map_err(read)?
        {
            return Ok(Added { entry_id, len: journal.len() });
        }
        let tip = Jsonl.tip(journal.file(), journal.len()).map_err(read)?;
        let lines = compose(&tip, &[entry], at);
        let len = journal.append(&held, &lines.bytes).await?;
        let entry_id = if lines.tip.linear { None } else { lines.tip.leaf };
        Ok(Added { entry_id, len })
    }
    .await;
    released(held.release().await);
    added
}

/// The id of the entry with an idempotency key, where there is such an entry.
async fn with_key(journal: &Journal, key: &str) -> io::Result<Option<Option<String>>> {
    let (file, end, key) = (journal.file().try_clone()?, journal.len(), key.to_owned());
    let search = move || {
        let mut there = None;
        mentions(
            &file,
            end,
            &key,
            || true,
            |entry| {
                if entry.idempotency_key() == Some(&key) {
                    there = Some(entry.id().map(str::to_owned));
                }
            },
        )?;
        Ok(there)
    };
    off_thread(end, search).await?
}

/// The entry is written; a lock that is lost now changes nothing about that, and a failed release is tried again by the
/// guard itself.
pub(crate) fn released(release: Result<(), ReleaseError>) {
    if let Err(error) = release {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the session lock was not released as it should"
        );
    }
}
