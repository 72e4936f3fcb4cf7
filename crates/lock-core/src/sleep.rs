//! Sleeping: until a watched file changes, until the time is up, never longer than a deadline. Cancel-safe.

use std::time::Duration;

use tokio::time::Instant as TokioInstant;

use crate::{background::Watch, registry};

/// What ended a sleep.
pub(crate) enum Woken {
    ByChange,
    ByTime,
}

/// The longest sleep without a look. It must never be what helps; a counter tells.
pub(crate) const SAFETY_TICK: Duration = Duration::from_secs(30);

/// Sleeps until the watched file changes, at most so long.
pub(crate) async fn sleep(watch: Option<&Watch>, at_most: Duration) -> Woken {
    let Some(watch) = watch else {
        tokio::time::sleep(at_most).await;
        return Woken::ByTime;
    };
    let tick = if at_most == SAFETY_TICK { registry::global().background.tick(at_most) } else { None };
    match tick {
        Some(tick) => tokio::select! {
            biased;
            () = watch.changed() => Woken::ByChange,
            () = tick.came() => Woken::ByTime,
        },
        None => tokio::select! {
            biased;
            () = watch.changed() => Woken::ByChange,
            () = tokio::time::sleep(at_most) => Woken::ByTime,
        },
    }
}

/// Runs `future` until `deadline`; the future is asked first, so what is ready in time counts.
pub(crate) async fn within<T>(deadline: Option<TokioInstant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}
