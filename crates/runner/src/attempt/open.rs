//! The transcript as one attempt has it open: journal, fence, tip, and what is known of its contents.
//!
//! What must stay true: an append is composed for where the run stands, verified inside the journal, and remembered; a step
//! that was begun and not finished leaves it *dirty*, and the next one verifies first.

use std::{io, path::PathBuf, sync::Arc};

use moorline_lock_core::{Durability, Fence, Held, Journal, JournalError, Locks, RunTag, Target, Wait};

use super::{
    contents::Contents,
    error::{AttemptError, TakeoverCause},
    reconcile::{contents_of, reconcile},
};
use crate::transcript::{Lines, Tip, Transcript};

/// What does not change during an attempt.
pub(super) struct Setup {
    pub(super) locks: Locks,
    pub(super) target: Target,
    pub(super) tag: RunTag,
    pub(super) format: Arc<dyn Transcript>,
    pub(super) durability: Durability,
    pub(super) wait_back: Wait,
}

impl Setup {
    pub(super) fn takeover(&self, cause: TakeoverCause) -> AttemptError {
        AttemptError::takeover(self.path(), cause, None)
    }

    pub(super) fn read(&self, error: io::Error) -> AttemptError {
        AttemptError::read(self.path(), error)
    }

    pub(super) fn path(&self) -> PathBuf {
        self.target.path()
    }

    pub(super) async fn open(&self, held: &Held) -> Result<Journal, AttemptError> {
        match Journal::open(held, self.durability, |line| self.format.is_whole(line)).await {
            Ok((journal, _)) => Ok(journal),
            Err(error) => Err(self.journal_error(error)),
        }
    }

    /// A journal that met another writer's change is a takeover, one whose lock is lost a lock error.
    pub(super) fn journal_error(&self, error: JournalError) -> AttemptError {
        match error {
            JournalError::Lock(error) => AttemptError::Lock(error),
            JournalError::Replaced { .. } => self.takeover(TakeoverCause::Replaced),
            JournalError::Changed { .. } => self.takeover(TakeoverCause::Rewritten),
            JournalError::Busy { .. }
            | JournalError::NotLines { .. }
            | JournalError::Poisoned { .. }
            | JournalError::Io { .. } => AttemptError::Journal(error),
        }
    }
}

/// The transcript as the run knows it.
pub(super) struct Open {
    pub(super) journal: Journal,
    pub(super) fence: Fence,
    pub(super) tip: Tip,
    pub(super) contents: Contents,
    /// A step was begun and not finished; the fence and the tip may be behind the file.
    pub(super) dirty: bool,
}

impl Open {
    pub(super) async fn new(setup: &Setup, held: &Held) -> Result<Self, AttemptError> {
        let journal = setup.open(held).await?;
        let tip = setup.format.tip(journal.file(), journal.len()).map_err(|error| setup.read(error))?;
        let contents = contents_of(setup, &journal).await.map_err(|error| setup.read(error))?;
        let fence = journal.fence().map_err(|error| setup.journal_error(error))?;
        Ok(Self { journal, fence, tip, contents, dirty: false })
    }

    /// Remembers the transcript as it is now.
    pub(super) fn refence(&mut self, setup: &Setup) -> Result<(), AttemptError> {
        let end = self.journal.len();
        self.contents.extend(self.journal.file(), end).map_err(|error| setup.read(error))?;
        self.fence = self.journal.fence().map_err(|error| setup.journal_error(error))?;
        Ok(())
    }

    /// Appends; when a writer that did not hold the lock was there in between, merges it and tries once more.
    pub(super) async fn append(
        &mut self,
        setup: &Setup,
        held: &Held,
        compose: &(dyn Fn(&Tip) -> Lines + Sync),
    ) -> Result<(Lines, u64), AttemptError> {
        if self.dirty {
            reconcile(setup, held, self).await?;
        }
        self.dirty = true;
        let mut lines = compose(&self.tip);
        match self.journal.append(held, &lines.bytes).await {
            Ok(_) => {}
            Err(JournalError::Changed { .. } | JournalError::Replaced { .. }) => {
                reconcile(setup, held, self).await?;
                lines = compose(&self.tip);
                self.journal.append(held, &lines.bytes).await.map_err(|error| setup.journal_error(error))?;
            }
            Err(error) => return Err(setup.journal_error(error)),
        }
        self.tip = lines.tip.clone();
        self.refence(setup)?;
        self.dirty = false;
        Ok((lines, self.journal.len()))
    }
}
