//! `sessions_spawn`: a child session takes a turn of its own, and its result is announced to the requester.
//!
//! The call does not wait. The result is in the outbox before anything is sent, so it survives whatever happens to this
//! process afterwards; failures of the child are results too.

use std::sync::{Arc, atomic::Ordering};

use moorline_taxonomy::{Code, Coordination, Request};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Engine, Incoming,
    keys::Asked,
    run_turn::Start,
    runs::Run,
    sends::{check_key, check_message},
};
use crate::{
    events::Event,
    exit::{Exit, Failure},
    session_key::SessionKey,
};

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SpawnParams {
    pub(crate) requester: SessionKey,
    /// What the child is told; at most 256 KiB.
    pub(crate) task: String,
    /// The child's agent; the requester's when it is left out.
    pub(crate) agent: Option<String>,
    /// What the child knows when it begins; `isolated` when it is left out.
    #[serde(default)]
    pub(crate) context: Context,
    /// The same key is the same child, after a restart, too.
    pub(crate) idempotency_key: Option<String>,
}

/// What a child knows when it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Context {
    /// Its task alone.
    #[default]
    Isolated,
    /// What its requester's session has said so far.
    Fork,
}

impl Engine {
    /// Starts a child and returns at once.
    pub(crate) async fn spawn(self: &Arc<Self>, params: SpawnParams) -> anyhow::Result<Value> {
        check_message(&params.task)?;
        check_key(params.idempotency_key.as_deref())?;
        let agent = params.agent.as_deref().unwrap_or_else(|| params.requester.agent());
        let fork = params.context == Context::Fork;
        let asked = Asked::child(&params.requester, agent, &params.task, fork);
        // Two calls with one key, or for the last free child, come one after the other.
        let _one_at_a_time = self.spawning.lock().await;
        if let Some(key) = &params.idempotency_key
            && let Some(known) = self.keys.find(key, &asked)?
        {
            return Ok(json!({"runId": known.run_id, "childSessionKey": known.child, "accepted": true}));
        }
        self.check_open()?;
        let child = self.new_child(&params)?;
        let place = self.lanes.place(&child)?;
        match params.context {
            Context::Isolated => {}
            // Before the promise: a child that is promised has its history, whatever comes next.
            Context::Fork => self.turns.fork(&params.requester, &child).await?,
        }
        let run_id = ulid::Ulid::generate().to_string();
        let promise = Event::SpawnAccepted {
            run_id: run_id.clone(),
            requester: params.requester.clone(),
            child: child.clone(),
            task: params.task.clone(),
            fork,
            idempotency_key: params.idempotency_key.clone(),
        };
        let incoming = Incoming {
            text: params.task.clone(),
            key: run_id.clone(),
            from: Some(params.requester.clone()),
            session: child.clone(),
        };
        let run = self.begin(Start {
            run_id: run_id.clone(),
            parent: Some(params.requester.clone()),
            promise: Some(promise),
            ..Start::new(place, incoming)
        })?;
        if let Some(key) = &params.idempotency_key {
            self.keys.remember(key, asked, Some(&run_id), Some(&child));
        }
        self.open.spawns_accepted.fetch_add(1, Ordering::Relaxed);
        let (engine, id) = (Arc::clone(self), run_id.clone());
        self.tasks.run(async move { engine.announce_when_done(params.requester, &run, &id).await });
        Ok(json!({"runId": run_id, "childSessionKey": child, "accepted": true}))
    }

    /// The session of a new child, if its requester may have one more.
    fn new_child(&self, params: &SpawnParams) -> anyhow::Result<SessionKey> {
        let requester = &params.requester;
        let refused = |exit, code: Code, problem: String| {
            anyhow::Error::from(Failure::new(exit, code, format!("the spawn was not accepted: {problem}")))
        };
        let depth = requester.as_str().split(':').filter(|part| *part == "subagent").count();
        if depth as u64 >= self.limits.spawn_depth {
            let problem =
                format!("{requester} is {depth} levels deep, and has no children (limits.spawnDepth)");
            return Err(refused(Exit::BadInput, Request::Format.into(), problem));
        }
        let children = self.runs.open_children(requester);
        if children as u64 >= self.limits.spawn_children {
            let problem =
                format!("{children} children of {requester} are under way (limits.spawnChildren); try later");
            return Err(refused(Exit::Busy, Coordination::LaneTimeout.into(), problem));
        }
        let agent = params.agent.as_deref().unwrap_or_else(|| requester.agent());
        if params.context == Context::Fork && agent != requester.agent() {
            let problem = format!(
                "a fork has its requester's history, which is not agent {agent}'s; use context isolated"
            );
            return Err(refused(Exit::BadInput, Request::Format.into(), problem));
        }
        let ancestry = "subagent:".repeat(depth + 1);
        Ok(format!("agent:{agent}:{ancestry}{}", ulid::Ulid::generate()).parse()?)
    }

    /// Waits for a child's turn and keeps its result, under the run id that the requester was given.
    pub(super) async fn announce_when_done(self: &Arc<Self>, requester: SessionKey, run: &Run, run_id: &str) {
        // Nothing to announce yet where a shutdown cut the child off: the next gateway goes on with it.
        let Some(end) = run.ended().await.filter(|end| !end.shut_down()) else { return };
        let text = match &end.outcome {
            Ok(text) => text.clone(),
            Err(wire) => format!("the sub-agent failed: {} ({})", wire.message, wire.code),
        };
        self.submit_announce(&requester, &run.session, run_id, &text).await;
    }
}
