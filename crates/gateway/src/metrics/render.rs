//! The recorder, and what is asked when somebody looks.
//!
//! Samples of a histogram wait in memory until they are sorted into buckets. That is done when somebody looks, and every
//! few thousand samples in case nobody does; a timer would wake an idle gateway.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicU32, Ordering},
};

use anyhow::Context;
use axum::{Router, extract::State, http::header, response::IntoResponse, routing::get};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use moorline_announce::State as AnnounceState;
use moorline_lock_core::Locks;

use super::table::{self as name, ALL, Kind};
use crate::engine::Engine;

/// From a lock that nobody else wants to one that a long turn keeps.
const BUCKETS: [f64; 14] =
    [0.000_05, 0.000_1, 0.000_25, 0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 300.0, 600.0];
/// Samples that may wait.
const TIDY_AFTER: u32 = 4096;

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
static WAITING: AtomicU32 = AtomicU32::new(0);

/// The recorder of this process.
#[derive(Clone)]
pub(crate) struct Recorded(PrometheusHandle);

/// Installs it. Done once, before anything is counted.
pub(crate) fn install() -> anyhow::Result<Recorded> {
    let recorder = PrometheusBuilder::new().set_buckets(&BUCKETS)?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).ok().context("metrics are recorded already")?;
    let _ = HANDLE.set(handle.clone());
    describe();
    Ok(Recorded(handle))
}

fn describe() {
    for metric in ALL {
        match metric.kind {
            Kind::Counter => {
                describe_counter!(metric.name, metric.meaning);
                // Zero is an answer; a series that is not there is not.
                if metric.labels.is_empty() {
                    counter!(metric.name).absolute(0);
                }
            }
            Kind::Gauge => describe_gauge!(metric.name, metric.meaning),
            Kind::Histogram => describe_histogram!(metric.name, Unit::Seconds, metric.meaning),
        }
    }
}

/// Called after a sample.
pub(super) fn tidy() {
    if WAITING.fetch_add(1, Ordering::Relaxed) % TIDY_AFTER == TIDY_AFTER - 1
        && let Some(handle) = HANDLE.get()
    {
        handle.run_upkeep();
    }
}

impl Recorded {
    /// What is served, behind the token.
    pub(crate) fn routes(self, engine: Arc<Engine>) -> Router {
        Router::new().route("/metrics", get(show)).with_state((self, engine))
    }
}

async fn show(State((recorded, engine)): State<(Recorded, Arc<Engine>)>) -> impl IntoResponse {
    look(&engine).await;
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], recorded.0.render())
}

/// Takes the numbers that nobody counts as they change.
async fn look(engine: &Engine) {
    let locks = Locks::stats();
    counter!(name::LOCKS_ACQUIRED).absolute(locks.acquired);
    counter!(name::LOCK_TIMEOUTS).absolute(locks.timed_out);
    counter!(name::LOCKS_LOST).absolute(locks.lost);
    counter!(name::HOLDS_EXCEEDED).absolute(locks.hold_exceeded);
    counter!(name::SAFETY_TICKS).absolute(locks.safety_tick);
    let queues = engine.queues();
    gauge!(name::LANES).set(number(queues.lanes));
    gauge!(name::TURNS_OPEN).set(number(queues.turns));
    gauge!(name::LANE_DEEPEST).set(number(queues.deepest));
    gauge!(name::LOCK_WAITERS).set(number(engine.waiters().count()));
    gauge!(name::SENDS_OPEN).set(number(engine.open_sends()));
    match engine.announcer().counts().await {
        Ok(counts) => {
            for state in AnnounceState::ALL {
                let of_state = counts.get(&state).copied().unwrap_or(0);
                gauge!(name::ANNOUNCES, "state" => state.as_str()).set(number(of_state));
            }
        }
        // The numbers stay what they were; the log says why.
        Err(error) => tracing::warn!(%error, "the outbox could not be counted"),
    }
}

#[allow(clippy::cast_precision_loss, reason = "counts of things in memory are far below 2^52")]
fn number<Count: TryInto<u64>>(count: Count) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}
