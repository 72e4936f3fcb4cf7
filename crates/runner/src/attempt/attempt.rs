//! An attempt as types: what is not allowed in a state is not a method of it.
//!
//! `Attempt<Locked>` appends and lets go; `Attempt<Released>` only comes back or ends. Each step consumes the attempt, so a
//! model call can only be made where no lock is held, and an attempt that failed or ended cannot be used again.
//!
//! ```text
//! acquire -> Locked -- release_for_prompt --> Released
//!            Locked <- reacquire_after_prompt - Released
//!            Locked -- finish --> ()            any -- abort / drop --> ()
//! ```

use std::{fs::File, marker::PhantomData, path::PathBuf, sync::Arc, time::Duration};

use moorline_lock_core::{Durability, Locks, RunTag, Target, Wait};

use super::{error::AttemptError, open::Setup, window::Shared, writer::RunWriter};
use crate::transcript::{Lines, Tip, Transcript};

/// The lock is held.
#[derive(Debug)]
pub struct Locked(());

/// The lock is released for a prompt.
#[derive(Debug)]
pub struct Released(());

/// What an attempt needs.
#[derive(Clone)]
pub struct Opening {
    /// The locks.
    pub locks: Locks,
    /// The transcript; it is created if it is not there.
    pub path: PathBuf,
    /// The run.
    pub tag: RunTag,
    /// The transcript's format.
    pub format: Arc<dyn Transcript>,
    /// When appended lines reach the disk.
    pub durability: Durability,
    /// How the first acquisition waits.
    pub wait: Wait,
    /// How coming back from a prompt waits.
    pub wait_back: Wait,
}

impl Opening {
    /// An attempt of `tag` on `path` that waits as the locks' settings say.
    #[must_use]
    pub fn new(locks: &Locks, path: PathBuf, tag: RunTag, format: Arc<dyn Transcript>) -> Self {
        let wait = Wait { timeout: locks.config().acquire_timeout, on_stale: None, max_hold: None };
        Self { locks: locks.clone(), path, tag, format, durability: Durability::Turn, wait, wait_back: wait }
    }
}

/// A run's hold on a session, in one of its states. Dropping it ends it and releases the lock.
#[must_use = "dropping an attempt ends it"]
pub struct Attempt<State> {
    shared: Arc<Shared>,
    state: PhantomData<State>,
    /// A step that moves the attempt into another state does not end it.
    armed: bool,
}

impl Attempt<Locked> {
    /// Acquires the session lock and opens the transcript. A torn last line of a crashed writer is cut off and kept beside it.
    ///
    /// Cancel-safe: dropped before the end, nothing is held.
    ///
    /// # Errors
    /// The lock is not had, or the transcript cannot be opened.
    pub async fn acquire(opening: Opening) -> Result<Self, AttemptError> {
        let Opening { locks, path, tag, format, durability, wait, wait_back } = opening;
        let target = Target::sidecar_of(&path)?;
        let setup = Setup { locks, target, tag, format, durability, wait_back };
        Ok(Self::of(Arc::new(Shared::acquire(setup, wait).await?)))
    }

    /// Appends what `compose` makes for the place where the run stands. Writers of the same run take turns.
    ///
    /// `compose` is called again when a writer that did not hold the lock was merged in between.
    ///
    /// Cancel-safe: dropped half-way the lines are there, whole, or not at all; the next step finds out.
    ///
    /// # Errors
    /// The lock was lost, another writer has the session, or the file system refuses. Nothing was written then.
    pub async fn append(
        &mut self,
        compose: impl Fn(&Tip) -> Lines + Send + Sync,
    ) -> Result<Lines, AttemptError> {
        self.shared.append(&compose).await.map(|(lines, _)| lines)
    }

    /// Calls `look` with the transcript and its length.
    ///
    /// # Errors
    /// The attempt has ended: a writer of the run met a takeover.
    pub async fn look<T>(&self, look: impl FnOnce(&File, u64) -> T + Send) -> Result<T, AttemptError> {
        self.shared.with_open(|open| look(open.journal.file(), open.journal.len())).await
    }

    /// Brings what was appended to the disk, as far as the durability asks for it.
    ///
    /// Cancel-safe: a sync under way finishes in the background.
    ///
    /// # Errors
    /// The disk refused; the lines are in the file and may not be on the disk.
    pub async fn sync(&mut self) -> Result<(), AttemptError> {
        self.shared.sync().await
    }

    /// Lets the lock go for a prompt, remembering the transcript as it is.
    ///
    /// Cancel-safe: dropped half-way, the attempt ends.
    ///
    /// # Errors
    /// Another writer has the session.
    pub async fn release_for_prompt(self) -> Result<Attempt<Released>, AttemptError> {
        self.shared.release().await?;
        Ok(self.into_state())
    }

    /// Brings what was written to the disk, releases the lock and ends the attempt.
    ///
    /// Cancel-safe: dropped half-way, the attempt ends, and a sync under way finishes in the background.
    ///
    /// # Errors
    /// The disk refused; the lines are in the file and may not be on the disk.
    pub async fn finish(self) -> Result<(), AttemptError> {
        self.shared.finish().await
    }
}

impl Attempt<Released> {
    /// Comes back from a prompt: acquires the lock, verifies what happened to the transcript, and merges what may be
    /// merged. Returns the lines that others added and that concern the run, too.
    ///
    /// Cancel-safe: dropped half-way, the attempt ends and nothing is held.
    ///
    /// # Errors
    /// [`AttemptError::Takeover`] when another writer has the session, or when the lock was not had, whatever the lock's own
    /// error was (it is the source). Nothing is written, and the attempt has ended.
    pub async fn reacquire_after_prompt(self) -> Result<(Attempt<Locked>, Vec<String>), AttemptError> {
        let news = self.shared.reacquire().await?;
        Ok((self.into_state(), news))
    }
}

impl<State> Attempt<State> {
    fn of(shared: Arc<Shared>) -> Self {
        Self { shared, state: PhantomData, armed: true }
    }

    fn into_state<Next>(mut self) -> Attempt<Next> {
        self.armed = false;
        Attempt::of(Arc::clone(&self.shared))
    }

    /// A writer for others who work for this run, such as its tools. It outlives the attempt harmlessly: once the attempt
    /// has ended it refuses.
    #[must_use]
    pub fn writer(&self) -> RunWriter {
        RunWriter::new(Arc::clone(&self.shared))
    }

    /// Ends the attempt: no later write passes, the one in flight finishes, the lock is released. Takes at most `drain`.
    pub async fn abort(self, drain: Duration) {
        self.shared.abort(drain).await;
    }
}

impl<State> Drop for Attempt<State> {
    fn drop(&mut self) {
        if self.armed {
            self.shared.abandon();
        }
    }
}

impl<State> std::fmt::Debug for Attempt<State> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempt").field("path", &self.shared.setup.target.path()).finish_non_exhaustive()
    }
}
