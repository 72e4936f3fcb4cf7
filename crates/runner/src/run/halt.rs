//! What ends a run from outside: somebody who may stop it, or its deadline.

use std::time::Instant;

use moorline_retry::Clock;
use moorline_taxonomy::Cancelled;

use crate::Stop;

/// Somebody or something outside ended the run.
#[derive(Clone, Copy)]
pub(super) enum Halt {
    Stopped(Cancelled),
    Deadline,
}

impl Halt {
    pub(super) async fn of(stop: &Stop, deadline: Option<Instant>, clock: &dyn Clock) -> Self {
        tokio::select! {
            why = stop.stopped() => Self::Stopped(why),
            () = at(deadline, clock) => Self::Deadline,
        }
    }

    /// How the turn is noted then.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Stopped(_) => "cancelled",
            Self::Deadline => "failed",
        }
    }
}

async fn at(deadline: Option<Instant>, clock: &dyn Clock) {
    match deadline {
        Some(deadline) => clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
