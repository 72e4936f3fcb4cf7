//! Why a transcript was not written, typed: busy, replaced, changed, refused, or not ours to write.

use std::path::PathBuf;

use moorline_taxonomy::Mark;

use crate::{error::LockError, journal::APPEND_DEADLINE};

/// Why an append did not happen.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The lock is not ours any more; nothing was written.
    #[error("the session lock does not allow writing")]
    Lock(#[from] LockError),
    /// Another writer keeps the transcript's own lock. `coordination.storage_busy`.
    #[error("{} is busy: its file lock was not free within {} ms", path.display(), APPEND_DEADLINE.as_millis())]
    Busy {
        /// The transcript.
        path: PathBuf,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
    /// Another file is at the path, or this one has other names now: a compaction replaced it. Reopen and check the fence.
    /// `coordination.session_takeover`.
    #[error("{} was replaced since it was opened; nothing was written", path.display())]
    Replaced {
        /// The transcript.
        path: PathBuf,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
    /// Somebody else appended or cut. `coordination.session_takeover`.
    #[error("{} has {found} bytes where {expected} were expected; nothing was written", path.display())]
    Changed {
        /// The transcript.
        path: PathBuf,
        /// The length this journal knew.
        expected: u64,
        /// The length found.
        found: u64,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
    /// What was to be written is not whole lines. `local.bug`.
    #[error("an append to {} must be whole lines, each ending in a newline", path.display())]
    NotLines {
        /// The transcript.
        path: PathBuf,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
    /// An earlier write may not have reached the disk; reopen before writing on.
    #[error("{} could not be written to disk earlier; reopen it and verify", path.display())]
    Poisoned {
        /// The transcript.
        path: PathBuf,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
    /// The file system refused. A `local.*` code.
    #[error("cannot {operation} {}{}", path.display(), help.map(|help| format!(": {help}")).unwrap_or_default())]
    Io {
        /// The transcript.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// What to do about it.
        help: Option<&'static str>,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
}
