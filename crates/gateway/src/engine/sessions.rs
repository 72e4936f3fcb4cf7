//! Sessions: create, list, history, resolve, and the replies parked beside them.

use moorline_lock_core::Wait;
use moorline_runner::{append_parked, dismiss_parked, list_parked};
use moorline_taxonomy::Request as Fault;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Engine;
use crate::{
    clock,
    exit::{Exit, Failure},
    session_key::SessionKey,
};

/// Messages of a history when the caller does not say.
const DEFAULT_HISTORY: usize = 50;

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct CreateParams {
    /// Its key; made up when it is left out.
    pub(crate) key: Option<SessionKey>,
    /// The agent of a key that is made up; `main` when it is left out.
    pub(crate) agent: Option<String>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct HistoryParams {
    pub(crate) key: SessionKey,
    /// How many messages at most; 50 when it is left out.
    pub(crate) limit: Option<usize>,
}

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ResolveParams {
    /// A session key, or what follows the agent in it.
    pub(crate) key: String,
}

impl Engine {
    /// Creates a session, or finds it. Without a key it gets one.
    pub(crate) async fn create(&self, params: CreateParams) -> anyhow::Result<Value> {
        let key = match params.key {
            Some(key) => {
                if let Some(agent) = params.agent.filter(|agent| agent != key.agent()) {
                    let message = format!("{key} is a session of agent {}, not of {agent}", key.agent());
                    return Err(Failure::new(Exit::BadInput, Fault::Format, message).into());
                }
                key
            }
            None => {
                let agent = params.agent.as_deref().unwrap_or("main");
                format!("agent:{agent}:{}", ulid::Ulid::generate()).parse()?
            }
        };
        let created = self.turns.create(&key).await?;
        Ok(json!({"key": key, "created": created}))
    }

    /// Every session, with its size.
    pub(crate) fn list(&self) -> anyhow::Result<Value> {
        let mut sessions = Vec::new();
        for key in self.state.session_keys()? {
            let bytes = std::fs::metadata(self.state.transcript(&key)?).map_or(0, |file| file.len());
            sessions.push(json!({"key": key, "bytes": bytes, "turns": self.lanes.inside(&key)}));
        }
        Ok(json!({"sessions": sessions}))
    }

    /// The last messages of a session's active branch.
    pub(crate) fn history(&self, params: &HistoryParams) -> anyhow::Result<Value> {
        let mut messages = self.turns.history(&params.key)?;
        let limit = params.limit.unwrap_or(DEFAULT_HISTORY);
        let skip = messages.len().saturating_sub(limit);
        messages.drain(..skip);
        Ok(json!({"key": params.key, "messages": messages}))
    }

    /// The whole key of a session, from the key or its last part.
    pub(crate) fn resolve(&self, params: &ResolveParams) -> anyhow::Result<Value> {
        let matches = |key: &SessionKey| {
            key.as_str() == params.key || key.as_str().splitn(3, ':').nth(2) == Some(params.key.as_str())
        };
        let found: Vec<SessionKey> = self.state.session_keys()?.into_iter().filter(matches).collect();
        match &found[..] {
            [key] => Ok(json!({"key": key})),
            [] => Err(unknown(&params.key, "no session has that key")),
            _ => Err(unknown(&params.key, "several sessions end in it; give the whole key")),
        }
    }
}

impl Engine {
    /// The parked replies of a session.
    pub(crate) fn parked(&self, session: &SessionKey) -> anyhow::Result<Value> {
        Ok(json!({"parked": list_parked(&self.state.transcript(session)?)?}))
    }

    /// Writes a parked reply into its transcript, under the session lock.
    pub(crate) async fn append_parked(&self, session: &SessionKey, id: &str) -> anyhow::Result<Value> {
        let transcript = self.state.transcript(session)?;
        let locks = self.turns.locks();
        let wait = Wait { timeout: locks.config().acquire_timeout, on_stale: None, max_hold: None };
        let added = append_parked(locks, &transcript, id, wait, clock::wall()).await?;
        Ok(json!({"id": id, "appended": true, "entryId": added.entry_id}))
    }

    /// Drops a parked reply.
    pub(crate) async fn dismiss_parked(&self, session: &SessionKey, id: &str) -> anyhow::Result<Value> {
        let parked = dismiss_parked(self.turns.locks(), &self.state.transcript(session)?, id).await?;
        Ok(json!({"id": parked.id, "dismissed": true}))
    }
}

fn unknown(key: &str, problem: &str) -> anyhow::Error {
    let shown: String = key.chars().take(64).collect();
    Failure::new(Exit::BadInput, moorline_taxonomy::Request::Format, format!("{shown:?}: {problem}")).into()
}
