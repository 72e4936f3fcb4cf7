//! First come, first served inside one process: the queue in front of each lock file.
//!
//! Only the head of a lane touches the file system; the others sleep until it is their turn. The decision: a queue of
//! our own, because a caller needs its position, the head's run (self-contention is answered at once) and hand-over
//! that survives cancellation at any point. The option not taken is a fair async mutex per path, which knows none of
//! the three.
//!
//! Must stay true: a lane has one head or nobody waits in it; tickets become head in the order they were taken; a
//! dropped ticket, wherever it was, leaves neither a place nor a lost wake-up behind. tests/queue_model.rs checks this
//! file under every schedule shuttle finds.

use std::{
    collections::VecDeque,
    future::poll_fn,
    hash::Hash,
    task::{Poll, Waker},
};

use crate::{
    prehashed::PrehashedMap,
    sync::{Arc, Mutex, lock},
};

/// All lanes of one process.
pub(crate) struct Lanes<K> {
    state: Mutex<State<K>>,
}

struct State<K> {
    lanes: PrehashedMap<K, Lane>,
    /// How many of them have no head.
    idle: usize,
}

#[derive(Default)]
struct Lane {
    next: u64,
    head: Option<Entry>,
    waiting: VecDeque<Entry>,
    /// Heads since this lane last asked whether another process waits. A lane without head is kept while it counts, or
    /// one task that acquires in a loop would never let another process in.
    turns: u32,
    /// Another process was seen waiting; the next head gives way.
    owes_a_turn: bool,
}

/// Turns in a row that one process takes before it asks whether another process waits. Small, because the wait of the
/// others grows with it; more than one, because each hand-over to another process costs wake-ups, and asking a system call.
const STREAK: u32 = 4;

/// Lanes without head that are kept for their count before they are swept out.
const IDLE_LANES: usize = 256;

struct Entry {
    id: u64,
    run: Arc<str>,
    waker: Option<Waker>,
}

/// A place in a lane. Dropping it gives the place up.
///
/// It keeps what it was told when it became the head, so that an acquisition that meets nobody looks its lane up twice: on
/// the way in and on the way out.
pub(crate) struct Ticket<K: Eq + Hash + Clone + 'static> {
    lanes: &'static Lanes<K>,
    key: K,
    id: u64,
    head: Option<Head>,
    /// What the release saw, if it asked: whether another process waits for the lock file.
    others_wait: Option<bool>,
}

#[derive(Clone, Copy)]
struct Head {
    gives_way: bool,
    asks: bool,
}

/// The run that asked is already the head.
#[derive(Debug)]
pub(crate) struct SameRun;

impl<K: Eq + Hash + Clone> Lanes<K> {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new(State { lanes: PrehashedMap::default(), idle: 0 }) }
    }

    /// Takes the last place of the lane of `key`; refused when `run` itself is the head, for it would wait for itself.
    pub(crate) fn enter(&'static self, key: &K, run: &Arc<str>) -> Result<Ticket<K>, SameRun> {
        let mut guard = lock(&self.state);
        let state = &mut *guard;
        let lane = match state.lanes.get_mut(key) {
            Some(lane) => {
                state.idle -= usize::from(lane.head.is_none());
                lane
            }
            None => state.lanes.entry(key.clone()).or_default(),
        };
        if lane.head.as_ref().is_some_and(|head| head.run == *run) {
            return Err(SameRun);
        }
        let id = lane.next;
        lane.next += 1;
        let entry = Entry { id, run: Arc::clone(run), waker: None };
        let head = match lane.head {
            Some(_) => {
                lane.waiting.push_back(entry);
                None
            }
            None => {
                lane.head = Some(entry);
                Some(lane.begin())
            }
        };
        drop(guard);
        Ok(Ticket { lanes: self, key: key.clone(), id, head, others_wait: None })
    }
}

#[cfg(test)]
#[allow(dead_code, reason = "asked by tests/queue_model.rs, which includes this file, not by the unit tests")]
impl<K> Lanes<K> {
    /// How many lanes are kept in memory, and how many of them are counted as idle.
    pub(crate) fn kept(&self) -> (usize, usize) {
        let state = lock(&self.state);
        (state.lanes.len(), state.idle)
    }
}

impl<K: Eq + Hash + Clone> Ticket<K> {
    /// Waits until this ticket is the head. Cancel-safe: dropping the future keeps the place, dropping the ticket gives
    /// it up.
    pub(crate) async fn turn(&mut self) {
        poll_fn(|context| {
            if self.head.is_some() {
                return Poll::Ready(());
            }
            let mut state = lock(&self.lanes.state);
            let Some(lane) = state.lanes.get_mut(&self.key) else { return Poll::Ready(()) };
            if lane.is_head(self.id) {
                self.head = Some(lane.begin());
                return Poll::Ready(());
            }
            if let Some(entry) = lane.waiting.iter_mut().find(|entry| entry.id == self.id) {
                match &mut entry.waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    none => *none = Some(context.waker().clone()),
                }
            }
            Poll::Pending
        })
        .await;
    }

    /// Whether it has become the head and knows it.
    pub(crate) fn is_head(&self) -> bool {
        self.head.is_some()
    }

    /// How many stand before this ticket: 0 for the head.
    pub(crate) fn position(&self) -> usize {
        let state = lock(&self.lanes.state);
        state.lanes.get(&self.key).map_or(0, |lane| {
            lane.waiting.iter().position(|entry| entry.id == self.id).map_or(0, |place| place + 1)
        })
    }

    /// Whether this head is the one of its streak that asks, at release, whether another process waits.
    pub(crate) fn should_ask(&self) -> bool {
        self.head.is_some_and(|head| head.asks)
    }

    /// Told what the one that asked saw; it counts once the place is given up.
    pub(crate) fn released(&mut self, others_wait: bool) {
        self.others_wait = Some(others_wait);
    }

    /// Whether this head should let another process go first.
    pub(crate) fn should_give_way(&self) -> bool {
        self.head.is_some_and(|head| head.gives_way)
    }
}

impl Lane {
    fn is_head(&self, id: u64) -> bool {
        self.head.as_ref().is_some_and(|head| head.id == id)
    }

    /// What a new head has to know.
    fn begin(&mut self) -> Head {
        self.turns = self.turns.saturating_add(1);
        Head { gives_way: std::mem::take(&mut self.owes_a_turn), asks: self.turns >= STREAK }
    }
}

impl<K: Eq + Hash + Clone> Drop for Ticket<K> {
    fn drop(&mut self) {
        let waker = {
            let mut guard = lock(&self.lanes.state);
            let state = &mut *guard;
            let Some(lane) = state.lanes.get_mut(&self.key) else { return };
            if !lane.is_head(self.id) {
                lane.waiting.retain(|entry| entry.id != self.id);
                return;
            }
            // One that left without asking leaves it to the next.
            if let Some(others_wait) = self.others_wait {
                (lane.turns, lane.owes_a_turn) = (0, others_wait);
            }
            lane.head = lane.waiting.pop_front();
            match &mut lane.head {
                Some(next) => next.waker.take(),
                None => {
                    if lane.turns == 0 && !lane.owes_a_turn {
                        state.lanes.remove(&self.key);
                    } else {
                        state.idle += 1;
                        state.sweep();
                    }
                    None
                }
            }
        };
        // Outside the lock: waking may run the other task at once.
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<K> State<K> {
    /// Forgets the counts when there are many; a lane in use is not touched.
    fn sweep(&mut self) {
        if self.idle > IDLE_LANES {
            self.lanes.retain(|_, lane| lane.head.is_some());
            self.idle = 0;
        }
    }
}
