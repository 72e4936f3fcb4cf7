//! Sleeping: until a watched file changes, until the time is up, never longer than a deadline. Cancel-safe.

use std::{os::fd::AsFd, sync::Arc, time::Duration};

use tokio::time::Instant as TokioInstant;

use crate::{
    background::Watch,
    evidence::Judged,
    registry,
    sys::{
        fs::{self, Probe},
        kernel,
    },
    target::Target,
};

/// What ended a sleep.
pub(crate) enum Woken {
    ByChange,
    ByTime,
}

/// The longest sleep without a look. It must never be what helps; a counter tells.
pub(crate) const SAFETY_TICK: Duration = Duration::from_secs(30);

/// Sleeps until the watched file changes, at most so long; `held` is the lock slept on.
pub(crate) async fn sleep(
    watch: Option<&Watch>,
    at_most: Duration,
    target: &Target,
    held: Option<&Arc<Judged>>,
) -> Woken {
    let Some(watch) = watch else {
        tokio::time::sleep(at_most).await;
        return Woken::ByTime;
    };
    let tick = if at_most == SAFETY_TICK {
        let (target, held) = (target.clone(), held.cloned());
        let unchanged = move || held.as_ref().is_some_and(|held| is_still_held(&target, held));
        registry::global().background.tick(at_most, unchanged)
    } else {
        None
    };
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

/// Whether the lock that is slept on is still at the path and its owner still has it open.
fn is_still_held(target: &Target, judged: &Judged) -> bool {
    let there = fs::stat_at(target.dir(), target.lock_name());
    matches!(there, Ok(Some(there)) if there.id == judged.stat.id)
        && kernel::probe_lease(judged.file.as_fd()) == Probe::Held
}

/// Runs `future` until `deadline`; the future is asked first, so what is ready in time counts.
pub(crate) async fn within<T>(deadline: Option<TokioInstant>, future: impl Future<Output = T>) -> Option<T> {
    match deadline {
        Some(deadline) => tokio::time::timeout_at(deadline, future).await.ok(),
        None => Some(future.await),
    }
}
