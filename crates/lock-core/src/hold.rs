//! Holding: the guard, its verification, loss, revocation and release.
//!
//! Must stay true: nothing is written through a guard that does not verify (the file at the lock's path is the file this
//! guard keeps open) and verification and write happen inside one gate, so a revoke waits for the write in flight and no
//! later one passes; release removes our own lock only; a lock file is never removed while a writer outside this
//! process may still be at work; a forked copy of a guard does nothing.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::{
    background::{Due, DueId},
    config::OnHoldExceeded,
    error::{LockError, LostHow},
    failpoint::step,
    lane::Ticket,
    publish::Published,
    registry,
    stats,
    sync::lock,
    sys::{
        fs::{self, FileId},
        kernel,
    },
    tag::RunTag,
    target::{LaneKey, Target},
};

/// A mismatch is looked at again this often before the lock counts as lost: another program's reclaimer may have
/// displaced it for an instant and put it straight back.
const SETTLE_TRIES: u32 = 4;
const SETTLE: Duration = Duration::from_millis(2);

pub(crate) struct Hold {
    target: Target,
    id: FileId,
    nonce: String,
    tag: RunTag,
    creator: u32,
    acquired: Instant,
    max_hold: Duration,
    on_hold_exceeded: OnHoldExceeded,
    gate: Mutex<Gate>,
    /// 0 while the lock is held, else [`LostHow`] as a number. Set before the gate is waited for.
    lost: AtomicU8,
    lost_changed: Notify,
    /// A child process has the descriptor and may write until it ends; only its parent releases.
    external_writer: AtomicBool,
    exceeded: Mutex<Option<DueId>>,
}

struct Gate {
    /// Keeps the inode from being reused, the `flock` held and the file open for writing.
    file: Option<File>,
    ticket: Option<Ticket<LaneKey>>,
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

impl Hold {
    pub(crate) fn new(
        target: Target,
        published: Published,
        tag: RunTag,
        ticket: Ticket<LaneKey>,
        max_hold: Duration,
        on_hold_exceeded: OnHoldExceeded,
    ) -> Arc<Self> {
        let hold = Arc::new(Self {
            target,
            id: published.id,
            nonce: published.nonce,
            tag,
            creator: std::process::id(),
            acquired: Instant::now(),
            max_hold,
            on_hold_exceeded,
            gate: Mutex::new(Gate { file: Some(published.file), ticket: Some(ticket) }),
            lost: AtomicU8::new(0),
            lost_changed: Notify::new(),
            external_writer: AtomicBool::new(false),
            exceeded: Mutex::new(None),
        });
        let registry = registry::global();
        registry.add(&hold);
        *lock(&hold.exceeded) = registry.background.after(max_hold, Due::HoldExceeded(Arc::downgrade(&hold)));
        hold
    }

    pub(crate) fn nonce(&self) -> &str {
        &self.nonce
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    pub(crate) fn tag(&self) -> &RunTag {
        &self.tag
    }

    pub(crate) fn lock_path(&self) -> PathBuf {
        self.target.lock_path()
    }

    pub(crate) fn held_for(&self) -> Duration {
        self.acquired.elapsed()
    }

    fn lost_how(&self) -> Option<LostHow> {
        match self.lost.load(Ordering::Acquire) {
            0 => None,
            1 => Some(LostHow::Replaced),
            2 => Some(LostHow::Revoked),
            3 => Some(LostHow::HoldExceeded),
            _ => Some(LostHow::Released),
        }
    }

    /// Marks the lock as lost; the first cause stays.
    fn lose(&self, how: LostHow) {
        let number = match how {
            LostHow::Replaced => 1,
            LostHow::Revoked => 2,
            LostHow::HoldExceeded => 3,
            LostHow::Released | LostHow::Forked => 4,
        };
        if self.lost.compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire).is_ok() {
            if how != LostHow::Released {
                stats::global().lost();
                tracing::warn!(lock = %self.lock_path().display(), run = self.tag.run_id(), how = how.as_str(), "session lock lost");
            }
            self.lost_changed.notify_waiters();
        }
    }

    fn error(&self, how: LostHow) -> LockError {
        LockError::lost(self.lock_path(), how)
    }

    /// Runs `write` if, and only if, the lock is still ours, and keeps revocation out until it is done.
    pub(crate) fn guarded<T>(&self, write: impl FnOnce() -> T) -> Result<T, LockError> {
        if self.creator != std::process::id() {
            return Err(self.error(LostHow::Forked));
        }
        let gate = lock(&self.gate);
        if let Some(how) = self.lost_how() {
            return Err(self.error(how));
        }
        if gate.file.is_none() {
            return Err(self.error(LostHow::Released));
        }
        self.check_path()?;
        Ok(write())
    }

    /// Whether the file at the path is the one this guard keeps open.
    fn check_path(&self) -> Result<(), LockError> {
        for attempt in 0..SETTLE_TRIES {
            match fs::stat_at(self.target.dir(), self.target.lock_name()) {
                Ok(Some(stat)) if stat.id == self.id => return Ok(()),
                Ok(_) => {}
                Err(source) => return Err(LockError::unavailable(&self.lock_path(), "verify", source)),
            }
            if attempt + 1 < SETTLE_TRIES {
                std::thread::sleep(SETTLE);
            }
        }
        self.lose(LostHow::Replaced);
        Err(self.error(LostHow::Replaced))
    }

    /// Completes when the lock is lost or revoked. Watches the lock file from the first poll on.
    pub(crate) async fn lost(&self) -> LostHow {
        let watch = {
            let gate = lock(&self.gate);
            gate.file.as_ref().and_then(|file| registry::global().background.watch(file.as_fd()))
        };
        loop {
            let told = self.lost_changed.notified();
            tokio::pin!(told);
            // Entered before the check, so that a loss between the two is not missed.
            told.as_mut().enable();
            if let Some(how) = self.lost_how() {
                return how;
            }
            if self.looks_replaced().await {
                self.lose(LostHow::Replaced);
                continue;
            }
            match &watch {
                Some(watch) => tokio::select! {
                    () = told => {}
                    () = watch.changed() => {}
                },
                None => tokio::select! {
                    () = told => {}
                    () = tokio::time::sleep(Duration::from_millis(250)) => {}
                },
            }
        }
    }

    async fn looks_replaced(&self) -> bool {
        for _ in 0..SETTLE_TRIES {
            match fs::stat_at(self.target.dir(), self.target.lock_name()) {
                Ok(Some(stat)) if stat.id == self.id => return false,
                // Not to be read right now is not to be gone.
                Err(_) => return false,
                Ok(_) => tokio::time::sleep(SETTLE).await,
            }
        }
        // Released meanwhile by its owner: then it is not lost.
        self.lost_how().is_none() && lock(&self.gate).file.is_some()
    }

    pub(crate) fn revoke(self: &Arc<Self>, how: LostHow) {
        self.lose(how);
        if !self.external_writer.load(Ordering::Acquire) {
            registry::global().background.after(Duration::ZERO, Due::Revoke(Arc::clone(self)));
        }
    }

    /// Releases after a revoke unless an append is in flight; true when there is nothing more to do.
    pub(crate) fn try_release_revoked(self: &Arc<Self>) -> bool {
        let Ok(mut gate) = self.gate.try_lock() else { return false };
        match self.release_locked(&mut gate) {
            Ok(()) | Err(NotReleased::Lost) => true,
            Err(NotReleased::Io(error)) => {
                tracing::warn!(lock = %self.lock_path().display(), %error, "release after a revoke failed; it is retried");
                drop(gate);
                registry::global().background.retry_release(Arc::clone(self));
                true
            }
        }
    }

    pub(crate) fn hold_exceeded(self: &Arc<Self>) {
        if lock(&self.gate).file.is_none() {
            return;
        }
        stats::global().hold_exceeded();
        tracing::warn!(
            lock = %self.lock_path().display(),
            run = self.tag.run_id(),
            session = self.tag.session_key(),
            held_ms = self.held_for().as_millis() as u64,
            max_hold_ms = self.max_hold.as_millis() as u64,
            "session lock held longer than maxHoldMs by this process"
        );
        match self.on_hold_exceeded {
            OnHoldExceeded::Report => {
                // Reported again each time the same span has passed.
                let again = registry::global().background.after(self.max_hold, Due::HoldExceeded(Arc::downgrade(self)));
                *lock(&self.exceeded) = again;
            }
            OnHoldExceeded::Revoke => self.revoke(LostHow::HoldExceeded),
        }
    }

    /// Removes the lock file if it is ours, then lets the next waiter of this process go.
    pub(crate) fn release_now(&self) -> Result<(), io::Error> {
        let mut gate = lock(&self.gate);
        match self.release_locked(&mut gate) {
            Ok(()) | Err(NotReleased::Lost) => Ok(()),
            Err(NotReleased::Io(error)) => Err(error),
        }
    }

    fn release_locked(&self, gate: &mut Gate) -> Result<(), NotReleased> {
        let Some(file) = &gate.file else { return Err(NotReleased::Lost) };
        let ours = match fs::stat_at(self.target.dir(), self.target.lock_name()) {
            Ok(stat) => stat.map(|stat| stat.id) == Some(self.id),
            Err(error) => return Err(NotReleased::Io(error)),
        };
        step!("release.checked");
        let outcome = if ours {
            let others_wait = kernel::others_wait(file.as_fd());
            if let Some(ticket) = &gate.ticket {
                ticket.released(others_wait);
            }
            match fs::unlink_at(self.target.dir(), self.target.lock_name()) {
                Ok(()) => Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Err(NotReleased::Lost),
                Err(error) => return Err(NotReleased::Io(error)),
            }
        } else {
            Err(NotReleased::Lost)
        };
        step!("release.unlinked");
        if outcome.is_ok() {
            self.lose(LostHow::Released);
        } else {
            self.lose(LostHow::Replaced);
        }
        let registry = registry::global();
        registry.remove(&self.nonce);
        if let Some(due) = lock(&self.exceeded).take() {
            registry.background.cancel(due);
        }
        // Unlinked first, closed second: a waiter that sees the file closed finds the path free.
        gate.file = None;
        gate.ticket = None;
        outcome
    }
}

enum NotReleased {
    Lost,
    Io(io::Error),
}

/// An acquired session lock.
///
/// Release it with [`Held::release`], which tells what went wrong; dropping it releases too, as well as it can, and warns
/// when it could not. Sharing the right to write with other parts of the same run is done by lending `&Held`, or by an
/// `Arc<Held>`.
#[must_use = "dropping the guard releases the lock"]
pub struct Held {
    hold: Arc<Hold>,
}

impl Held {
    pub(crate) fn new(hold: Arc<Hold>) -> Self {
        Self { hold }
    }

    /// The token of this acquisition: 128 random bits, new for each one, as written in the lock file.
    #[must_use]
    pub fn token(&self) -> &str {
        self.hold.nonce()
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

    /// A descriptor for a child process that will write while this lock is held. It is inherited across `exec`, so the lock
    /// lives as long as its last writer, even if this process is killed. From now on a revoke only *tells*
    /// ([`Held::lost`]); the lock is released by its owner, after the child has ended.
    ///
    /// # Errors
    /// The system's error when no descriptor can be had.
    pub fn inheritable(&self) -> io::Result<OwnedFd> {
        let gate = lock(&self.hold.gate);
        let file = gate.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        // `dup` gives a descriptor without close-on-exec that shares the `flock`.
        let fd = rustix::io::dup(file)?;
        self.hold.external_writer.store(true, Ordering::Release);
        Ok(fd)
    }

    /// Releases the lock: removes the lock file if it is still ours and lets the next waiter go.
    ///
    /// Not cancellable half-way: the work is done in the first poll.
    ///
    /// # Errors
    /// [`ReleaseError::Lost`] when it was not ours any more (nothing was removed); [`ReleaseError::Failed`] when the file
    /// could not be removed.
    #[allow(clippy::unused_async, reason = "release is part of the async interface; a network file system may need to wait")]
    pub async fn release(self) -> Result<(), ReleaseError> {
        if self.hold.creator != std::process::id() {
            return Err(ReleaseError::Lost(self.hold.error(LostHow::Forked)));
        }
        if let Some(how) = self.hold.lost_how() {
            if how != LostHow::Released && !self.hold.external_writer.load(Ordering::Acquire) {
                let _ = self.hold.release_now();
                return Err(ReleaseError::Lost(self.hold.error(how)));
            }
        }
        let released = {
            let mut gate = lock(&self.hold.gate);
            self.hold.release_locked(&mut gate)
        };
        match released {
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
        f.debug_struct("Held").field("lock", &self.hold.lock_path()).field("run", &self.hold.tag.run_id()).finish()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.hold.creator != std::process::id() {
            return;
        }
        if let Err(error) = self.hold.release_now() {
            tracing::warn!(lock = %self.hold.lock_path().display(), %error, "release on drop failed; it is retried");
            registry::global().background.retry_release(Arc::clone(&self.hold));
        }
    }
}
