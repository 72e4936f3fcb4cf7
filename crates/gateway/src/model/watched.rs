//! Models and cooldowns, watched: every call and every cooldown is counted, and failures are told to whoever listens.
//!
//! Both are ports through which failover acts, so that nothing in it has to know who watches.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use moorline_failover::{Cooldown, CooldownStore, Event, Key, Record, StoreError, Why};
use moorline_runner::{Model, ModelError, ModelReply, ModelRequest, StreamSink};

use super::Models;
use crate::{
    events::{Events, Told},
    metrics,
};

impl Models {
    /// The same models, watched.
    pub(crate) fn watched(self, events: &Events) -> Self {
        Self {
            model: Arc::new(WatchedModel { inner: self.model, events: events.clone() }),
            cooldowns: Arc::new(WatchedCooldowns { inner: self.cooldowns, events: events.clone() }),
            ..self
        }
    }
}

/// Tells whom failover passed over. What it called is told by the model that was called.
pub(crate) fn tell_skipped(events: &Events, run_id: &str, record: &Record) {
    match &record.event {
        Event::Skipped(skip) => events.tell(|| Told::CandidateSkipped {
            run_id: run_id.to_owned(),
            candidate: format!("{}/{}", record.candidate.provider(), record.candidate.model()),
            why: skip.as_str(),
            until: skip.until().map(millis),
        }),
        Event::Failed { .. } | Event::Served => {}
    }
}

struct WatchedModel {
    inner: Arc<dyn Model>,
    events: Events,
}

#[async_trait]
impl Model for WatchedModel {
    async fn call(
        &self,
        request: &ModelRequest,
        sink: &mut dyn StreamSink,
    ) -> Result<ModelReply, ModelError> {
        let answered = self.inner.call(request, sink).await;
        let failed = answered.as_ref().err().map(|error| error.mark().code());
        metrics::model_called(failed);
        if let Some(code) = failed {
            self.events.tell(|| Told::ModelFailed {
                run_id: request.run_id.clone(),
                candidate: format!("{}/{}", request.candidate.provider, request.candidate.model),
                code: code.to_string(),
            });
        }
        answered
    }
}

struct WatchedCooldowns {
    inner: Arc<dyn CooldownStore>,
    events: Events,
}

#[async_trait]
impl CooldownStore for WatchedCooldowns {
    async fn load(&self) -> Result<Vec<Cooldown>, StoreError> {
        self.inner.load().await
    }

    async fn merge(&self, cooldown: &Cooldown) -> Result<(), StoreError> {
        metrics::cooled(cooldown.why);
        self.events.tell(|| Told::CooldownSet {
            candidate: what(&cooldown.key),
            why: cooldown.why.as_str(),
            until: millis(cooldown.until),
        });
        self.inner.merge(cooldown).await
    }

    async fn clear(&self, key: &Key, why: Why, until: SystemTime) -> Result<(), StoreError> {
        self.inner.clear(key, why, until).await
    }

    async fn claim(&self, key: &Key, now: SystemTime, lease_end: SystemTime) -> Result<bool, StoreError> {
        self.inner.claim(key, now, lease_end).await
    }

    async fn release(&self, key: &Key) -> Result<(), StoreError> {
        self.inner.release(key).await
    }
}

/// What cools, without its credential.
fn what(key: &Key) -> String {
    match &key.model {
        Some(model) => format!("{}/{model}", key.provider),
        None => key.provider.clone(),
    }
}

fn millis(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
