//! Lanes: one turn at a time per session, in the order of asking, within this gateway.
//!
//! A lane owns the *turn*; the session lock, taken inside it, owns the right to write against other processes. Bursts are
//! admitted up to a limit, queued in order beyond it, and refused typed beyond that; nobody waits past his own deadline.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use moorline_taxonomy::{Coordination, Mark};
use tokio::{
    sync::{OwnedMutexGuard, OwnedSemaphorePermit, Semaphore, mpsc},
    time::Instant,
};

use crate::session_key::SessionKey;

/// The session's lane did not get to this turn. `coordination.lane_timeout`.
#[derive(Debug, thiserror::Error)]
#[error("session {session} is busy: {problem}; nothing was accepted, try later")]
pub(crate) struct LaneBusy {
    session: SessionKey,
    problem: String,
    #[source]
    mark: Mark,
}

/// The right to take a turn, until dropped.
pub(crate) struct Turn {
    _lane: OwnedMutexGuard<()>,
    _admitted: Option<OwnedSemaphorePermit>,
    _place: Place,
}

pub(crate) struct Lanes {
    lanes: Mutex<HashMap<SessionKey, Lane>>,
    admission: Arc<Semaphore>,
    /// Turns that may wait for one session.
    most_waiting: usize,
    /// Told each session whose last place was given up.
    idle: mpsc::UnboundedSender<SessionKey>,
}

/// Turns under way or waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Queues {
    /// Sessions that have any.
    pub(crate) lanes: usize,
    /// Of all sessions.
    pub(crate) turns: usize,
    /// Of the session that has most.
    pub(crate) deepest: usize,
}

#[derive(Default)]
struct Lane {
    turn: Arc<tokio::sync::Mutex<()>>,
    inside: usize,
}

/// A place in a lane, counted from asking to the end of the turn; the lane goes with the last one.
pub(crate) struct Place {
    lanes: Arc<Lanes>,
    session: SessionKey,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl LaneBusy {
    fn new(session: &SessionKey, problem: String) -> Self {
        Self { session: session.clone(), problem, mark: Mark::new(Coordination::LaneTimeout) }
    }
}

impl Place {
    /// Waits for the session's turn until `deadline`. A `nested` turn, asked for by a tool of another turn, needs no
    /// admission of its own: its parent has one and waits for it.
    ///
    /// Cancel-safe: dropping the future gives the place up.
    pub(crate) async fn turn(self, nested: bool, deadline: Option<Instant>) -> Result<Turn, LaneBusy> {
        let wait = async {
            let lane = Arc::clone(&self.turn).lock_owned().await;
            let admission = Arc::clone(&self.lanes.admission);
            let admitted = if nested { None } else { admission.acquire_owned().await.ok() };
            (lane, admitted)
        };
        let waited = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, wait).await,
            None => Ok(wait.await),
        };
        match waited {
            Ok((lane, admitted)) => Ok(Turn { _lane: lane, _admitted: admitted, _place: self }),
            Err(_) => {
                let ahead = self.lanes.inside(&self.session).saturating_sub(1);
                let problem =
                    format!("its turn did not come before the caller's deadline, {ahead} before it");
                Err(LaneBusy::new(&self.session, problem))
            }
        }
    }
}

impl Lanes {
    /// Lanes that let `turns` be under way at once and `most_waiting` wait for one session, and the sessions that become
    /// idle, as they do. A turn is mostly waiting for a model.
    pub(crate) fn new(turns: usize, most_waiting: usize) -> (Arc<Self>, mpsc::UnboundedReceiver<SessionKey>) {
        let (idle, became_idle) = mpsc::unbounded_channel();
        let admission = Arc::new(Semaphore::new(turns));
        (Arc::new(Self { lanes: Mutex::new(HashMap::new()), admission, most_waiting, idle }), became_idle)
    }

    /// Takes the last place of a session's lane; refused at once when too many wait already.
    pub(crate) fn place(self: &Arc<Self>, session: &SessionKey) -> Result<Place, LaneBusy> {
        let mut lanes = self.lock();
        let lane = lanes.entry(session.clone()).or_default();
        if lane.inside > self.most_waiting {
            return Err(LaneBusy::new(session, format!("{} turns wait already", lane.inside - 1)));
        }
        lane.inside += 1;
        Ok(Place { lanes: Arc::clone(self), session: session.clone(), turn: Arc::clone(&lane.turn) })
    }

    /// Turns under way or waiting for a session.
    pub(crate) fn inside(&self, session: &SessionKey) -> usize {
        self.lock().get(session).map_or(0, |lane| lane.inside)
    }

    /// Turns under way or waiting for any session.
    pub(crate) fn total(&self) -> usize {
        self.lock().values().map(|lane| lane.inside).sum()
    }

    /// How full the lanes are.
    pub(crate) fn queues(&self) -> Queues {
        let lanes = self.lock();
        let inside = || lanes.values().map(|lane| lane.inside);
        Queues { lanes: lanes.len(), turns: inside().sum(), deepest: inside().max().unwrap_or(0) }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Lane>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut lanes = self.lanes.lock();
        if let Some(lane) = lanes.get_mut(&self.session) {
            lane.inside -= 1;
            if lane.inside == 0 {
                lanes.remove(&self.session);
                // Nobody listens any more once the gateway shuts down.
                let _ = self.lanes.idle.send(self.session.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn key() -> SessionKey {
        "agent:main:x".parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn turns_come_in_order_and_a_deadline_bounds_the_wait() {
        let (lanes, mut idle) = Lanes::new(64, 64);
        let first = lanes.place(&key()).unwrap().turn(false, None).await.unwrap();
        let deadline = Some(Instant::now() + Duration::from_secs(1));
        let error = lanes.place(&key()).unwrap().turn(false, deadline).await.err().unwrap();
        assert!(error.to_string().contains("deadline"), "{error}");
        assert_eq!(Mark::find(&error).unwrap().code(), Coordination::LaneTimeout.into());
        drop(first);
        assert_eq!(idle.try_recv(), Ok(key()));
        assert!(idle.try_recv().is_err(), "once for each time it becomes idle");
        assert!(lanes.place(&key()).unwrap().turn(false, deadline).await.is_ok());
        assert_eq!(lanes.total(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_is_full_refuses_at_once() {
        let (lanes, _idle) = Lanes::new(64, 64);
        let _first = lanes.place(&key()).unwrap().turn(false, None).await.unwrap();
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..64 {
            let lanes = Arc::clone(&lanes);
            waiting.spawn(async move { lanes.place(&key())?.turn(false, None).await.map(drop) });
        }
        while lanes.inside(&key()) <= 64 {
            tokio::task::yield_now().await;
        }
        assert!(lanes.place(&key()).err().unwrap().to_string().contains("64 turns wait"));
        // Cancelled in the queue: no place is left behind.
        waiting.shutdown().await;
        assert_eq!(lanes.inside(&key()), 1);
    }
}
