//! What methods answer, for the document. The engine answers with JSON; a test holds every real answer against these.
#![allow(dead_code, reason = "described by their fields, never built")]

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value};

use crate::session_key::SessionKey;

/// An error of the taxonomy.
pub(super) struct WireError;

impl JsonSchema for WireError {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WireError".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"$ref": "#/components/schemas/WireError"})
    }
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Health {
    ok: bool,
    pid: u32,
    lanes: Lanes,
    sends: Sends,
    spawns: Spawns,
    announces: Announces,
    /// Counters of the locks of this process.
    locks: Map<String, Value>,
}

#[derive(JsonSchema)]
struct Lanes {
    /// Turns under way or waiting.
    turns: u64,
}

#[derive(JsonSchema)]
struct Sends {
    /// Accepted and not settled.
    open: u64,
}

#[derive(JsonSchema)]
struct Spawns {
    accepted: u64,
}

#[derive(JsonSchema)]
struct Announces {
    delivered: u64,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Created {
    key: SessionKey,
    /// False when it was there.
    created: bool,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sessions {
    sessions: Vec<Session>,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
struct Session {
    key: SessionKey,
    /// Size of its transcript.
    bytes: u64,
    /// Turns under way or waiting.
    turns: u64,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct History {
    key: SessionKey,
    /// Oldest first.
    messages: Vec<Message>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Message {
    id: Option<String>,
    role: String,
    text: String,
    idempotency_key: Option<String>,
    tool_calls: Vec<ToolCall>,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
struct ToolCall {
    name: Option<String>,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Resolved {
    key: SessionKey,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Sent {
    send_id: String,
    run_id: String,
    /// It is written down and will be replied to or fail.
    accepted: bool,
    /// It is in the receiver's transcript.
    delivered: bool,
    replied: bool,
    reply: Option<String>,
    error: Option<WireError>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Spawned {
    run_id: Option<String>,
    child_session_key: Option<SessionKey>,
    accepted: bool,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Run {
    run_id: String,
    session_key: SessionKey,
    ended: bool,
    /// `replied`, `parked`, `superseded`, `failed` or `cancelled`, once it ended.
    outcome: Option<String>,
    reply: Option<String>,
    error: Option<WireError>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Aborted {
    run_id: String,
    aborted: bool,
}

/// A lock, as `moorline lock inspect --json` shows it.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Lock {
    lock_path: String,
    pid: Option<u32>,
    pid_alive: Option<bool>,
    created_at: Option<String>,
    age_ms: Option<u64>,
    /// `free`, `live`, `stale`, `dead`, `unknown` or `contended`.
    state: String,
    stale: bool,
    stale_reasons: Vec<String>,
    removable: bool,
    owner: Option<Map<String, Value>>,
    evidence: Option<Map<String, Value>>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Waiting {
    waiting: Vec<Waiter>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Waiter {
    lock_path: String,
    run_id: String,
    session_key: Option<String>,
    waited_ms: u64,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Revoked {
    lock_path: String,
    /// Before the owner was asked, and now.
    state_before: String,
    state: String,
    /// A free or dead lock has nobody to ask.
    asked: bool,
    released: bool,
    owner: Option<Map<String, Value>>,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rows {
    rows: Vec<Row>,
}

/// A result on its way to its requester; never its text.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Row {
    seq: u64,
    key: String,
    kind: String,
    requester: String,
    child_run_id: String,
    state: String,
    path: Option<String>,
    sends: u64,
    lookups: u64,
    created_at: u64,
    due_at: u64,
    settled_at: Option<u64>,
    /// Code of the last failure.
    cause: Option<String>,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ParkedReplies {
    parked: Vec<Parked>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Parked {
    id: String,
    parked_at: String,
    run_id: String,
    session_key: String,
    idempotency_key: String,
    reason: String,
    text: String,
    messages: Vec<Value>,
}

#[derive(JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Appended {
    id: String,
    appended: bool,
    entry_id: Option<String>,
}

#[derive(JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Dismissed {
    id: String,
    dismissed: bool,
}
