//! Models and cooldowns, counted: wrappers of the two ports through which failover acts.

use std::{sync::Arc, time::SystemTime};

use async_trait::async_trait;
use metrics::counter;
use moorline_failover::{Cooldown, CooldownStore, Key, StoreError, Why};
use moorline_runner::{Model, ModelError, ModelReply, ModelRequest, StreamSink};
use moorline_taxonomy::{Code, Domain};

use super::table as name;
use crate::model::Models;

/// The same models, counted.
pub(crate) fn observed(models: Models) -> Models {
    Models {
        model: Arc::new(Observed(models.model)),
        cooldowns: Arc::new(Cooling(models.cooldowns)),
        ..models
    }
}

struct Observed(Arc<dyn Model>);

#[async_trait]
impl Model for Observed {
    async fn call(
        &self,
        request: &ModelRequest,
        sink: &mut dyn StreamSink,
    ) -> Result<ModelReply, ModelError> {
        let answered = self.0.call(request, sink).await;
        answered_with(answered.as_ref().err().map(|error| error.mark().code()));
        answered
    }
}

fn answered_with(failed: Option<Code>) {
    let word = failed.map_or_else(|| "ok".to_owned(), |code| code.to_string());
    if failed.is_some_and(|code| code.domain() == Domain::Provider) {
        counter!(name::CANDIDATES_BURNED, "code" => word.clone()).increment(1);
    }
    counter!(name::MODEL_CALLS, "code" => word).increment(1);
}

struct Cooling(Arc<dyn CooldownStore>);

#[async_trait]
impl CooldownStore for Cooling {
    async fn load(&self) -> Result<Vec<Cooldown>, StoreError> {
        self.0.load().await
    }

    async fn merge(&self, cooldown: &Cooldown) -> Result<(), StoreError> {
        counter!(name::COOLDOWNS, "why" => cooldown.why.as_str()).increment(1);
        self.0.merge(cooldown).await
    }

    async fn clear(&self, key: &Key, why: Why, until: SystemTime) -> Result<(), StoreError> {
        self.0.clear(key, why, until).await
    }

    async fn claim(&self, key: &Key, now: SystemTime, lease_end: SystemTime) -> Result<bool, StoreError> {
        self.0.claim(key, now, lease_end).await
    }

    async fn release(&self, key: &Key) -> Result<(), StoreError> {
        self.0.release(key).await
    }
}
