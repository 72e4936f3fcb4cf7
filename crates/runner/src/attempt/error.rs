//! Why a run cannot go on writing.

use std::{io, path::PathBuf};

use moorline_lock_core::{JournalError, LockError};
use moorline_taxonomy::{Code, Coordination, Local, Mark, Wire};

/// What showed that another writer has the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakeoverCause {
    /// Somebody added to the conversation.
    Added {
        /// What was found, in a few words.
        what: String,
    },
    /// The file was rewritten in place by somebody else, or is too large to tell.
    Rewritten,
    /// Another file with other contents is in its place, or a file too large to tell.
    Replaced,
    /// It is gone.
    Missing,
    /// The lock was not had on the way back from the prompt, or was lost.
    Lock,
}

impl TakeoverCause {
    /// In words.
    #[must_use]
    pub fn words(&self) -> &str {
        match self {
            Self::Added { what } => what,
            Self::Rewritten => "it was rewritten",
            Self::Replaced => "it was replaced by another file",
            Self::Missing => "it is gone",
            Self::Lock => "the lock was not had on the way back",
        }
    }
}

/// An attempt's step failed.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// The lock was not acquired in the first place, or was lost while it was held.
    #[error("the session lock does not allow this run to write")]
    Lock(#[from] LockError),
    /// The transcript could not be written.
    #[error("the transcript could not be written")]
    Journal(JournalError),
    /// The transcript could not be read.
    #[error("the transcript {} could not be read", path.display())]
    Read {
        /// The transcript.
        path: PathBuf,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
    /// Another writer has the session; this attempt writes nothing more. `coordination.session_takeover`.
    #[error("the session {} was continued by another writer while the lock was released: {}", path.display(), cause.words())]
    Takeover {
        /// The transcript.
        path: PathBuf,
        /// What showed it.
        cause: TakeoverCause,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
    /// The attempt has ended; it never acquires again. `coordination.writer_superseded`.
    #[error("this attempt on {} has ended and writes nothing more", path.display())]
    Ended {
        /// The transcript.
        path: PathBuf,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
}

impl AttemptError {
    pub(super) fn takeover(path: PathBuf, cause: TakeoverCause, source: Option<LockError>) -> Self {
        let mark = Mark::new(Coordination::SessionTakeover);
        let mark = match source {
            Some(source) => mark.caused_by(source),
            None => mark,
        };
        Self::Takeover { path, cause, mark }
    }

    pub(super) fn ended(path: PathBuf) -> Self {
        Self::Ended { path, mark: Mark::new(Coordination::WriterSuperseded) }
    }

    pub(crate) fn read(path: PathBuf, source: io::Error) -> Self {
        Self::Read { path, mark: Mark::new(Local::Unclassified).caused_by(source) }
    }

    /// Whether another writer has the session.
    #[must_use]
    pub fn is_takeover(&self) -> bool {
        matches!(self, Self::Takeover { .. })
    }

    /// The wire form, with what is known of the lock's owner.
    #[must_use]
    pub fn wire(&self) -> Wire {
        match self {
            Self::Lock(error) => error.wire(),
            Self::Journal(_) | Self::Read { .. } | Self::Takeover { .. } | Self::Ended { .. } => {
                Wire::of(self)
            }
        }
    }

    /// The class.
    #[must_use]
    pub fn code(&self) -> Code {
        Mark::find(self).map_or(Code::Local(Local::Unclassified), Mark::code)
    }
}
