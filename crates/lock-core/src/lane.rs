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
    collections::{HashMap, VecDeque},
    future::poll_fn,
    hash::Hash,
    task::{Poll, Waker},
};

use crate::sync::{Arc, Mutex, lock};

/// All lanes of one process.
pub(crate) struct Lanes<K> {
    lanes: Mutex<HashMap<K, Lane>>,
}

struct Lane {
    next: u64,
    head: Option<Entry>,
    waiting: VecDeque<Entry>,
    /// Releases in a row at which another process was seen waiting. A lane without head is kept while this is not
    /// zero, or one task that acquires in a loop would never let another process in.
    streak: u32,
}

/// Releases in a row that one process may keep a lock while another process waits. Small, because the wait of the others
/// grows with it; more than one, because each hand-over to another process costs wake-ups.
const STREAK: u32 = 4;

/// Lanes without head that are kept for their streak before they are swept out.
const IDLE_LANES: usize = 256;

struct Entry {
    id: u64,
    run: Arc<str>,
    waker: Option<Waker>,
}

/// A place in a lane. Dropping it gives the place up.
pub(crate) struct Ticket<K: Eq + Hash + Clone> {
    lanes: Arc<Lanes<K>>,
    key: K,
    id: u64,
}

/// The run that asked is already the head.
#[derive(Debug)]
pub(crate) struct SameRun;

impl<K: Eq + Hash + Clone> Lanes<K> {
    pub(crate) fn new() -> Self {
        Self { lanes: Mutex::new(HashMap::new()) }
    }

    /// Takes the last place of the lane of `key`; refused when `run` itself is the head, for it would wait for itself.
    pub(crate) fn enter(self: &Arc<Self>, key: K, run: Arc<str>) -> Result<Ticket<K>, SameRun> {
        let mut lanes = lock(&self.lanes);
        let id = match lanes.get_mut(&key) {
            Some(lane) => {
                if lane.head.as_ref().is_some_and(|head| head.run == run) {
                    return Err(SameRun);
                }
                let id = lane.next;
                lane.next += 1;
                let entry = Entry { id, run, waker: None };
                match lane.head {
                    Some(_) => lane.waiting.push_back(entry),
                    None => lane.head = Some(entry),
                }
                id
            }
            None => {
                if lanes.len() >= IDLE_LANES {
                    lanes.retain(|_, lane| lane.head.is_some());
                }
                let head = Some(Entry { id: 0, run, waker: None });
                lanes.insert(key.clone(), Lane { next: 1, head, waiting: VecDeque::new(), streak: 0 });
                0
            }
        };
        Ok(Ticket { lanes: Arc::clone(self), key, id })
    }
}

#[cfg(test)]
#[allow(dead_code, reason = "asked by tests/queue_model.rs, which includes this file, not by the unit tests")]
impl<K> Lanes<K> {
    /// How many lanes are kept in memory.
    pub(crate) fn kept(&self) -> usize {
        lock(&self.lanes).len()
    }
}

impl<K: Eq + Hash + Clone> Ticket<K> {
    /// Waits until this ticket is the head. Cancel-safe: dropping the future keeps the place, dropping the ticket gives
    /// it up.
    pub(crate) async fn turn(&mut self) {
        poll_fn(|context| {
            let mut lanes = lock(&self.lanes.lanes);
            let Some(lane) = lanes.get_mut(&self.key) else { return Poll::Ready(()) };
            if lane.is_head(self.id) {
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

    /// How many stand before this ticket: 0 for the head.
    pub(crate) fn position(&self) -> usize {
        let lanes = lock(&self.lanes.lanes);
        lanes.get(&self.key).map_or(0, |lane| {
            lane.waiting.iter().position(|entry| entry.id == self.id).map_or(0, |place| place + 1)
        })
    }

    /// Told at release whether another process waits for the lock file.
    pub(crate) fn released(&self, others_wait: bool) {
        if let Some(lane) = lock(&self.lanes.lanes).get_mut(&self.key) {
            lane.streak = if others_wait { lane.streak.saturating_add(1) } else { 0 };
        }
    }

    /// Whether this head should let another process go first. Answers yes once per streak.
    pub(crate) fn should_give_way(&self) -> bool {
        lock(&self.lanes.lanes).get_mut(&self.key).is_some_and(|lane| {
            let due = lane.streak >= STREAK;
            if due {
                lane.streak = 0;
            }
            due
        })
    }
}

impl Lane {
    fn is_head(&self, id: u64) -> bool {
        self.head.as_ref().is_some_and(|head| head.id == id)
    }
}

impl<K: Eq + Hash + Clone> Drop for Ticket<K> {
    fn drop(&mut self) {
        let waker = {
            let mut lanes = lock(&self.lanes.lanes);
            let Some(lane) = lanes.get_mut(&self.key) else { return };
            if !lane.is_head(self.id) {
                lane.waiting.retain(|entry| entry.id != self.id);
                return;
            }
            lane.head = lane.waiting.pop_front();
            match &mut lane.head {
                Some(next) => next.waker.take(),
                None => {
                    if lane.streak == 0 {
                        lanes.remove(&self.key);
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
