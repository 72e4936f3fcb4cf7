//! The session tools that a model may call: `sessions_send`, `sessions_spawn`, `sessions_list`, `sessions_history` and
//! `session_status`. In the gateway they call the engine; in a runner process they call the gateway over RPC.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use moorline_runner::{ToolCall, ToolContext, ToolEffect, ToolError, ToolHost, ToolResult, ToolSpec};
use moorline_taxonomy::{Local, Request};
use serde_json::{Value, json};

use super::{Engine, HistoryParams, Incoming, SendParams, SpawnParams, keys::digest};
use crate::{exit, rpc::client::Client, session_key::SessionKey};

/// What the model is told, and what an MCP client is told.
pub(crate) fn specs() -> Vec<ToolSpec> {
    let said = |what: &str| json!({"type": "string", "description": what});
    let key = said("A session key, agent:<agent>:<rest>");
    let spec = |name: &str, description: &str, properties: Value, required: Value| ToolSpec {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false}),
    };
    vec![
        spec(
            "sessions_send",
            "Send a message to another session and wait for its reply.",
            json!({
                "to": key,
                "message": said("The text, up to 256 KiB"),
                "timeoutMs": {"type": "integer", "minimum": 0, "description": "How long to wait for the reply, 30000 unless stated; the send itself goes on"},
            }),
            json!(["to", "message"]),
        ),
        spec(
            "sessions_spawn",
            "Give a task to a new sub-agent. Returns at once; the result is announced to this session.",
            json!({
                "task": said("What the sub-agent is to do"),
                "agent": said("The agent that does it; this session's own unless stated"),
                "context": {
                    "type": "string",
                    "enum": ["isolated", "fork"],
                    "description": "isolated (the default): it knows its task alone; fork: it begins with this conversation",
                },
            }),
            json!(["task"]),
        ),
        spec("sessions_list", "List the sessions.", json!({}), json!([])),
        spec(
            "sessions_history",
            "Read the last messages of a session.",
            json!({
                "key": key,
                "limit": {"type": "integer", "minimum": 0, "description": "How many messages, 50 unless stated"},
            }),
            json!(["key"]),
        ),
        spec("session_status", "What is going on in this gateway.", json!({}), json!([])),
    ]
}

/// The RPC method that does what a tool is for.
pub(crate) fn method_of(tool: &str) -> Option<&'static str> {
    match tool {
        "sessions_send" => Some("sessions.send"),
        "sessions_spawn" => Some("sessions.spawn"),
        "sessions_list" => Some("sessions.list"),
        "sessions_history" => Some("sessions.history"),
        "session_status" => Some("health"),
        _ => None,
    }
}

pub(crate) fn effect_of(name: &str) -> ToolEffect {
    match name {
        "sessions_list" | "sessions_history" | "session_status" => ToolEffect::None,
        _ => ToolEffect::Possible,
    }
}

/// The tools of a turn in the gateway.
pub(super) struct GatewayTools {
    engine: Weak<Engine>,
    session: SessionKey,
    /// The key of the message that the turn answers.
    message_key: String,
}

impl GatewayTools {
    pub(super) fn new(engine: &Arc<Engine>, incoming: &Incoming) -> Self {
        Self {
            engine: Arc::downgrade(engine),
            session: incoming.session.clone(),
            message_key: incoming.key.clone(),
        }
    }

    async fn dispatch(&self, call: &ToolCall, context: &ToolContext) -> anyhow::Result<Value> {
        let engine = self.engine.upgrade().ok_or_else(|| anyhow::anyhow!("the gateway is shutting down"))?;
        let key = call_key(&self.session, &self.message_key, call, context.done_before);
        let params = parameters(call, &self.session, &key)?;
        match call.name.as_str() {
            "sessions_send" => engine.send(serde_json::from_value::<SendParams>(params)?, true).await,
            "sessions_spawn" => engine.spawn(serde_json::from_value::<SpawnParams>(params)?).await,
            "sessions_list" => engine.list(),
            "sessions_history" => engine.history(&serde_json::from_value::<HistoryParams>(params)?),
            _ => Ok(engine.health()),
        }
    }
}

/// The same call of the model is the same send or spawn, whichever run of the message makes it: so the key names the
/// message and not the run, and what is asked for and how often that was done before, and not the id that the model gave the
/// call. A model that is asked again after a crash, and makes the call again whose outcome it was not told, makes the same
/// call; one that wants the same twice makes two. It is a digest, because keys have a bounded length and their parts have not.
fn call_key(session: &SessionKey, message_key: &str, call: &ToolCall, done_before: usize) -> String {
    let (arguments, done_before) = (call.arguments.to_string(), done_before.to_string());
    let parts = [session.as_str(), message_key, &call.name, &arguments, &done_before];
    digest(&parts).iter().fold("tool-".to_owned(), |key, byte| key + &format!("{byte:02x}"))
}

/// The tool's arguments as the parameters of the RPC method that does it.
fn parameters(call: &ToolCall, session: &SessionKey, key: &str) -> anyhow::Result<Value> {
    let mut params = match &call.arguments {
        Value::Object(_) => call.arguments.clone(),
        Value::Null => json!({}),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            anyhow::bail!("the arguments must be an object")
        }
    };
    match call.name.as_str() {
        "sessions_send" => {
            params["from"] = json!(session);
            params["idempotencyKey"] = json!(key);
        }
        "sessions_spawn" => {
            params["requester"] = json!(session);
            params["idempotencyKey"] = json!(key);
        }
        "sessions_list" | "sessions_history" | "session_status" => {}
        other => return Err(no_tool(other)),
    }
    Ok(params)
}

fn no_tool(name: &str) -> anyhow::Error {
    anyhow::anyhow!("there is no tool {name:?}")
}

#[async_trait]
impl ToolHost for GatewayTools {
    async fn call(&self, call: &ToolCall, context: &ToolContext) -> Result<ToolResult, ToolError> {
        match self.dispatch(call, context).await {
            Ok(answer) => Ok(ToolResult { text: said(&answer), is_error: false }),
            Err(error) => Err(failed(&error)),
        }
    }

    fn effect(&self, name: &str) -> ToolEffect {
        effect_of(name)
    }
}

/// What the model reads: the reply if there is one, else the whole answer.
fn said(answer: &Value) -> String {
    match answer.get("reply").and_then(Value::as_str) {
        Some(reply) => reply.to_owned(),
        None => answer.to_string(),
    }
}

fn failed(error: &anyhow::Error) -> ToolError {
    let wire = exit::wire(error);
    ToolError::new(
        wire.code.known().unwrap_or(Request::Format.into()),
        format!("{} ({})", wire.message, wire.code),
    )
}

/// The tools of a runner process.
pub(crate) struct RemoteTools {
    client: Option<Client>,
    session: SessionKey,
}

pub(crate) fn remote_tools(client: Option<Client>, session: &SessionKey) -> RemoteTools {
    RemoteTools { client, session: session.clone() }
}

#[async_trait]
impl ToolHost for RemoteTools {
    async fn call(&self, call: &ToolCall, context: &ToolContext) -> Result<ToolResult, ToolError> {
        let client = self.client.as_ref().ok_or_else(|| {
            ToolError::new(Local::Config, "no gateway is running that could reach other sessions")
        })?;
        // The run is over when its process is: nobody goes on with it, so it may name the call.
        let key = call_key(&self.session, &context.run_id, call, context.done_before);
        let mut params = parameters(call, &self.session, &key).map_err(|error| failed(&error))?;
        let method = method_of(&call.name).ok_or_else(|| failed(&no_tool(&call.name)))?;
        if method == "sessions.send" {
            // The gateway does not see that this process is in a turn of the session: an answer to the answer would be
            // another writer's turn, and take the session from the run that waits for it.
            params["maxPingPong"] = json!(0);
        }
        match client.call(method, params).await {
            Ok(answer) => Ok(ToolResult { text: said(&answer), is_error: false }),
            Err(error) => Err(failed(&error)),
        }
    }

    fn effect(&self, name: &str) -> ToolEffect {
        effect_of(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_one_key_and_every_part_of_it_counts() {
        let session: SessionKey = "agent:main:desk".parse().unwrap();
        let call = |id: &str, name: &str, task: &str| ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: json!({ "task": task }),
        };
        let key = call_key(&session, "m", &call("1", "sessions_spawn", "count"), 0);
        // A model that is asked again gives it another id.
        assert_eq!(key, call_key(&session, "m", &call("2", "sessions_spawn", "count"), 0));
        assert_eq!(key.len(), "tool-".len() + 32);
        for (message, call, done_before) in [
            ("n", call("1", "sessions_spawn", "count"), 0),
            ("m", call("1", "sessions_send", "count"), 0),
            ("m", call("1", "sessions_spawn", "sort"), 0),
            ("m", call("1", "sessions_spawn", "count"), 1),
        ] {
            assert_ne!(key, call_key(&session, message, &call, done_before));
        }
    }
}
