//! A lock while it is held: verification, loss, revocation and release. `held.rs` is the guard that callers have of it.
//!
//! Must stay true: nothing is written through a guard that does not verify (the file at the lock's path is the file this
//! guard keeps open) and verification and write happen inside one gate, so a revoke waits for the write in flight and no
//! later one passes; release removes our own lock only; a lock file is never removed while a writer outside this
//! process may still be at work; a forked copy of a guard does nothing.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, OwnedFd, RawFd},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, TryLockError,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::{
    background::Due,
    config::OnHoldExceeded,
    error::{LockError, LostHow},
    failpoint::step,
    fence::BROKEN,
    held::TakenOver,
    lane::Ticket,
    nonce::Nonce,
    publish::Published,
    registry, stats,
    sync::lock,
    sys::{
        clock,
        fork::{self, Generation},
        fs::{self, FileId},
        kernel,
    },
    tag::RunTag,
    target::{LaneKey, Target},
};

/// Pauses between looks before a lock counts as lost, in milliseconds. Another program's reclaimer may have displaced it for
/// an instant and puts it straight back, unless a busy machine keeps it from running for some time. An exchange never
/// leaves the path empty, so an absent lock is believed after the first few.
const SETTLE_MS: [u64; 7] = [1, 1, 2, 4, 8, 16, 32];
const SETTLE_ABSENT: usize = 3;

/// A hold that declares less, or nothing, is reported this often and does not keep the watchdog busy.
const SHORTEST_REPORT: Duration = Duration::from_millis(100);

pub(crate) struct Hold {
    target: Target,
    id: FileId,
    nonce: Nonce,
    tag: RunTag,
    creator: Generation,
    acquired: Instant,
    max_hold: Duration,
    on_hold_exceeded: OnHoldExceeded,
    gate: Mutex<Gate>,
    /// 0 while the lock is held, else [`LostHow`] as a number. Set before the gate is waited for.
    lost: AtomicU8,
    lost_changed: Notify,
    /// A child process has the descriptor and may write until it ends; only its parent releases.
    external_writer: AtomicBool,
    /// Each reads its end of file once every process that inherited the descriptor has closed it.
    witnesses: Mutex<Vec<io::PipeReader>>,
    /// When it lasts too long, or once more; `None` never.
    due: Mutex<Option<Instant>>,
    taken_over: Option<Box<TakenOver>>,
}

/// A lock at the moment at which it became ours.
pub(crate) struct Acquired {
    pub(crate) published: Published,
    pub(crate) taken_over: Option<Box<TakenOver>>,
    /// The process that published it.
    pub(crate) creator: Generation,
}

struct Gate {
    /// Keeps the inode from being reused, the `flock` held and the file open for writing.
    file: Option<File>,
    ticket: Option<Ticket<LaneKey>>,
}

impl Hold {
    pub(crate) fn new(
        acquired: Acquired,
        target: Target,
        tag: RunTag,
        ticket: Ticket<LaneKey>,
        max_hold: Duration,
        on_hold_exceeded: OnHoldExceeded,
    ) -> Arc<Self> {
        let Acquired { published, taken_over, creator } = acquired;
        let now = Instant::now();
        // A hold beyond what an `Instant` can say never ends.
        let due = now.checked_add(max_hold);
        let hold = Arc::new(Self {
            target,
            id: published.id,
            nonce: published.nonce,
            tag,
            creator,
            acquired: now,
            max_hold,
            on_hold_exceeded,
            gate: Mutex::new(Gate { file: Some(published.file), ticket: Some(ticket) }),
            lost: AtomicU8::new(0),
            lost_changed: Notify::new(),
            external_writer: AtomicBool::new(false),
            witnesses: Mutex::new(Vec::new()),
            due: Mutex::new(due),
            taken_over,
        });
        let registry = registry::global();
        registry.add(&hold);
        if let Some(due) = due {
            registry.background.expect(due);
        }
        hold
    }

    pub(crate) fn nonce(&self) -> &Nonce {
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

    pub(crate) fn taken_over(&self) -> Option<&TakenOver> {
        self.taken_over.as_deref()
    }

    /// Whether this process is a fork of the one that acquired the lock; then it does nothing.
    pub(crate) fn is_forked(&self) -> bool {
        self.creator != fork::generation()
    }

    /// Whether nothing is left to release.
    pub(crate) fn is_released(&self) -> bool {
        self.lost_how() == Some(LostHow::Released) || lock(&self.gate).file.is_none()
    }

    /// When the watchdog has to report it next.
    pub(crate) fn due(&self) -> Option<Instant> {
        *lock(&self.due)
    }

    /// Whether children inherited the descriptor.
    pub(crate) fn has_external_writer(&self) -> bool {
        self.external_writer.load(Ordering::Acquire)
    }

    /// A second descriptor of the lock file, inherited by children, with a witness of how long they keep it.
    pub(crate) fn inheritable(&self) -> io::Result<Inheritance> {
        let gate = lock(&self.gate);
        let file = gate.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let (reader, writer) = io::pipe()?;
        // `dup` gives descriptors without close-on-exec; the first shares the `flock`.
        let inheritance = Inheritance { lock: rustix::io::dup(file)?, _witness: rustix::io::dup(&writer)? };
        lock(&self.witnesses).push(reader);
        self.external_writer.store(true, Ordering::Release);
        Ok(inheritance)
    }

    /// Whether something that inherited the descriptor still has it.
    fn is_inherited(&self) -> bool {
        lock(&self.witnesses).iter().any(|witness| !fs::is_closed(witness))
    }

    pub(crate) fn held_for(&self) -> Duration {
        self.acquired.elapsed()
    }

    pub(crate) fn lost_how(&self) -> Option<LostHow> {
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

    pub(crate) fn error(&self, how: LostHow) -> LockError {
        LockError::lost(self.lock_path(), how)
    }

    /// Runs `write` if, and only if, the lock is still ours, and keeps revocation out until it is done.
    pub(crate) fn guarded<T>(&self, write: impl FnOnce() -> T) -> Result<T, LockError> {
        if self.is_forked() {
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
        if BROKEN {
            return Ok(());
        }
        for (look, pause) in SETTLE_MS.into_iter().enumerate() {
            match fs::stat_at(self.target.dir(), self.target.lock_name()) {
                Ok(Some(stat)) if stat.id == self.id => return Ok(()),
                Ok(None) if look >= SETTLE_ABSENT => break,
                Ok(_) => {}
                Err(source) => return Err(LockError::unavailable(&self.lock_path(), "verify", source)),
            }
            clock::settle(Duration::from_millis(pause));
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
        for (look, pause) in SETTLE_MS.into_iter().enumerate() {
            match fs::stat_at(self.target.dir(), self.target.lock_name()) {
                Ok(Some(stat)) if stat.id == self.id => return false,
                // Not to be read right now is not to be gone.
                Err(_) => return false,
                Ok(None) if look >= SETTLE_ABSENT => break,
                Ok(_) => tokio::time::sleep(Duration::from_millis(pause)).await,
            }
        }
        // Released meanwhile by its owner: then it is not lost.
        self.lost_how().is_none() && lock(&self.gate).file.is_some()
    }

    pub(crate) fn revoke(self: &Arc<Self>, how: LostHow) {
        self.lose(how);
        if !self.has_external_writer() {
            registry::global().background.after(Duration::ZERO, Due::Revoke(Arc::clone(self)));
        }
    }

    /// Releases in the background unless a write is in flight; true when there is nothing more to do, or it is entered again.
    pub(crate) fn try_release(self: &Arc<Self>) -> bool {
        let Some(mut gate) = self.gate_now() else { return false };
        match self.release_locked(&mut gate) {
            Ok(()) | Err(NotReleased::Lost) => true,
            Err(NotReleased::Io(error)) => {
                tracing::warn!(lock = %self.lock_path().display(), %error, "release failed; it is retried");
                drop(gate);
                registry::global().background.retry_release(Arc::clone(self));
                true
            }
        }
    }

    /// Asked by the background thread, which must not wait for a write: a gate that is taken is a hold that lasts.
    pub(crate) fn hold_exceeded(self: &Arc<Self>) {
        *lock(&self.due) = None;
        if self.gate_now().is_some_and(|gate| gate.file.is_none()) {
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
                if let Some(again) = Instant::now().checked_add(self.max_hold.max(SHORTEST_REPORT)) {
                    *lock(&self.due) = Some(again);
                    registry::global().background.expect(again);
                }
            }
            OnHoldExceeded::Revoke => self.revoke(LostHow::HoldExceeded),
        }
    }

    /// The gate, unless a write is inside it.
    fn gate_now(&self) -> Option<MutexGuard<'_, Gate>> {
        match self.gate.try_lock() {
            Ok(gate) => Some(gate),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Removes the lock file if it is ours, then lets the next waiter of this process go.
    pub(crate) fn release(&self) -> Result<(), NotReleased> {
        self.release_locked(&mut lock(&self.gate))
    }

    /// The same for those who only care whether it has to be tried again.
    pub(crate) fn release_now(&self) -> io::Result<()> {
        match self.release() {
            Ok(()) | Err(NotReleased::Lost) => Ok(()),
            Err(NotReleased::Io(error)) => Err(error),
        }
    }

    /// Lets go without removing the file, as a killed owner does.
    #[cfg(feature = "testkit")]
    pub(crate) fn abandon(&self) {
        registry::global().remove(&self.nonce);
        let mut gate = lock(&self.gate);
        gate.file = None;
        gate.ticket = None;
    }

    fn release_locked(&self, gate: &mut Gate) -> Result<(), NotReleased> {
        let Some(file) = &gate.file else { return Err(NotReleased::Lost) };
        let ours = match fs::stat_at(self.target.dir(), self.target.lock_name()) {
            Ok(stat) => stat.map(|stat| stat.id) == Some(self.id),
            Err(error) => return Err(NotReleased::Io(error)),
        };
        step!("release.checked");
        let outcome = if ours && self.is_inherited() {
            // Whatever it is may still write: the file stays and lives as long as that process does.
            tracing::warn!(
                lock = %self.lock_path().display(),
                run = self.tag.run_id(),
                "a process started under this session lock still has it; the lock lives as long as that process"
            );
            Ok(())
        } else if ours {
            if let Some(ticket) = &mut gate.ticket
                && ticket.should_ask()
            {
                ticket.released(kernel::others_wait(file.as_fd()));
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
        registry::global().remove(&self.nonce);
        // Unlinked first, closed second: a waiter that sees the file closed finds the path free.
        gate.file = None;
        gate.ticket = None;
        outcome
    }
}

/// The lock's descriptor for a child process, kept until the child has started and dropped then.
///
/// Both descriptors in it are inherited across `exec`: the lock's own, which keeps the lock alive, and a witness by which
/// the owner knows, without letting go first, that nobody has it any more.
#[derive(Debug)]
pub struct Inheritance {
    lock: OwnedFd,
    _witness: OwnedFd,
}

impl AsRawFd for Inheritance {
    fn as_raw_fd(&self) -> RawFd {
        self.lock.as_raw_fd()
    }
}

pub(crate) enum NotReleased {
    Lost,
    Io(io::Error),
}
