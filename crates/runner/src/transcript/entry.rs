//! One line of a transcript: its bytes as they are, and the few fields that decide where it belongs.
//!
//! The decision: an entry keeps its raw line and reads the rest on demand. The option not taken is a typed struct per
//! entry kind; it would lose the fields of other programs, and those must survive byte for byte. Our own mark is one
//! top-level field, `moorline`, which other programs carry along unread.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::draft::WriteAs;

/// What kind of line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `session`: the header.
    Header,
    /// `message`: a message of the conversation.
    Message,
    /// `custom_message`: a message put in by an extension or an announcement; part of the conversation.
    CustomMessage,
    /// `custom`: state of a program; not part of the conversation.
    Custom,
    /// `label`: a name for another entry.
    Label,
    /// `session_info`: a name for the session.
    SessionInfo,
    /// `leaf`: moves the active leaf.
    Leaf,
    /// `compaction`: a summary that stands for everything before the first kept entry.
    Compaction,
    /// `branch_summary`: a summary of a branch that was left.
    BranchSummary,
    /// `model_change` or `thinking_level_change`: settings that belong to the branch.
    Setting,
    /// A kind this version does not know.
    Other,
}

/// Whose entry it is, for a run that comes back from a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Written by this very run.
    Own,
    /// A copy of something that was delivered elsewhere; not a turn of the conversation.
    Mirror,
    /// State, label or name.
    Metadata,
    /// A finished child's result, put in for the next look.
    Announce,
    /// Somebody else continued the conversation.
    Foreign,
}

/// Who wrote an entry of ours, and as what: the `moorline` field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The run.
    pub run: String,
    /// The idempotency key of the turn it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
    /// As what it was written.
    #[serde(rename = "as")]
    pub written_as: WriteAs,
    /// The turn is settled with this entry: `replied`, `failed`, `cancelled` or `superseded`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<String>,
}

/// How an entry names its parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ParentRef {
    /// Not at all: files of the first generation are lists.
    Absent,
    /// `null`: a root.
    Root,
    Id(Arc<str>),
}

/// A line of a transcript.
#[derive(Clone, Debug)]
pub struct Entry {
    raw: Arc<str>,
    kind: Kind,
    pub(crate) id: Option<Arc<str>>,
    pub(crate) parent: ParentRef,
    pub(crate) side: bool,
    pub(crate) role: Option<Arc<str>>,
    pub(crate) transcript_only: bool,
    idempotency_key: Option<Arc<str>>,
    provenance: Option<Provenance>,
}

impl Entry {
    /// Reads a line; `None` when it is not a JSON object with a `type`.
    #[must_use]
    pub fn read(line: &[u8]) -> Option<Self> {
        let line = line.trim_ascii();
        // Cheap first: a hole of zero bytes or another program's noise is not looked at twice.
        if line.first() != Some(&b'{') {
            return None;
        }
        let raw = std::str::from_utf8(line).ok()?;
        let value: Value = serde_json::from_str(raw).ok()?;
        let text =
            |key: &str| value.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        let kind = match text("type")? {
            "session" => Kind::Header,
            "message" => Kind::Message,
            "custom_message" => Kind::CustomMessage,
            "custom" => Kind::Custom,
            "label" => Kind::Label,
            "session_info" => Kind::SessionInfo,
            "leaf" => Kind::Leaf,
            "compaction" => Kind::Compaction,
            "branch_summary" => Kind::BranchSummary,
            "model_change" | "thinking_level_change" => Kind::Setting,
            _ => Kind::Other,
        };
        let message = value.get("message");
        let in_message = |key: &str| message.and_then(|message| message.get(key)).and_then(Value::as_str);
        let transcript_only = in_message("role") == Some("assistant")
            && matches!(in_message("provider"), Some("openclaw" | "moorline"))
            && matches!(in_message("model"), Some("delivery-mirror" | "gateway-injected"));
        Some(Self {
            kind,
            id: if kind == Kind::Header { None } else { text("id").map(Arc::from) },
            parent: match value.get("parentId") {
                None => ParentRef::Absent,
                Some(Value::String(id)) if !id.trim().is_empty() => ParentRef::Id(Arc::from(id.trim())),
                Some(_) => ParentRef::Root,
            },
            side: text("appendMode") == Some("side"),
            role: in_message("role").map(Arc::from),
            transcript_only,
            idempotency_key: in_message("idempotencyKey").map(Arc::from),
            provenance: value.get("moorline").and_then(|mark| Provenance::deserialize(mark).ok()),
            raw: Arc::from(raw),
        })
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The id; entries of the first generation have none.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The parent's id, where one is named.
    #[must_use]
    pub fn parent_id(&self) -> Option<&str> {
        match &self.parent {
            ParentRef::Id(id) => Some(id),
            ParentRef::Absent | ParentRef::Root => None,
        }
    }

    /// `user`, `assistant`, `toolResult`, ..., for messages.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// The line as it is in the file, without its newline.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// The idempotency key of its message, where it has one.
    pub(crate) fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }

    /// Our own mark, on entries that we wrote.
    #[must_use]
    pub fn provenance(&self) -> Option<&Provenance> {
        self.provenance.as_ref()
    }

    /// The whole entry, parsed anew.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.raw).unwrap_or(Value::Null)
    }

    /// Text of a message or custom message: its text blocks, joined by newlines.
    #[must_use]
    pub fn text(&self) -> String {
        let value = self.value();
        let holder =
            if self.kind == Kind::Message { value.get("message").unwrap_or(&Value::Null) } else { &value };
        text_of(holder.get("content").unwrap_or(&Value::Null))
    }

    /// Whose entry it is, seen by `run`.
    #[must_use]
    pub fn origin(&self, run: &str) -> Origin {
        match (&self.provenance, self.kind) {
            (Some(Provenance { written_as: WriteAs::Mirror, .. }), _) => Origin::Mirror,
            (Some(Provenance { written_as: WriteAs::Announce, .. }), _) => Origin::Announce,
            (Some(Provenance { written_as: WriteAs::Metadata, .. }), _) => Origin::Metadata,
            (Some(mark), _) if mark.run == run => Origin::Own,
            (_, Kind::Message) if self.transcript_only => Origin::Mirror,
            (_, Kind::Message | Kind::CustomMessage) => Origin::Foreign,
            (_, Kind::Header | Kind::Custom | Kind::Label | Kind::SessionInfo | Kind::Setting) => {
                Origin::Metadata
            }
            (_, Kind::Leaf | Kind::Compaction | Kind::BranchSummary | Kind::Other) => Origin::Metadata,
        }
    }
}

/// The text of `content`: a string, or an array of blocks.
pub(crate) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts =
                blocks.iter().filter(|block| block.get("type").and_then(Value::as_str) == Some("text"));
            texts.filter_map(|block| block.get("text").and_then(Value::as_str)).collect::<Vec<_>>().join("\n")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}
