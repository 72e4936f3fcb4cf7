//! Sleeping: until a watched file changes, until the time is up, never longer than a deadline. Cancel-safe.

use std::time::Duration;

use tokio::time::Instant as TokioInstant;

use crate::background::Watch;

/// What ended a sleep.
pub(crate) enum Woken {
    ByChange,
    ByTime,
}

/// Sleeps until the watched file changes, at most so long.
pub(crate) async fn sleep(watch: Option<&Watch>, at_most: Duration) -> Woken {
    match watch {
        Some(watch) => tokio::select! {
            biased;
            () = watch.changed() => Woken::ByChange,
            () = tokio::time::sleep(at_most) => Woken::ByTime,
        },
        None => {
            tokio::time::sleep(at_most).await;
            Woken::ByTime
        }
    }
}

/// Runs `future` until `deadline`; the future is asked first, so what is ready in time counts.
pub(crate) async fn within<T>(deadline: Option<TokioInstant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}
