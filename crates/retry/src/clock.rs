//! The clock: monotonic time for waiting, wall time for what is written down.
//!
//! A trait, because deadlines and schedules are tested by moving time and not by sleeping. `now` and `sleep_until`
//! share one time line; the wall clock is a second one, since people and time servers move it. The option not
//! taken is one clock for both: a wall clock that jumps would fire or freeze every wait.

use std::{
    future::Future,
    pin::Pin,
    time::{Instant, SystemTime},
};

/// The future of [`Clock::sleep_until`].
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// Monotonic time; the only time that waits are computed with.
    fn now(&self) -> Instant;

    /// Wall time; only for what is stored or shown.
    fn wall(&self) -> SystemTime;

    /// Completes when [`Clock::now`] has reached `deadline`. Dropping it forgets the wait.
    fn sleep_until(&self, deadline: Instant) -> Sleep;
}

/// Tokio's clock, so that a paused runtime pauses it, and the system's wall clock.
///
/// `sleep_until` needs a tokio runtime with time enabled, and panics without one as tokio does.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the room of the wall clock")]
    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        Box::pin(tokio::time::sleep_until(tokio::time::Instant::from_std(deadline)))
    }
}
