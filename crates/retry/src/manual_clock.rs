//! A clock that only moves when a test moves it.
//!
//! Tokio's paused clock moves by itself when every task waits, and knows no wall time. A test that needs a wall
//! clock to jump, or a wait that must *not* end, takes this one.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::watch;

use crate::{Clock, Sleep};

/// A clock under the hand of a test. Clones share one time.
#[derive(Clone, Debug)]
pub struct ManualClock {
    now: Arc<watch::Sender<Instant>>,
    wall: Arc<Mutex<SystemTime>>,
}

impl ManualClock {
    /// A clock whose wall time starts at `wall`.
    #[must_use]
    pub fn starting_at(wall: SystemTime) -> Self {
        // An `Instant` has no other origin; only differences are used.
        let origin = tokio::time::Instant::now().into_std();
        Self { now: Arc::new(watch::Sender::new(origin)), wall: Arc::new(Mutex::new(wall)) }
    }

    /// Moves both clocks and wakes every sleeper whose time has come.
    pub fn advance(&self, by: Duration) {
        *self.wall_guard() += by;
        self.now.send_modify(|now| *now += by);
    }

    /// Sets the wall clock alone, as a person or a time server does.
    pub fn set_wall(&self, wall: SystemTime) {
        *self.wall_guard() = wall;
    }

    fn wall_guard(&self) -> MutexGuard<'_, SystemTime> {
        // A time is whole whatever its writer's fate was.
        self.wall.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        *self.now.borrow()
    }

    fn wall(&self) -> SystemTime {
        *self.wall_guard()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        let mut now = self.now.subscribe();
        let clock = Arc::clone(&self.now);
        Box::pin(async move {
            // The sender lives in `clock`, so the channel cannot close while we wait.
            let _reached = now.wait_for(|now| *now >= deadline).await;
            drop(clock);
        })
    }
}
