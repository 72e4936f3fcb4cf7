//! The guard of an acquired lock, as callers have it.
//!
//! The decision: one guard, not cloneable, whose drop releases. The option not taken is a reference-counted guard that
//! releases with its last copy: who still writes would then depend on who forgot a copy. Lending `&Held` shares it.

use std::{io, sync::Arc, time::Duration};

use crate::{
    error::{LockError, LostHow},
    hold::{Hold, Inheritance, NotReleased},
    judge::Reason,
    observer::Observer,
    record::Record,
    registry,
    tag::RunTag,
    target::Target,
};

/// The lock this one replaced: its owner died holding it.
#[derive(Clone, Debug)]
pub struct TakenOver {
    /// What the dead owner's record said.
    pub record: Record,
    /// How its death was proved.
    pub reasons: Vec<Reason>,
}

/// Why a release did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The lock was not ours to release any more; the file at the path was left alone.
    #[error("nothing to release")]
    Lost(#[source] LockError),
    /// The lock file could not be removed. It is tried again in the background; the guard comes back for those who want to
    /// try themselves.
    #[error("the lock could not be released")]
    Failed {
        /// The guard, still held.
        held: Held,
        /// What the file system said.
        #[source]
        source: LockError,
    },
}

/// An acquired session lock.
///
/// Release it with [`Held::release`], which tells what went wrong; dropping it releases too, as well as it can, and warns
/// when it could not. Sharing the right to write with other parts of the same run is done by lending `&Held`, or by an
/// `Arc<Held>`.
#[must_use = "dropping the guard releases the lock"]
pub struct Held {
    hold: Arc<Hold>,
    observer: Option<Arc<dyn Observer>>,
}

impl Held {
    pub(crate) fn new(hold: Arc<Hold>, observer: Option<Arc<dyn Observer>>) -> Self {
        Self { hold, observer }
    }

    /// The token of this acquisition: 128 random bits, new for each one, as written in the lock file.
    #[must_use]
    pub fn token(&self) -> &str {
        self.hold.nonce().as_str()
    }

    /// What is locked.
    #[must_use]
    pub fn target(&self) -> &Target {
        self.hold.target()
    }

    /// The run that acquired it.
    #[must_use]
    pub fn run(&self) -> &RunTag {
        self.hold.tag()
    }

    /// The dead owner this lock was taken over from, if it was: its run did not end by itself, and whoever keeps account of
    /// runs now knows which.
    #[must_use]
    pub fn taken_over(&self) -> Option<&TakenOver> {
        self.hold.taken_over()
    }

    /// How long it has been held.
    #[must_use]
    pub fn held_for(&self) -> Duration {
        self.hold.held_for()
    }

    /// Checks that the lock is still ours: one `stat`, about 2 us.
    ///
    /// # Errors
    /// `Lost` when it was replaced, revoked or released.
    pub fn verify(&self) -> Result<(), LockError> {
        self.hold.guarded(|| ())
    }

    /// Runs a write if, and only if, the lock is still ours; a revoke waits until it is done. For embedders who keep
    /// their own file; the [`crate::Journal`] does this and more.
    ///
    /// # Errors
    /// As [`Held::verify`]; then `write` did not run.
    pub fn write<T>(&self, write: impl FnOnce() -> T) -> Result<T, LockError> {
        self.hold.guarded(write)
    }

    /// Completes when the lock is lost: replaced by another program, revoked by an operator or by the watchdog. Cancel-safe.
    /// A run selects on it to stop early; writes are refused typed in any case.
    pub async fn lost(&self) -> LostHow {
        self.hold.lost().await
    }

    /// Takes the lock back: later writes fail typed, the one in flight finishes, then the lock is released.
    pub fn revoke(&self) {
        self.hold.revoke(LostHow::Revoked);
    }

    /// Lets go of the lock as a killed owner does: the descriptor closes, the file stays. For tests.
    #[cfg(feature = "testkit")]
    pub fn abandon(self) {
        self.hold.abandon();
    }

    /// A descriptor for a child process that will write while this lock is held. It is inherited across `exec`, so the lock
    /// lives as long as its last writer, even if this process is killed. From now on a revoke only *tells*
    /// ([`Held::lost`]); the lock is released by its owner, after the child has ended. Should a process that inherited the
    /// descriptor still run at the release, the file stays until that one ends, too.
    ///
    /// # Errors
    /// The system's error when no descriptor can be had.
    pub fn inheritable(&self) -> io::Result<Inheritance> {
        self.hold.inheritable()
    }

    /// Releases the lock: removes the lock file if it is still ours and lets the next waiter go.
    ///
    /// Not cancellable half-way: the work is done in the first poll.
    ///
    /// # Errors
    /// [`ReleaseError::Lost`] when it was not ours any more (nothing was removed); [`ReleaseError::Failed`] when the file
    /// could not be removed.
    #[allow(
        clippy::unused_async,
        reason = "release is part of the async interface; a network file system may need to wait"
    )]
    pub async fn release(self) -> Result<(), ReleaseError> {
        if self.hold.is_forked() {
            return Err(ReleaseError::Lost(self.hold.error(LostHow::Forked)));
        }
        if let Some(how) = self.hold.lost_how()
            && how != LostHow::Released
            && !self.hold.has_external_writer()
        {
            let _ = self.hold.release_now();
            return Err(ReleaseError::Lost(self.hold.error(how)));
        }
        match self.hold.release() {
            Ok(()) => Ok(()),
            Err(NotReleased::Lost) => {
                let how = self.hold.lost_how().unwrap_or(LostHow::Replaced);
                Err(ReleaseError::Lost(self.hold.error(how)))
            }
            Err(NotReleased::Io(source)) => {
                let source = LockError::unavailable(&self.hold.lock_path(), "release", source);
                Err(ReleaseError::Failed { held: self, source })
            }
        }
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held")
            .field("lock", &self.hold.lock_path())
            .field("run", &self.hold.tag().run_id())
            .finish()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.hold.is_forked() {
            return;
        }
        if !self.hold.is_released()
            && let Err(error) = self.hold.release_now()
        {
            tracing::warn!(lock = %self.hold.lock_path().display(), %error, "release on drop failed; it is retried");
            registry::global().background.retry_release(Arc::clone(&self.hold));
        }
        if let Some(observer) = &self.observer {
            observer.let_go(self);
        }
    }
}
