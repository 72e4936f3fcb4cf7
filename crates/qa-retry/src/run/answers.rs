//! What the gateway answers, as far as a scenario looks at it.
//!
//! The decision: required is what a step cannot do without, and everything that is not known is ignored; a gateway may say
//! more tomorrow. What is required and missing is a failure of its own kind, and never a default: a `replied` that is
//! absent is not `false`.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::attempt_error::AttemptError;
use crate::Failure;

/// Of a method whose answer does not matter.
#[derive(Debug, Deserialize)]
pub(super) struct Anything {}

/// Of `sessions.send`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SendAnswer {
    pub(super) run_id: Option<String>,
    pub(super) accepted: bool,
    pub(super) delivered: bool,
    pub(super) replied: bool,
    pub(super) reply: Option<String>,
    pub(super) error: Option<Value>,
}

/// Of `sessions.spawn`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SpawnAnswer {
    pub(super) run_id: String,
    pub(super) child_session_key: String,
    pub(super) accepted: bool,
    pub(super) error: Option<Value>,
}

/// Of `agent` and `agent.wait`; a run without an outcome is still under way.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunAnswer {
    pub(super) run_id: String,
    pub(super) outcome: Option<String>,
    pub(super) reply: Option<String>,
    pub(super) error: Option<Value>,
}

/// Of `sessions.history`.
#[derive(Debug, Deserialize)]
pub(super) struct HistoryAnswer {
    pub(super) messages: Vec<Message>,
}

/// One message of a transcript.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Message {
    pub(super) role: String,
    /// A message that only calls tools has none.
    #[serde(default)]
    pub(super) text: String,
    #[serde(default)]
    pub(super) tool_calls: Vec<ToolCall>,
}

/// A call of a tool.
#[derive(Debug, Deserialize)]
pub(super) struct ToolCall {
    pub(super) name: String,
}

/// Of `announce.list`.
#[derive(Debug, Deserialize)]
pub(super) struct AnnounceAnswer {
    pub(super) rows: Vec<AnnounceRow>,
}

/// One row of the outbox.
#[derive(Debug, Deserialize)]
pub(super) struct AnnounceRow {
    pub(super) requester: String,
    pub(super) state: String,
}

impl AnnounceRow {
    /// Whether nothing more happens to it by itself. The states are those of the outbox; one of a newer version counts as
    /// not settled, so that nothing is taken for an end that may be none.
    pub(super) fn settled(&self) -> bool {
        ["delivered", "silent", "rejected", "expired"].contains(&self.state.as_str())
    }
}

/// Of `sessions.list`.
#[derive(Debug, Deserialize)]
pub(super) struct SessionsAnswer {
    pub(super) sessions: Vec<SessionRow>,
}

/// One session.
#[derive(Debug, Deserialize)]
pub(super) struct SessionRow {
    pub(super) key: String,
    /// Turns under way or waiting.
    pub(super) turns: u64,
}

/// Reads an answer.
pub(super) fn read_answer<T: DeserializeOwned>(method: &str, answer: Value) -> Result<T, AttemptError> {
    serde_path_to_error::deserialize(answer).map_err(|error| {
        let path = error.path().to_string();
        // `.` is the answer itself.
        let problem =
            if path == "." { error.inner().to_string() } else { format!("{path}: {}", error.inner()) };
        Failure::Answer { method: method.to_owned(), problem }.into()
    })
}
