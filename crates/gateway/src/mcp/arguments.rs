//! The arguments of a tool call: what MCP adds to the tools, what is wrong with a call, by key, and the parameters of the
//! RPC method that it becomes. Pure.
//!
//! The option not taken is to let the gateway refuse: over RPC a wrong type is reported without the key it stands under.

use moorline_runner::ToolSpec;
use moorline_taxonomy::Request;
use rmcp::model::JsonObject;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    engine::{HistoryParams, SendParams, SpawnParams, specs},
    exit::{Exit, Failure},
    session_key::SessionKey,
};

/// No arguments.
#[derive(Deserialize)]
struct Nothing {}

/// The tools as a client sees them. A connection that speaks for a session does not say so again with every call.
pub(super) fn tools(session: Option<&SessionKey>) -> Vec<ToolSpec> {
    specs().into_iter().map(|spec| with_caller(spec, session.is_some())).collect()
}

fn with_caller(mut spec: ToolSpec, bound: bool) -> ToolSpec {
    let (caller, what, needed) = match spec.name.as_str() {
        "sessions_send" => (
            "from",
            "The session that sends; it also gets the reply as a turn of its own. Nobody unless stated",
            false,
        ),
        "sessions_spawn" => {
            ("requester", "The session that gets the sub-agent's result, as a turn of its own", true)
        }
        _ => return spec,
    };
    let parameters = &mut spec.parameters;
    parameters["properties"]["idempotencyKey"] = json!({
        "type": "string",
        "description": "The same key is the same request, however often it is made and whatever became of the connection",
    });
    if !bound {
        parameters["properties"][caller] = json!({"type": "string", "description": what});
        if let (true, Some(required)) = (needed, parameters["required"].as_array_mut()) {
            required.push(json!(caller));
        }
    }
    spec
}

/// The parameters of the RPC method. `call_id` is the idempotency key of a caller who gives none.
pub(super) fn parameters(
    tool: &str,
    arguments: JsonObject,
    session: Option<&SessionKey>,
    call_id: &str,
) -> Result<Value, Failure> {
    let wrong = |problem: String| Failure::new(Exit::BadInput, Request::Format, format!("{tool}: {problem}"));
    let spec = tools(session).into_iter().find(|spec| spec.name == tool);
    let schema = spec.map(|spec| spec.parameters).unwrap_or_default();
    let known: Vec<&String> =
        schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key).collect();
    if let Some(key) = arguments.keys().find(|key| !known.contains(key)) {
        let shown: String = key.chars().take(64).collect();
        let takes: Vec<String> = known.iter().map(|key| format!("`{key}`")).collect();
        let takes = if takes.is_empty() { "none".to_owned() } else { takes.join(", ") };
        return Err(wrong(format!("there is no argument `{shown}`; it takes {takes}")));
    }
    let needed = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(key) = needed.into_iter().find(|key| !arguments.contains_key(*key)) {
        return Err(wrong(format!("the argument `{key}` is missing")));
    }
    let mut params = Value::Object(arguments);
    let caller = match tool {
        "sessions_send" => Some("from"),
        "sessions_spawn" => Some("requester"),
        _ => None,
    };
    if let Some(caller) = caller {
        if let Some(session) = session {
            params[caller] = json!(session);
        }
        if params["idempotencyKey"].is_null() {
            params["idempotencyKey"] = json!(call_id);
        }
    }
    let checked = match tool {
        "sessions_send" => check::<SendParams>(&params),
        "sessions_spawn" => check::<SpawnParams>(&params),
        "sessions_history" => check::<HistoryParams>(&params),
        _ => check::<Nothing>(&params),
    };
    checked.map_err(wrong)?;
    Ok(params)
}

fn check<T: DeserializeOwned>(params: &Value) -> Result<(), String> {
    match serde_path_to_error::deserialize::<_, T>(params) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("the argument `{}`: {}", error.path(), error.inner())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tool: &str, arguments: Value, session: Option<&str>) -> Result<Value, String> {
        let session = session.map(|key| key.parse().unwrap());
        let Value::Object(arguments) = arguments else { panic!("an object") };
        parameters(tool, arguments, session.as_ref(), "call-1").map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_wrong_is_named_by_its_key() {
        let to = "agent:main:a";
        for (tool, arguments, session, names) in [
            ("sessions_send", json!({"message": "hi"}), None, "`to` is missing"),
            ("sessions_send", json!({"to": to}), None, "`message` is missing"),
            ("sessions_send", json!({"to": "../x", "message": "hi"}), None, "`to`: "),
            ("sessions_send", json!({"to": to, "message": 5}), None, "`message`: "),
            ("sessions_send", json!({"to": to, "message": "hi", "timeoutMs": -1}), None, "`timeoutMs`: "),
            ("sessions_send", json!({"to": to, "message": "hi", "timeoutMs": "soon"}), None, "`timeoutMs`: "),
            ("sessions_send", json!({"to": to, "message": "hi", "wait": 1}), None, "no argument `wait`"),
            ("sessions_send", json!({"to": to, "message": "hi", "from": "x"}), None, "`from`: "),
            ("sessions_send", json!({"to": to, "message": "hi", "from": to}), Some(to), "no argument `from`"),
            ("sessions_spawn", json!({"task": "dig"}), None, "`requester` is missing"),
            ("sessions_spawn", json!({"task": "dig", "requester": to}), Some(to), "no argument `requester`"),
            ("sessions_history", json!({"key": to, "limit": 1.5}), None, "`limit`: "),
            ("sessions_list", json!({"all": true}), None, "it takes none"),
        ] {
            let error = read(tool, arguments.clone(), session).unwrap_err();
            assert!(error.starts_with(tool) && error.contains(names), "{arguments}: {error}");
        }
    }

    #[test]
    fn a_call_becomes_the_parameters_of_its_method() {
        let key = "agent:main:a";
        assert_eq!(
            read("sessions_send", json!({"to": key, "message": "hi"}), Some("agent:me:desk")).unwrap(),
            json!({"to": key, "message": "hi", "from": "agent:me:desk", "idempotencyKey": "call-1"})
        );
        assert_eq!(
            read("sessions_spawn", json!({"task": "dig", "requester": key, "idempotencyKey": "mine"}), None)
                .unwrap(),
            json!({"task": "dig", "requester": key, "idempotencyKey": "mine"})
        );
        assert_eq!(read("session_status", json!({}), Some(key)).unwrap(), json!({}));
    }

    #[test]
    fn every_tool_that_a_model_has_can_be_called() {
        for spec in specs() {
            assert!(crate::engine::method_of(&spec.name).is_some(), "{}", spec.name);
            let bound = tools(Some(&"agent:main:a".parse().unwrap()));
            assert!(
                bound
                    .iter()
                    .any(|tool| tool.name == spec.name && tool.parameters["properties"]["from"].is_null())
            );
        }
    }
}
