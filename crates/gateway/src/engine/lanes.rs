//! Lanes: one turn at a time per session, in the order of asking, within this gateway.
//!
//! A lane owns the *turn*; the session lock, taken inside it, owns the right to write against other processes. Bursts are
//! admitted up to a limit, queued in order beyond it, and refused typed beyond that; nobody waits past his own deadline.
//!
//! The decision: the order is that of taking a place, which is what a caller was told, so each place has its own ticket. The
//! option not taken is a fair mutex: its order is that in which the tasks happen to be polled first.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use moorline_taxonomy::{Coordination, Mark};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    time::Instant,
};

use crate::session_key::SessionKey;

/// Turns under way and waiting in all.
const MAX_PLACES: usize = 4096;

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
    _admitted: Option<OwnedSemaphorePermit>,
    _place: Place,
}

pub(crate) struct Lanes {
    all: Mutex<All>,
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
struct All {
    lanes: HashMap<SessionKey, Lane>,
    /// Places in all lanes.
    places: usize,
}

/// A lane that exists has its turn taken or handed over.
#[derive(Default)]
struct Lane {
    waiting: VecDeque<oneshot::Sender<()>>,
    inside: usize,
    /// A turn waits, or has waited, for one of its places.
    urgent: watch::Sender<bool>,
}

/// A place in a lane, counted from asking to the end of the turn; the lane goes with the last one.
pub(crate) struct Place {
    lanes: Arc<Lanes>,
    session: SessionKey,
    ticket: Ticket,
}

enum Ticket {
    /// The session's turn is this place's.
    Called,
    /// It will be told.
    Waiting(oneshot::Receiver<()>),
}

impl LaneBusy {
    fn new(session: &SessionKey, problem: String) -> Self {
        Self { session: session.clone(), problem, mark: Mark::new(Coordination::LaneTimeout) }
    }
}

impl Place {
    /// Waits until the session's turn is this place's. Cancel-safe.
    pub(crate) async fn called(&mut self) {
        if let Ticket::Waiting(called) = &mut self.ticket {
            // The sender is kept in the lane for as long as this place is there.
            let _ = called.await;
            self.ticket = Ticket::Called;
        }
    }

    /// Waits for the session's turn until `deadline`. A `nested` turn, asked for by a tool of another turn, needs no
    /// admission of its own: its parent has one and waits for it. So do the turns before it in its lane, or all who are
    /// admitted might wait for turns that wait to be admitted.
    ///
    /// Cancel-safe: dropping the future gives the place up.
    pub(crate) async fn turn(mut self, nested: bool, deadline: Option<Instant>) -> Result<Turn, LaneBusy> {
        let admission = Arc::clone(&self.lanes.admission);
        let mut urgent = self.lanes.urgent(&self.session, nested);
        let wait = async {
            self.called().await;
            tokio::select! {
                biased;
                _ = urgent.wait_for(|urgent| *urgent) => None,
                admitted = admission.acquire_owned() => admitted.ok(),
            }
        };
        let waited = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline, wait).await,
            None => Ok(wait.await),
        };
        match waited {
            Ok(admitted) => Ok(Turn { _admitted: admitted, _place: self }),
            Err(_) => {
                let ahead = self.lanes.inside(&self.session).saturating_sub(1);
                let problem =
                    format!("its turn did not come before the caller's deadline, {ahead} others are there");
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
        (Arc::new(Self { all: Mutex::default(), admission, most_waiting, idle }), became_idle)
    }

    /// Takes the last place of a session's lane; refused at once when too many wait already.
    pub(crate) fn place(self: &Arc<Self>, session: &SessionKey) -> Result<Place, LaneBusy> {
        let all = self.lock();
        if all.places >= MAX_PLACES {
            let problem = format!("the gateway has {MAX_PLACES} turns under way and waiting");
            return Err(LaneBusy::new(session, problem));
        }
        let inside = all.lanes.get(session).map_or(0, |lane| lane.inside);
        if inside > self.most_waiting {
            return Err(LaneBusy::new(session, format!("{} turns wait already", inside - 1)));
        }
        Ok(self.last_place(all, session))
    }

    /// The last place for what was promised before: it was admitted once, and cannot be refused now.
    pub(crate) fn place_owed(self: &Arc<Self>, session: &SessionKey) -> Place {
        self.last_place(self.lock(), session)
    }

    fn last_place(self: &Arc<Self>, mut all: MutexGuard<'_, All>, session: &SessionKey) -> Place {
        let lane = all.lanes.entry(session.clone()).or_default();
        let ticket = if lane.inside == 0 {
            Ticket::Called
        } else {
            let (call, called) = oneshot::channel();
            lane.waiting.push_back(call);
            Ticket::Waiting(called)
        };
        lane.inside += 1;
        all.places += 1;
        Place { lanes: Arc::clone(self), session: session.clone(), ticket }
    }

    /// Says when a turn waits for a place of a lane, from now on if it does so `now`.
    fn urgent(&self, session: &SessionKey, now: bool) -> watch::Receiver<bool> {
        let mut all = self.lock();
        // The lane is there: who asks has a place in it.
        let lane = all.lanes.entry(session.clone()).or_default();
        lane.urgent.send_if_modified(|urgent| now && !std::mem::replace(urgent, true));
        lane.urgent.subscribe()
    }

    /// Turns under way or waiting for a session.
    pub(crate) fn inside(&self, session: &SessionKey) -> usize {
        self.lock().lanes.get(session).map_or(0, |lane| lane.inside)
    }

    /// Turns under way or waiting for any session.
    pub(crate) fn total(&self) -> usize {
        self.lock().places
    }

    /// How full the lanes are.
    pub(crate) fn queues(&self) -> Queues {
        let all = self.lock();
        let deepest = all.lanes.values().map(|lane| lane.inside).max().unwrap_or(0);
        Queues { lanes: all.lanes.len(), turns: all.places, deepest }
    }

    fn lock(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = self.lanes.lock();
        all.places -= 1;
        let Some(lane) = all.lanes.get_mut(&self.session) else { return };
        lane.inside -= 1;
        let called = match &mut self.ticket {
            Ticket::Called => true,
            Ticket::Waiting(called) => {
                // The call may have come and not been heard. Closed under the lock, so that none can come from here on.
                called.close();
                called.try_recv().is_ok()
            }
        };
        if called {
            // Places that were given up are passed over.
            while lane.waiting.pop_front().is_some_and(|next| next.send(()).is_err()) {}
        }
        if lane.inside == 0 {
            all.lanes.remove(&self.session);
            // Nobody listens any more once the gateway shuts down.
            let _ = self.lanes.idle.send(self.session.clone());
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
    async fn the_order_is_that_of_the_places_however_they_are_polled_or_given_up() {
        let (lanes, _idle) = Lanes::new(64, 64);
        let mut places: Vec<_> = (0..6).map(|_| lanes.place(&key()).unwrap()).collect();
        // Given up before its call, and after it.
        drop(places.remove(3));
        drop(places.remove(0));
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut turns = tokio::task::JoinSet::new();
        for (number, place) in places.into_iter().enumerate().rev() {
            let order = Arc::clone(&order);
            turns.spawn(async move {
                let _turn = place.turn(false, None).await.unwrap();
                order.lock().unwrap().push(number);
            });
        }
        while turns.join_next().await.is_some() {}
        assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3]);
        assert_eq!((lanes.total(), lanes.inside(&key())), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_misses_its_deadline_holds_nobody_up() {
        let (lanes, _idle) = Lanes::new(64, 64);
        let first = lanes.place(&key()).unwrap().turn(false, None).await.unwrap();
        let late = lanes.place(&key()).unwrap();
        let next = lanes.place(&key()).unwrap();
        let deadline = Instant::now() + Duration::from_secs(1);
        assert!(late.turn(false, Some(deadline)).await.is_err());
        drop(first);
        assert!(next.turn(false, Some(deadline)).await.is_ok());
    }

    #[test]
    fn the_gateway_is_full_before_its_memory_is() {
        let (lanes, _idle) = Lanes::new(64, 64);
        let session = |number: usize| format!("agent:main:s{number}").parse::<SessionKey>().unwrap();
        let places: Vec<_> = (0..MAX_PLACES).map(|number| lanes.place(&session(number)).unwrap()).collect();
        let error = lanes.place(&session(MAX_PLACES)).err().unwrap();
        assert_eq!(Mark::find(&error).unwrap().code(), Coordination::LaneTimeout.into());
        drop(places);
        assert!(lanes.place(&session(0)).is_ok());
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
        // What was promised before is not refused.
        drop(lanes.place_owed(&key()));
        // Cancelled in the queue: no place is left behind.
        waiting.shutdown().await;
        assert_eq!(lanes.inside(&key()), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_turn_waits_for_is_not_held_up_by_admission() {
        let (lanes, _idle) = Lanes::new(1, 64);
        let asks = lanes.place(&key()).unwrap().turn(false, None).await.unwrap();
        let other: SessionKey = "agent:main:other".parse().unwrap();
        // It has the other session's turn, and would be admitted when the one that asks is done.
        let first = lanes.place(&other).unwrap();
        let asked = lanes.place(&other).unwrap();
        let deadline = Some(Instant::now() + Duration::from_secs(1));
        let (first, asked) =
            tokio::join!(async { first.turn(false, deadline).await.map(drop) }, asked.turn(true, deadline));
        assert!(first.is_ok() && asked.is_ok());
        // Nobody waits for this one.
        drop(asked);
        assert!(lanes.place(&other).unwrap().turn(false, deadline).await.is_err());
        drop(asks);
        assert!(lanes.place(&other).unwrap().turn(false, deadline).await.is_ok());
    }
}
