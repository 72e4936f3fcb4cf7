//! The state of one attempt's write window, shared by the run and by everybody who writes for it.
//!
//! The decision: one state behind one mutex. Whoever writes for the run while the lock is held joins it; while it is
//! released, the writer takes it for one append. The option not taken is a lock per writer: a run's own mirror would then be a
//! foreign change to its own fence, which is how false takeovers came about.
//!
//! What must stay true: after the end nothing is acquired and nothing is written; the guard is reachable without the mutex,
//! so that an abort can revoke it whatever a writer is waiting for; a step that was cancelled half-way leaves the state
//! *dirty*, and the next one verifies before it writes.
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use moorline_lock_core::{Held, Wait};

use super::{
    error::{AttemptError, TakeoverCause},
    open::{Open, Setup},
    reconcile::reconcile,
};
use crate::transcript::{Lines, Tip};

pub(super) enum Window {
    Held(Arc<Held>, Box<Open>),
    Released(Box<Open>),
    Ended,
}

pub(super) struct Shared {
    pub(super) setup: Setup,
    window: tokio::sync::Mutex<Window>,
    /// The guard in use, within reach of an abort.
    guard: Mutex<Option<Arc<Held>>>,
    ended: AtomicBool,
}

impl Shared {
    /// Acquires the lock and opens the transcript.
    pub(super) async fn acquire(setup: Setup, wait: Wait) -> Result<Self, AttemptError> {
        let held = Arc::new(setup.locks.acquire_within(&setup.target, &setup.tag, wait).await?);
        let open = Open::new(&setup, &held).await?;
        Ok(Self {
            setup,
            guard: Mutex::new(Some(Arc::clone(&held))),
            window: tokio::sync::Mutex::new(Window::Held(held, Box::new(open))),
            ended: AtomicBool::new(false),
        })
    }

    fn ended(&self) -> AttemptError {
        AttemptError::ended(self.setup.path())
    }

    fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn set_guard(&self, held: Option<Arc<Held>>) -> Option<Arc<Held>> {
        std::mem::replace(&mut *self.guard.lock().unwrap_or_else(PoisonError::into_inner), held)
    }

    /// Acquires on the way back, verifies and opens the window. Every failure ends the attempt; a lock that is not had here is
    /// a takeover, whatever its code.
    pub(super) async fn reacquire(&self) -> Result<Vec<String>, AttemptError> {
        let mut window = self.window.lock().await;
        let Window::Released(open) = &mut *window else { return Err(self.ended()) };
        let held = match self.take_lock().await {
            Ok(held) => held,
            Err(error) => {
                self.ended.store(true, Ordering::Release);
                *window = Window::Ended;
                return Err(match error {
                    AttemptError::Lock(error) => {
                        AttemptError::takeover(self.setup.path(), TakeoverCause::Lock, Some(error))
                    }
                    other @ (AttemptError::Journal(_)
                    | AttemptError::Read { .. }
                    | AttemptError::Takeover { .. }
                    | AttemptError::Ended { .. }) => other,
                });
            }
        };
        match reconcile(&self.setup, &held, open).await {
            Ok(news) => {
                open.dirty = false;
                if let Window::Released(open) = std::mem::replace(&mut *window, Window::Ended) {
                    *window = Window::Held(held.keep(), open);
                }
                Ok(news)
            }
            Err(error) => {
                self.ended.store(true, Ordering::Release);
                *window = Window::Ended;
                self.let_go(held.keep()).await;
                Err(error)
            }
        }
    }

    /// Acquires the lock, unless the attempt has ended, before or meanwhile.
    async fn take_lock(&self) -> Result<InUse<'_>, AttemptError> {
        if self.is_ended() {
            return Err(self.ended());
        }
        let setup = &self.setup;
        let held = Arc::new(setup.locks.acquire_within(&setup.target, &setup.tag, setup.wait_back).await?);
        self.set_guard(Some(Arc::clone(&held)));
        let held = InUse { shared: self, held, kept: false };
        if self.is_ended() {
            self.let_go(held.keep()).await;
            return Err(self.ended());
        }
        Ok(held)
    }

    /// Releases a guard; what goes wrong is logged, and tried again by the guard itself.
    async fn let_go(&self, held: Arc<Held>) {
        drop(self.set_guard(None));
        // Where somebody else holds on to it for an instant, the last one out releases.
        if let Some(held) = Arc::into_inner(held) {
            crate::transcript::released(held.release().await);
        }
    }

    /// Lets the lock go for a prompt.
    pub(super) async fn release(&self) -> Result<(), AttemptError> {
        let mut window = self.window.lock().await;
        let verified = match &mut *window {
            Window::Held(held, open) if open.dirty => {
                let verified = reconcile(&self.setup, held, open).await.map(|_| ());
                open.dirty = verified.is_err();
                verified
            }
            Window::Held(..) => Ok(()),
            Window::Released(_) | Window::Ended => return Err(self.ended()),
        };
        if let Window::Held(held, open) = std::mem::replace(&mut *window, Window::Ended) {
            // A lock that was lost while it was held: the fence tells, on the way back, whether that mattered.
            self.let_go(held).await;
            match verified {
                Ok(()) => *window = Window::Released(open),
                Err(error) => {
                    self.ended.store(true, Ordering::Release);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Appends: joins the lock while it is held, else takes it for this one append.
    pub(super) async fn append(
        &self,
        compose: &(dyn Fn(&Tip) -> Lines + Sync),
    ) -> Result<(Lines, u64), AttemptError> {
        let mut window = self.window.lock().await;
        if self.is_ended() {
            return Err(self.ended());
        }
        let setup = &self.setup;
        let appended = match &mut *window {
            Window::Ended => return Err(self.ended()),
            Window::Held(held, open) => open.append(setup, held, compose).await,
            Window::Released(open) => {
                let held = self.take_lock().await?;
                let appended = match reconcile(setup, &held, open).await {
                    Ok(_) => open.append(setup, &held, compose).await,
                    Err(error) => Err(error),
                };
                self.let_go(held.keep()).await;
                appended
            }
        };
        if appended.as_ref().is_err_and(AttemptError::is_takeover) {
            self.ended.store(true, Ordering::Release);
            if let Window::Held(held, _) = std::mem::replace(&mut *window, Window::Ended) {
                self.let_go(held).await;
            }
        }
        appended
    }

    /// Calls `look` with the open transcript while the lock is held.
    pub(super) async fn with_open<T>(&self, look: impl FnOnce(&Open) -> T + Send) -> Result<T, AttemptError> {
        match &*self.window.lock().await {
            Window::Held(_, open) => Ok(look(open)),
            Window::Released(_) | Window::Ended => Err(self.ended()),
        }
    }

    /// Brings what was appended to the disk while the lock is held.
    pub(super) async fn sync(&self) -> Result<(), AttemptError> {
        match &mut *self.window.lock().await {
            Window::Held(_, open) => {
                open.journal.sync().await.map_err(|error| self.setup.journal_error(error))
            }
            Window::Released(_) | Window::Ended => Err(self.ended()),
        }
    }

    /// Brings what was appended to the disk, and ends the attempt.
    pub(super) async fn finish(&self) -> Result<(), AttemptError> {
        let mut window = self.window.lock().await;
        self.ended.store(true, Ordering::Release);
        let Window::Held(held, mut open) = std::mem::replace(&mut *window, Window::Ended) else {
            return Err(self.ended());
        };
        let synced = open.journal.sync().await.map_err(|error| self.setup.journal_error(error));
        self.let_go(held).await;
        synced
    }

    /// Ends the attempt from outside: no later write passes, the one in flight finishes, the lock is let go. Waits at most
    /// `drain` for a writer in flight; the guard is released behind it in any case.
    pub(super) async fn abort(&self, drain: Duration) {
        self.ended.store(true, Ordering::Release);
        if let Ok(mut window) = self.window.try_lock() {
            if let Window::Held(held, _) = std::mem::replace(&mut *window, Window::Ended) {
                self.let_go(held).await;
            }
            return;
        }
        if let Some(held) = self.set_guard(None) {
            held.revoke();
        }
        match tokio::time::timeout(drain, self.window.lock()).await {
            Ok(mut window) => *window = Window::Ended,
            Err(_) => tracing::warn!(
                transcript = %self.setup.path().display(),
                "a writer of an aborted run did not finish in time; its lock is revoked and nothing more is written"
            ),
        }
    }

    /// Ends the attempt without waiting: for a run that was dropped.
    pub(super) fn abandon(&self) {
        self.ended.store(true, Ordering::Release);
        let guard = self.set_guard(None);
        match self.window.try_lock() {
            // Dropping the guard releases the lock.
            Ok(mut window) => *window = Window::Ended,
            Err(_) => {
                if let Some(held) = guard {
                    held.revoke();
                }
            }
        }
    }
}

/// A guard that was just acquired. Dropping it on a cancelled step releases the lock, since nobody else would.
struct InUse<'a> {
    shared: &'a Shared,
    held: Arc<Held>,
    kept: bool,
}

impl InUse<'_> {
    fn keep(mut self) -> Arc<Held> {
        self.kept = true;
        Arc::clone(&self.held)
    }
}

impl std::ops::Deref for InUse<'_> {
    type Target = Held;

    fn deref(&self) -> &Held {
        &self.held
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        if !self.kept {
            drop(self.shared.set_guard(None));
        }
    }
}
