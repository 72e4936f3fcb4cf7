//! Where a tool call goes: into the engine of this process, or to the gateway that runs on a state directory.

use std::sync::Arc;

use serde_json::Value;

use crate::{engine::Engine, rpc::client::Client, state_dir::StateDir};

#[derive(Clone)]
pub(super) enum Gateway {
    Here(Arc<Engine>),
    /// Looked up for each call: a gateway that was restarted listens elsewhere, and one that does not run yet may come.
    Of(StateDir),
}

impl Gateway {
    /// Calls the RPC method of a tool with checked parameters.
    ///
    /// Cancel-safe: dropping the future ends the wait. What was accepted goes on.
    pub(super) async fn call(&self, method: &str, params: Value) -> anyhow::Result<Value> {
        match self {
            Self::Of(state) => Client::connect(state)?.call(method, params).await,
            Self::Here(engine) => match method {
                "sessions.send" => engine.send(serde_json::from_value(params)?, false).await,
                "sessions.spawn" => engine.spawn(serde_json::from_value(params)?).await,
                "sessions.list" => engine.list(),
                "sessions.history" => engine.history(&serde_json::from_value(params)?),
                _ => Ok(engine.health()),
            },
        }
    }
}
