//! The methods: which there are, what they take and answer, and which part of the engine does them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use jsonrpsee_core::server::RpcModule;
use moorline_announce::Filter;
use moorline_lock_core::{LockConfig, Locks, control};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    api::Api,
    results::{
        Aborted, Appended, Created, Dismissed, Health, History, Lock, ParkedReplies, Resolved, Revoked, Row,
        Rows, Run, Sent, Sessions, Spawned, Waiting,
    },
    subscriptions::{SubscribeParams, UnsubscribeParams, needs_a_socket},
};
use crate::{
    engine::{AgentParams, CreateParams, Engine, HistoryParams, ResolveParams, SendParams, SpawnParams, row},
    exit::{Exit, Failure},
    lock_folders,
    session_key::SessionKey,
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PathParams {
    /// A transcript, a lock file or a folder, below the state directory.
    path: PathBuf,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WaitParams {
    run_id: String,
    /// How long to wait, in milliseconds; until the end when it is left out.
    timeout_ms: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct AbortParams {
    run_id: String,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SeqParams {
    /// The number of the row, from `announce.list`.
    seq: u64,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SessionParams {
    session_key: SessionKey,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ParkedParams {
    session_key: SessionKey,
    /// From `parked.list`.
    id: String,
}

/// All methods, and the document that describes them.
pub(crate) fn module(
    engine: Arc<Engine>,
    locks: LockConfig,
) -> anyhow::Result<(RpcModule<Arc<Engine>>, Arc<Value>)> {
    let mut api = Api::new(engine);
    api.method::<Nothing, Health, _>(
        "health",
        "What is going on, in numbers.",
        json!({}),
        |engine, _| async move { Ok(engine.health()) },
    )?;
    sessions(&mut api)?;
    runs(&mut api)?;
    operations(&mut api, locks)?;
    api.on_sockets::<SubscribeParams, u64>(
        "events.subscribe",
        "Over a WebSocket: notices with the method `event`, whose params.result says what happened. Who is too slow gets `lagged` with the number missed.",
        json!({"kinds": ["runs", "locks"]}),
        needs_a_socket,
    )?;
    api.on_sockets::<UnsubscribeParams, bool>(
        "events.unsubscribe",
        "Ends a subscription of this WebSocket; false when there is none of that number.",
        json!({"subscription": 1}),
        needs_a_socket,
    )?;
    api.finish()
}

fn sessions(api: &mut Api) -> anyhow::Result<()> {
    api.change::<CreateParams, Created, _>(
        "sessions.create",
        "Creates a session, or finds it. Without a key it gets one.",
        json!({"key": "agent:main:chat", "idempotencyKey": "create-1"}),
        |engine, params| async move { engine.create(params).await },
    )?;
    api.method::<Nothing, Sessions, _>(
        "sessions.list",
        "Every session.",
        json!({}),
        |engine, _| async move { engine.list() },
    )?;
    api.method::<HistoryParams, History, _>(
        "sessions.history",
        "The last messages of a session's active branch.",
        json!({"key": "agent:main:chat", "limit": 10}),
        |engine, params| async move { engine.history(&params) },
    )?;
    api.method::<ResolveParams, Resolved, _>(
        "sessions.resolve",
        "The whole key of a session, from the key or its last part.",
        json!({"key": "chat"}),
        |engine, params| async move { engine.resolve(&params) },
    )?;
    api.method::<SendParams, Sent, _>(
        "sessions.send",
        "Sends a message to a session and waits for its reply. Accepted, delivered, replied and failed are separate facts; the deadline bounds the wait, not the send.",
        json!({"to": "agent:main:chat", "message": "hello", "timeoutMs": 20000, "idempotencyKey": "send-1"}),
        |engine, params| async move { engine.send(params, false).await },
    )?;
    api.method::<SpawnParams, Spawned, _>(
        "sessions.spawn",
        "Starts a sub-agent and returns at once; its result is announced to the requester.",
        json!({"requester": "agent:main:chat", "task": "look it up", "agent": "research", "idempotencyKey": "spawn-1"}),
        |engine, params| async move { engine.spawn(params).await },
    )
}

fn runs(api: &mut Api) -> anyhow::Result<()> {
    api.method::<AgentParams, Run, _>(
        "agent",
        "A turn of a session, asked for by a user.",
        json!({"sessionKey": "agent:main:chat", "message": "and again", "timeoutMs": 20000, "idempotencyKey": "turn-1"}),
        |engine, params| async move { engine.agent(params).await },
    )?;
    api.method::<WaitParams, Run, _>(
        "agent.wait",
        "Waits for a run that was started before.",
        json!({"runId": "RUN", "timeoutMs": 20000}),
        |engine, params| async move {
            engine.wait(&params.run_id, params.timeout_ms.map(Duration::from_millis)).await
        },
    )?;
    api.change::<AbortParams, Aborted, _>(
        "agent.abort",
        "Asks a run to end; it releases its lock within moments.",
        json!({"runId": "RUN"}),
        |engine, params| async move { engine.abort(&params.run_id) },
    )
}

fn operations(api: &mut Api, config: LockConfig) -> anyhow::Result<()> {
    let locks = Locks::new(config.clone());
    api.method::<PathParams, Vec<Lock>, _>(
        "locks.inspect",
        "The locks at a path: who holds them, and what the evidence is.",
        json!({"path": "sessions/main"}),
        move |engine, params| {
            let locks = locks.clone();
            async move {
                let mut views = Vec::new();
                for folder in lock_folders::of(&inside(&engine, &params.path)?)? {
                    views.extend(locks.inspect(&folder)?);
                }
                Ok(serde_json::to_value(views)?)
            }
        },
    )?;
    api.method::<Nothing, Waiting, _>(
        "locks.waiting",
        "The runs of this gateway that wait for a session lock, the longest wait first.",
        json!({}),
        |engine, _| async move { Ok(engine.waiters().list()) },
    )?;
    api.change::<PathParams, Revoked, _>(
        "locks.revoke",
        "Asks the owner of a lock to cancel its run and release; deletes nothing.",
        json!({"path": "sessions/main/chat.jsonl"}),
        move |engine, params| {
            let config = config.clone();
            async move {
                let path = inside(&engine, &params.path)?;
                Ok(serde_json::to_value(control::ask_revoke(&path, &config).await?)?)
            }
        },
    )?;
    api.method::<Nothing, Rows, _>(
        "announce.list",
        "The results of sub-agents and where they stand.",
        json!({}),
        |engine, _| async move {
            let rows = engine.announcer().list(&Filter::default()).await?;
            Ok(json!({"rows": rows.iter().map(row).collect::<Vec<_>>()}))
        },
    )?;
    api.change::<SeqParams, Row, _>(
        "announce.retry",
        "Sends a result that was given up once more.",
        json!({"seq": 1}),
        |engine, params| async move { Ok(row(&engine.announcer().retry(params.seq).await?)) },
    )?;
    api.change::<SeqParams, Row, _>(
        "announce.dismiss",
        "Settles a result without sending it.",
        json!({"seq": 1}),
        |engine, params| async move { Ok(row(&engine.dismiss_announce(params.seq).await?)) },
    )?;
    api.method::<SessionParams, ParkedReplies, _>(
        "parked.list",
        "Replies that were paid for and are in no transcript.",
        json!({"sessionKey": "agent:main:chat"}),
        |engine, params| async move { engine.parked(&params.session_key) },
    )?;
    api.change::<ParkedParams, Appended, _>(
        "parked.append",
        "Writes a parked reply into its transcript, under the session lock.",
        json!({"sessionKey": "agent:main:chat", "id": "ID"}),
        |engine, params| async move { engine.append_parked(&params.session_key, &params.id).await },
    )?;
    api.change::<ParkedParams, Dismissed, _>(
        "parked.dismiss",
        "Drops a parked reply.",
        json!({"sessionKey": "agent:main:chat", "id": "ID"}),
        |engine, params| async move { engine.dismiss_parked(&params.session_key, &params.id).await },
    )
}

/// Only paths below the state directory are looked at over RPC.
fn inside(engine: &Engine, path: &std::path::Path) -> anyhow::Result<PathBuf> {
    let root = engine.root();
    let whole = root.join(path);
    let parent = whole.parent().and_then(|parent| parent.canonicalize().ok());
    // A link inside may lead out; what is not there yet leads nowhere.
    let stays = whole.canonicalize().map_or(true, |resolved| resolved.starts_with(root));
    match (parent, whole.file_name()) {
        (Some(parent), Some(name)) if stays && parent.starts_with(root) && name != ".." => {
            Ok(parent.join(name))
        }
        _ => {
            let message = "the path is not inside the state directory";
            Err(Failure::new(Exit::BadInput, moorline_taxonomy::Request::Format, message).into())
        }
    }
}
