//! One call, bounded by its own patience, by the scenario's deadline, and by cancellation.
//!
//! The decision: the port is told the deadline and is dropped a second after it. A client that ignores its deadline must
//! not hang a run; the second lets a client that keeps it say what went wrong itself.

use std::time::{Duration, Instant};

use moorline_retry::Clock;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::watch;

use super::{answers::read_answer, attempt_error::AttemptError, millis};
use crate::{Failure, Gateway};

/// How long a client may take to report its own timeout.
const GRACE: Duration = Duration::from_secs(1);

/// How long a call may take that does not wait for a turn.
pub(super) const SHORT: Duration = Duration::from_secs(10);

/// What every call of a scenario shares.
pub(super) struct Caller<'a> {
    pub(super) gateway: &'a dyn Gateway,
    pub(super) clock: &'a dyn Clock,
    /// When the scenario's time is over, and how long it was.
    pub(super) deadline: Instant,
    pub(super) deadline_after: Duration,
    pub(super) cancelled: watch::Receiver<bool>,
}

impl Caller<'_> {
    /// Calls `method` and reads its answer.
    pub(super) async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Value,
        patience: Duration,
    ) -> Result<T, AttemptError> {
        let began = self.clock.now();
        let patience = patience.min(self.left(began)?);
        let answer = self.bounded(self.gateway.call(method, params, patience), patience).await?;
        match answer {
            Some(answer) => read_answer(method, answer.map_err(AttemptError::refused)?),
            None => {
                let after_ms = millis(self.clock.now().saturating_duration_since(began));
                Err(Failure::NoAnswer { method: method.to_owned(), after_ms }.into())
            }
        }
    }

    /// Runs `work` for `patience` and a second more; `None` if it took longer.
    pub(super) async fn bounded<T>(
        &self,
        work: impl Future<Output = T>,
        patience: Duration,
    ) -> Result<Option<T>, AttemptError> {
        // An instant that cannot be represented is later than any scenario's deadline.
        let end = self.clock.now().checked_add(patience.saturating_add(GRACE)).unwrap_or(self.deadline);
        tokio::select! {
            // An answer that is there is taken, whatever else happened in the same moment.
            biased;
            done = work => Ok(Some(done)),
            () = self.is_cancelled() => Err(Failure::Cancelled.into()),
            () = self.clock.sleep_until(end) => Ok(None),
        }
    }

    /// Waits for `pause`, or until cancelled.
    pub(super) async fn pause(&self, pause: Duration) -> Result<(), AttemptError> {
        let end = self.clock.now() + pause;
        tokio::select! {
            biased;
            () = self.is_cancelled() => Err(Failure::Cancelled.into()),
            () = self.clock.sleep_until(end) => Ok(()),
        }
    }

    /// What is left of the scenario's time.
    pub(super) fn left(&self, now: Instant) -> Result<Duration, AttemptError> {
        match self.deadline.checked_duration_since(now).filter(|left| !left.is_zero()) {
            Some(left) => Ok(left),
            None => Err(Failure::Deadline { deadline_ms: millis(self.deadline_after) }.into()),
        }
    }

    /// Completes when the run is cancelled.
    pub(super) async fn is_cancelled(&self) {
        let mut told = self.cancelled.clone();
        if told.wait_for(|cancelled| *cancelled).await.is_err() {
            // Whoever could cancel is gone.
            std::future::pending::<()>().await;
        }
    }
}
