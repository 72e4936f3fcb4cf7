//! `sessions_spawn`: a child session takes a turn of its own, and its result is announced to the requester.
//!
//! The call does not wait. The result is in the outbox before anything is sent, so it survives whatever happens to this
//! process afterwards; failures of the child are results too.

use std::sync::{Arc, atomic::Ordering};

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Engine, Incoming, keys::Asked, sends::check_message};
use crate::{
    events::Event,
    exit::{Exit, Failure},
    session_key::SessionKey,
};

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SpawnParams {
    pub(crate) requester: SessionKey,
    pub(crate) task: String,
    pub(crate) agent: Option<String>,
    pub(crate) idempotency_key: Option<String>,
}

impl Engine {
    /// Starts a child and returns at once.
    pub(crate) fn spawn(self: &Arc<Self>, params: SpawnParams) -> anyhow::Result<Value> {
        check_message(&params.task)?;
        let asked = Asked::Child { requester: params.requester.clone(), task: params.task.clone() };
        if let Some(key) = &params.idempotency_key
            && let Some(known) = self.keys.find(key, &asked)?
        {
            return Ok(json!({"runId": known.run_id, "childSessionKey": known.child, "accepted": true}));
        }
        let refused = |problem: String| {
            let message = format!("the spawn was not accepted: {problem}");
            Failure::new(Exit::Busy, moorline_taxonomy::Coordination::LaneTimeout, message)
        };
        let depth = params.requester.as_str().matches(":subagent:").count();
        if depth as u64 >= self.limits.spawn_depth {
            let message = format!(
                "the spawn was not accepted: {} is {depth} levels deep, allowed are {} (limits.spawnDepth)",
                params.requester, self.limits.spawn_depth
            );
            return Err(Failure::new(Exit::BadInput, moorline_taxonomy::Request::Format, message).into());
        }
        let children = self.runs.open_children(&params.requester);
        if children as u64 >= self.limits.spawn_children {
            return Err(refused(format!("{children} children of {} are under way", params.requester)).into());
        }
        let agent = params.agent.as_deref().unwrap_or_else(|| params.requester.agent());
        let ancestry = "subagent:".repeat(depth + 1);
        let child: SessionKey = format!("agent:{agent}:{ancestry}{}", ulid::Ulid::generate()).parse()?;
        let place = self.lanes.place(&child)?;
        let run_id = ulid::Ulid::generate().to_string();
        let promise = Event::SpawnAccepted {
            run_id: run_id.clone(),
            requester: params.requester.clone(),
            child: child.clone(),
            task: params.task.clone(),
            idempotency_key: params.idempotency_key.clone(),
        };
        let incoming = Incoming {
            text: params.task.clone(),
            key: run_id.clone(),
            from: Some(params.requester.clone()),
            session: child.clone(),
        };
        // Counted first: the child may end before this line is over.
        self.runs.adopt(&run_id, &params.requester);
        if let Err(error) = self.start_promised(place, incoming, false, &run_id, promise) {
            self.runs.disown(&run_id);
            return Err(error);
        }
        if let Some(key) = &params.idempotency_key {
            self.keys.remember(key, asked, Some(&run_id), Some(&child));
        }
        self.open.spawns_accepted.fetch_add(1, Ordering::Relaxed);
        let (engine, id) = (Arc::clone(self), run_id.clone());
        self.tasks.run(async move { engine.announce_when_done(params.requester, &id, &id).await });
        Ok(json!({"runId": run_id, "childSessionKey": child, "accepted": true}))
    }

    /// Waits for a child's turn and keeps its result, under the run id that the requester was given.
    pub(super) async fn announce_when_done(
        self: &Arc<Self>,
        requester: SessionKey,
        turn: &str,
        run_id: &str,
    ) {
        let Some(run) = self.runs.get(turn) else { return };
        let Some(end) = run.ended().await else { return };
        let text = match &end.outcome {
            Ok(text) => text.clone(),
            Err(wire) => format!("the sub-agent failed: {} ({})", wire.message, wire.code),
        };
        self.submit_announce(&requester, run_id, &text).await;
    }
}
