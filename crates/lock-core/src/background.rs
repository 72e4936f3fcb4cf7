//! The one thread of this crate: it reads inotify, watches for holds that last too long, and retries failed releases.
//!
//! The decision: a thread of its own, because the watchdog must run when the program's event loop is wedged (that is
//! when it is needed), and because waiters of several runtimes share the one inotify descriptor. The option not taken is
//! a task per runtime. It starts with the first acquisition and sleeps without a timeout while nothing is due; a hold
//! costs it no wake-up unless its end comes before every other one's.
//!
//! Must stay true: it waits for no write. A hold whose gate is taken is left and looked at again, because every waiter of
//! this process is woken by this thread.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, Instant},
};

use rustix::event::{EventfdFlags, PollFd, PollFlags};
use tokio::sync::Notify;

use crate::{
    hold::Hold,
    sync::lock,
    sys::{
        fork::{self, Generation},
        inotify::{Event, Inotify, WatchId},
    },
};

/// How often a release that failed is tried again.
const RETRY_RELEASE: Duration = Duration::from_secs(1);
/// How often a revoke that found an append in flight is tried again.
const RETRY_REVOKE: Duration = Duration::from_millis(5);

pub(crate) struct Background {
    started: OnceLock<Result<Running, io::ErrorKind>>,
    watchers: Mutex<HashMap<WatchId, Vec<Arc<Notify>>>>,
    agenda: Mutex<Agenda>,
}

/// What is due when, and when the thread looks at it.
#[derive(Default)]
struct Agenda {
    entries: BTreeMap<(Instant, u64), Due>,
    next: u64,
    /// When the holds of this process are looked through; none of them is due before. The end of one that was released stays
    /// until it has passed: entering and taking back each hold would cost every acquisition, looking through them costs
    /// this thread alone, a few times in `maxHoldMs`.
    holds_at: Option<Instant>,
    /// When the thread wakes anyway; `None` while it sleeps without a timeout. What is due later need not wake it. The moment
    /// of an entry that was taken back stays until it has passed: one wake-up for nothing then, where otherwise a hold
    /// shorter than the thread takes to wake would wake it, and so would the next one.
    wakes_at: Option<Instant>,
}

struct Running {
    inotify: Option<Inotify>,
    wake: OwnedFd,
    /// The process that has the thread.
    of: Generation,
}

impl Running {
    fn wake(&self) {
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }
}

impl Agenda {
    /// Enters something; whether the thread has to be woken to know of it.
    fn enter(&mut self, at: Instant, due: Due) -> (DueId, bool) {
        let id = self.next;
        self.next += 1;
        self.entries.insert((at, id), due);
        (DueId(at, id), self.wake_at(at))
    }

    /// A hold is due at a moment; whether the thread has to be woken to know of it.
    fn expect(&mut self, at: Instant) -> bool {
        if self.holds_at.is_some_and(|first| first <= at) {
            return false;
        }
        self.holds_at = Some(at);
        self.wake_at(at)
    }

    fn wake_at(&mut self, at: Instant) -> bool {
        let sooner = self.wakes_at.is_none_or(|wakes_at| at < wakes_at);
        if sooner {
            self.wakes_at = Some(at);
        }
        sooner
    }

    /// Until when the thread sleeps, made known before it does so that a later entry need not wake it.
    fn sleep_until(&mut self, now: Instant) -> Option<Instant> {
        let first = self.entries.keys().next().map(|(at, _)| *at).into_iter().chain(self.holds_at).min();
        self.wakes_at = first.or(self.wakes_at.filter(|at| *at > now));
        self.wakes_at
    }
}

/// What the thread does at a moment.
#[derive(Clone)]
pub(crate) enum Due {
    /// Revoke and release, when the append in flight is done.
    Revoke(Arc<Hold>),
    /// A sleeper may have to look again.
    Tick(std::sync::Weak<Ticking>),
    /// A release failed; the hold is kept alive here until it succeeds.
    Release(Arc<Hold>),
}

/// A due entry, to be taken back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DueId(Instant, u64);

/// A watch on one open file. Changes that come between two waits are kept.
pub(crate) struct Watch {
    id: WatchId,
    changed: Arc<Notify>,
}

impl Watch {
    /// Waits for the next change. Cancel-safe.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        crate::registry::global().background.unwatch(self);
    }
}

/// A sleeper that wants to be woken in the end even if no change is ever reported.
pub(crate) struct Tick(Arc<Ticking>);

pub(crate) struct Ticking {
    every: Duration,
    /// Whether there is nothing new for the sleeper, asked in the background so that it can sleep on.
    unchanged: Box<dyn Fn() -> bool + Send + Sync>,
    came: Notify,
    id: Mutex<Option<DueId>>,
}

impl Tick {
    /// Waits until something is new at a tick. Cancel-safe.
    pub(crate) async fn came(&self) {
        self.0.came.notified().await;
    }
}

impl Drop for Tick {
    fn drop(&mut self) {
        if let Some(id) = lock(&self.0.id).take() {
            crate::registry::global().background.cancel(id);
        }
    }
}

impl Background {
    /// Looks on behalf of a sleeper every so often: one wake-up of this thread, where waking the sleeper takes several.
    /// `None` when there is no such thread.
    pub(crate) fn tick(
        &'static self,
        every: Duration,
        unchanged: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Option<Tick> {
        self.running()?;
        let ticking = Arc::new(Ticking {
            every,
            unchanged: Box::new(unchanged),
            came: Notify::new(),
            id: Mutex::new(None),
        });
        self.tick_again(&ticking);
        Some(Tick(ticking))
    }

    fn tick_again(&'static self, ticking: &Arc<Ticking>) {
        // Held across both, so that a sleeper that leaves meanwhile finds the entry it has to take back.
        let mut id = lock(&ticking.id);
        *id = self.after(ticking.every, Due::Tick(Arc::downgrade(ticking)));
    }

    pub(crate) fn new() -> Self {
        Self {
            started: OnceLock::new(),
            watchers: Mutex::new(HashMap::new()),
            agenda: Mutex::new(Agenda::default()),
        }
    }

    /// Watches an open file; `None` when inotify cannot be had (its limits are used up), and the caller uses a timer.
    pub(crate) fn watch(&'static self, file: BorrowedFd<'_>) -> Option<Watch> {
        let inotify = self.running()?.inotify.as_ref()?;
        let changed = Arc::new(Notify::new());
        // Under the mutex, so that an event cannot be read before its watcher is entered.
        let mut watchers = lock(&self.watchers);
        match inotify.add(file) {
            Ok(id) => {
                watchers.entry(id).or_default().push(Arc::clone(&changed));
                Some(Watch { id, changed })
            }
            Err(error) => {
                tracing::warn!(%error, "inotify watch refused; waiting with a timer instead (raise fs.inotify.max_user_watches)");
                None
            }
        }
    }

    fn unwatch(&'static self, watch: &Watch) {
        // A forked copy shares the descriptor; what it removed would be its parent's watch.
        let Some(running) = self.running() else { return };
        let mut watchers = lock(&self.watchers);
        if let Some(list) = watchers.get_mut(&watch.id) {
            list.retain(|changed| !Arc::ptr_eq(changed, &watch.changed));
            if list.is_empty() {
                watchers.remove(&watch.id);
                if let Some(inotify) = &running.inotify {
                    inotify.remove(watch.id);
                }
            }
        }
    }

    /// Enters something to do after `delay`.
    pub(crate) fn after(&'static self, delay: Duration, due: Due) -> Option<DueId> {
        // A delay beyond what an `Instant` can hold never comes.
        let at = Instant::now().checked_add(delay)?;
        let running = self.running()?;
        let (id, wake) = lock(&self.agenda).enter(at, due);
        if wake {
            running.wake();
        }
        Some(id)
    }

    /// A hold of the registry lasts too long, or once more, at a moment.
    pub(crate) fn expect(&'static self, at: Instant) {
        let Some(running) = self.running() else { return };
        if lock(&self.agenda).expect(at) {
            running.wake();
        }
    }

    pub(crate) fn cancel(&self, id: DueId) {
        lock(&self.agenda).entries.remove(&(id.0, id.1));
    }

    fn running(&'static self) -> Option<&'static Running> {
        let started = self.started.get_or_init(|| self.start().map_err(|error| {
            tracing::warn!(%error, "the lock's background thread cannot start: no watchdog, and waiting uses a timer");
            error.kind()
        }));
        // A forked copy has no such thread, and its events would be read by its parent's: it waits with a timer.
        started.as_ref().ok().filter(|running| running.of == fork::generation())
    }

    #[allow(clippy::disallowed_methods, reason = "the one thread of this crate; the header says why")]
    fn start(&'static self) -> io::Result<Running> {
        let inotify = Inotify::new()
            .inspect_err(|error| {
                tracing::warn!(%error, "inotify cannot be had; waiting with a timer instead (raise fs.inotify.max_user_instances)");
            })
            .ok();
        let wake = rustix::event::eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        std::thread::Builder::new().name("moorline-lock".to_owned()).spawn(move || self.run())?;
        Ok(Running { inotify, wake, of: fork::generation() })
    }

    fn run(&'static self) {
        // `start` returns before the cell is set; the first look may come earlier.
        let running = loop {
            match self.started.get() {
                Some(Ok(running)) => break running,
                Some(Err(_)) => return,
                None => std::thread::yield_now(),
            }
        };
        loop {
            let now = Instant::now();
            let timeout = lock(&self.agenda).sleep_until(now).map(|at| at.saturating_duration_since(now));
            let mut fds = vec![PollFd::from_borrowed_fd(running.wake.as_fd(), PollFlags::IN)];
            if let Some(inotify) = &running.inotify {
                fds.push(PollFd::from_borrowed_fd(inotify.as_fd(), PollFlags::IN));
            }
            let timeout = timeout.map(|timeout| rustix::event::Timespec {
                tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: timeout.subsec_nanos().into(),
            });
            let _ = rustix::event::poll(&mut fds, timeout.as_ref());
            let mut count = [0; 8];
            let _ = rustix::io::read(&running.wake, &mut count);
            if let Some(inotify) = &running.inotify {
                self.dispatch(inotify);
            }
            self.look_through_holds();
            self.do_what_is_due();
        }
    }

    fn look_through_holds(&'static self) {
        let now = Instant::now();
        let over = {
            let mut agenda = lock(&self.agenda);
            if agenda.holds_at.is_none_or(|first| first > now) {
                return;
            }
            // A hold that is not in the registry yet is expected after this.
            let holds = crate::registry::global().all();
            let (over, later): (Vec<_>, Vec<_>) =
                holds.into_iter().partition(|hold| hold.due().is_some_and(|due| due <= now));
            agenda.holds_at = later.iter().filter_map(|hold| hold.due()).min();
            over
        };
        for hold in over {
            hold.hold_exceeded();
        }
    }

    fn dispatch(&self, inotify: &Inotify) {
        let mut watchers = lock(&self.watchers);
        inotify.drain(|event| match event {
            Event::Changed(id) => {
                watchers.get(&id).into_iter().flatten().for_each(|changed| changed.notify_one())
            }
            Event::Dropped(id) => {
                watchers.remove(&id).into_iter().flatten().for_each(|changed| changed.notify_one())
            }
            Event::Overflow => watchers.values().flatten().for_each(|changed| changed.notify_one()),
        });
    }

    fn do_what_is_due(&'static self) {
        loop {
            let due = {
                let mut agenda = lock(&self.agenda);
                match agenda.entries.first_entry() {
                    Some(first) if first.key().0 <= Instant::now() => first.remove(),
                    Some(_) | None => return,
                }
            };
            match due {
                Due::Revoke(hold) => {
                    if !hold.try_release() {
                        self.after(RETRY_REVOKE, Due::Revoke(hold));
                    }
                }
                Due::Tick(ticking) => match ticking.upgrade() {
                    Some(ticking) if (ticking.unchanged)() => self.tick_again(&ticking),
                    Some(ticking) => ticking.came.notify_one(),
                    None => {}
                },
                Due::Release(hold) => {
                    if !hold.try_release() {
                        self.after(RETRY_RELEASE, Due::Release(hold));
                    }
                }
            }
        }
    }

    /// Keeps a hold whose release failed, and tries again.
    pub(crate) fn retry_release(&'static self, hold: Arc<Hold>) {
        self.after(RETRY_RELEASE, Due::Release(hold));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_holds_wake_the_thread_once_and_an_earlier_end_wakes_it_again() {
        let (mut agenda, start) = (Agenda::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(agenda.expect(after(300)));
        assert_eq!(agenda.sleep_until(start), Some(after(300)));
        for second in 1..4 {
            assert!(!agenda.expect(after(300 + second)), "it looks before that in any case");
        }
        assert!(agenda.expect(after(10)));
        assert_eq!(agenda.sleep_until(start), Some(after(10)));
        // Looked through, and nobody holds anything any more.
        agenda.holds_at = None;
        assert_eq!(agenda.sleep_until(after(10)), None, "what has passed wakes nobody");
        assert!(agenda.expect(after(400)));
    }

    #[test]
    fn an_entry_that_is_taken_back_wakes_the_thread_at_most_once() {
        let due = || Due::Tick(std::sync::Weak::new());
        let (mut agenda, start) = (Agenda::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let (first, wake) = agenda.enter(after(300), due());
        assert!(wake);
        agenda.entries.remove(&(first.0, first.1));
        assert_eq!(agenda.sleep_until(start), Some(after(300)));
        assert!(!agenda.enter(after(301), due()).1, "it looks before that in any case");
        assert!(agenda.expect(after(10)) && agenda.enter(after(5), due()).1);
        assert_eq!(agenda.sleep_until(start), Some(after(5)));
        agenda.entries.clear();
        assert_eq!(agenda.sleep_until(after(5)), Some(after(10)));
    }
}
