//! The methods: read the parameters, call the engine, put errors into their wire form.

use std::{path::PathBuf, sync::Arc, time::Duration};

use jsonrpsee_core::server::RpcModule;
use jsonrpsee_server::types::{ErrorObjectOwned, Params};
use moorline_announce::Filter;
use moorline_lock_core::{LockConfig, Locks, control};
use moorline_taxonomy::Wire;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::subscriptions::needs_a_socket;
use crate::{
    engine::{AgentParams, CreateParams, Engine, HistoryParams, ResolveParams, SendParams, SpawnParams, row},
    exit::{self, Exit, Failure},
    session_key::SessionKey,
};

/// The JSON-RPC code of every error of ours; the class is in `error.data.code`.
const APPLICATION_ERROR: i32 = -32000;
/// JSON-RPC's own code for parameters that cannot be read.
const INVALID_PARAMS: i32 = -32602;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PathParams {
    path: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RunParams {
    run_id: String,
    timeout_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SeqParams {
    seq: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SessionParams {
    session_key: SessionKey,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ParkedParams {
    session_key: SessionKey,
    id: String,
}

type Answer = Result<Value, ErrorObjectOwned>;

pub(crate) fn module(engine: Arc<Engine>, locks: LockConfig) -> anyhow::Result<RpcModule<Arc<Engine>>> {
    let mut module = RpcModule::new(engine);
    module.register_async_method("health", |_, engine, _| async move { Answer::Ok(engine.health()) })?;
    module.register_async_method("sessions.create", |params, engine, _| async move {
        answer(async { engine.create(read::<CreateParams>(&params)?).await }.await)
    })?;
    module.register_async_method("sessions.list", |_, engine, _| async move { answer(engine.list()) })?;
    module.register_async_method("sessions.history", |params, engine, _| async move {
        answer(read::<HistoryParams>(&params).and_then(|params| engine.history(&params)))
    })?;
    module.register_async_method("sessions.resolve", |params, engine, _| async move {
        answer(read::<ResolveParams>(&params).and_then(|params| engine.resolve(&params)))
    })?;
    module.register_async_method("sessions.send", |params, engine, _| async move {
        answer(async { engine.send(read::<SendParams>(&params)?, &[]).await }.await)
    })?;
    module.register_async_method("sessions.spawn", |params, engine, _| async move {
        answer(async { engine.spawn(read::<SpawnParams>(&params)?).await }.await)
    })?;
    module.register_async_method("agent", |params, engine, _| async move {
        answer(async { engine.agent(read::<AgentParams>(&params)?).await }.await)
    })?;
    module.register_async_method("agent.wait", |params, engine, _| async move {
        let waited = async {
            let params: RunParams = read(&params)?;
            engine.wait(&params.run_id, params.timeout_ms.map(Duration::from_millis)).await
        };
        answer(waited.await)
    })?;
    module.register_async_method("agent.abort", |params, engine, _| async move {
        answer(read::<RunParams>(&params).and_then(|params| engine.abort(&params.run_id)))
    })?;
    let config = locks.clone();
    module.register_async_method("locks.inspect", move |params, engine, _| {
        let locks = Locks::new(config.clone());
        async move {
            answer(read::<PathParams>(&params).and_then(|params| {
                let path = inside(engine.as_ref(), &params.path)?;
                Ok(serde_json::to_value(locks.inspect(&path)?)?)
            }))
        }
    })?;
    module.register_async_method("locks.revoke", move |params, engine, _| {
        let config = locks.clone();
        async move {
            let revoked = async {
                let path = inside(engine.as_ref(), &read::<PathParams>(&params)?.path)?;
                Ok(serde_json::to_value(control::ask_revoke(&path, &config).await?)?)
            };
            answer(revoked.await)
        }
    })?;
    module.register_async_method("announce.list", |_, engine, _| async move {
        let rows = engine.announcer().list(&Filter::default()).await;
        answer(rows.map(|rows| json!({"rows": rows.iter().map(row).collect::<Vec<_>>()})).map_err(Into::into))
    })?;
    module.register_async_method("announce.retry", |params, engine, _| async move {
        let done = async { Ok(row(&engine.announcer().retry(read::<SeqParams>(&params)?.seq).await?)) };
        answer(done.await)
    })?;
    module.register_async_method("announce.dismiss", |params, engine, _| async move {
        let done = async { Ok(row(&engine.announcer().dismiss(read::<SeqParams>(&params)?.seq).await?)) };
        answer(done.await)
    })?;
    module.register_async_method("parked.list", |params, engine, _| async move {
        answer(read::<SessionParams>(&params).and_then(|params| engine.parked(&params.session_key)))
    })?;
    module.register_async_method("parked.append", |params, engine, _| async move {
        let done = async {
            let params: ParkedParams = read(&params)?;
            engine.append_parked(&params.session_key, &params.id).await
        };
        answer(done.await)
    })?;
    module.register_async_method("parked.dismiss", |params, engine, _| async move {
        let done = async {
            let params: ParkedParams = read(&params)?;
            engine.dismiss_parked(&params.session_key, &params.id).await
        };
        answer(done.await)
    })?;
    for name in ["events.subscribe", "events.unsubscribe"] {
        module.register_method(name, |_, _, _| Answer::Err(needs_a_socket()))?;
    }
    Ok(module)
}

/// Only paths below the state directory are looked at over RPC.
fn inside(engine: &Engine, path: &std::path::Path) -> anyhow::Result<PathBuf> {
    let root = engine.root();
    let whole = root.join(path);
    let parent = whole.parent().and_then(|parent| parent.canonicalize().ok());
    match (parent, whole.file_name()) {
        (Some(parent), Some(name)) if parent.starts_with(root) && name != ".." => Ok(parent.join(name)),
        _ => {
            let message = "the path is not inside the state directory";
            Err(Failure::new(Exit::BadInput, moorline_taxonomy::Request::Format, message).into())
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the parameters cannot be read: {0}")]
struct BadParams(String);

fn read<T: DeserializeOwned>(params: &Params<'_>) -> anyhow::Result<T> {
    // No parameters at all is an empty object to every method.
    let text = params.as_str().unwrap_or("{}");
    serde_json::from_str(text).map_err(|error| BadParams(error.to_string()).into())
}

fn answer(result: anyhow::Result<Value>) -> Answer {
    result.map_err(|error| {
        if let Some(bad) = error.downcast_ref::<BadParams>() {
            let wire = Wire::new(moorline_taxonomy::Request::Format, bad.to_string());
            return ErrorObjectOwned::owned(INVALID_PARAMS, bad.to_string(), Some(wire));
        }
        let wire = exit::wire(&error);
        ErrorObjectOwned::owned(APPLICATION_ERROR, wire.message.clone(), Some(wire))
    })
}
