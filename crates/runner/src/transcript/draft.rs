//! Entries on their way into a transcript.

use std::{path::PathBuf, time::SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    entry::Provenance,
    format::{Lines, Tip},
    session::VERSION,
};
use crate::{clock, ids};

/// As what an entry is written; a run that comes back from its prompt goes by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WriteAs {
    /// A step of the conversation: for every other run it is a takeover.
    Turn,
    /// A copy of something that was delivered elsewhere.
    Mirror,
    /// State, labels, names.
    Metadata,
    /// A finished child's result.
    Announce,
}

/// What to write; id, parent, time and our mark are added when it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    kind: &'static str,
    fields: Vec<(&'static str, Value)>,
}

impl Draft {
    /// A message of the conversation, given as the message object (`role`, `content`, ...).
    #[must_use]
    pub fn message(message: Value) -> Self {
        Self::new("message", [("message", message)])
    }

    /// A user's message of plain text.
    #[must_use]
    pub fn user(text: &str, at: SystemTime) -> Self {
        Self::message(
            json!({"role": "user", "content": [{"type": "text", "text": text}], "timestamp": clock::millis(at)}),
        )
    }

    /// A copy of a text that was delivered elsewhere, in the form that programs of the generation know.
    #[must_use]
    pub fn mirror(text: &str, at: SystemTime) -> Self {
        Self::message(json!({
            "role": "assistant",
            "content": [{"type": "text", "text": text}],
            "api": "moorline-transcript",
            "provider": "openclaw",
            "model": "delivery-mirror",
            "usage": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "totalTokens": 0,
                "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "total": 0}},
            "stopReason": "stop",
            "timestamp": clock::millis(at),
        }))
    }

    /// State of a program; not part of the conversation.
    #[must_use]
    pub fn custom(custom_type: &str, data: Value) -> Self {
        Self::new("custom", [("customType", custom_type.into()), ("data", data)])
    }

    /// A message put in by a program: part of the conversation.
    #[must_use]
    pub fn custom_message(custom_type: &str, text: &str, details: Value) -> Self {
        Self::new(
            "custom_message",
            [
                ("customType", custom_type.into()),
                ("content", text.into()),
                ("display", true.into()),
                ("details", details),
            ],
        )
    }

    /// A name for another entry.
    #[must_use]
    pub fn label(target_id: &str, label: &str) -> Self {
        Self::new("label", [("targetId", target_id.into()), ("label", label.into())])
    }

    /// A name for the session.
    #[must_use]
    pub fn session_info(name: &str) -> Self {
        Self::new("session_info", [("name", name.into())])
    }

    /// A summary that stands for everything before the entry `first_kept_id`.
    #[must_use]
    pub fn compaction(summary: &str, first_kept_id: &str, tokens_before: u64) -> Self {
        Self::new(
            "compaction",
            [
                ("summary", summary.into()),
                ("firstKeptEntryId", first_kept_id.into()),
                ("tokensBefore", tokens_before.into()),
            ],
        )
    }

    fn new<const N: usize>(kind: &'static str, fields: [(&'static str, Value); N]) -> Self {
        Self { kind, fields: fields.into() }
    }
}

/// A new session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// The session's id; usually the file's name without its suffix.
    pub id: String,
    /// The session's key, for people.
    pub session_key: String,
    /// Where it works.
    pub cwd: PathBuf,
    /// The transcript it was forked from.
    pub parent_session: Option<String>,
}

impl NewSession {
    pub(crate) fn header(&self, at: SystemTime) -> Vec<u8> {
        let mut header = vec![
            ("type", "session".into()),
            ("version", VERSION.into()),
            ("id", self.id.as_str().into()),
            ("timestamp", clock::iso(at).into()),
            ("cwd", self.cwd.display().to_string().into()),
        ];
        header.extend(self.parent_session.as_deref().map(|parent| ("parentSession", parent.into())));
        header.push(("moorline", json!({"sessionKey": self.session_key})));
        line(&header)
    }
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// The id of the last entry; `None` in a file whose entries have no ids.
    pub entry_id: Option<String>,
    /// Bytes of the transcript now.
    pub len: u64,
}

/// The lines of `drafts`, each the child of the one before, the first one of `tip`.
pub(crate) fn compose(tip: &Tip, drafts: &[(Draft, Provenance)], at: SystemTime) -> Lines {
    let mut lines = Lines { bytes: Vec::new(), tip: tip.clone() };
    for (draft, provenance) in drafts {
        let mut entry = vec![("type", draft.kind.into())];
        if !tip.linear {
            let id = ids::fresh();
            entry.push(("id", id.as_str().into()));
            entry.push(("parentId", lines.tip.leaf.as_deref().map_or(Value::Null, Value::from)));
            lines.tip.leaf = Some(id);
        }
        entry.push(("timestamp", clock::iso(at).into()));
        entry.extend(draft.fields.clone());
        entry.push(("moorline", serde_json::to_value(provenance).unwrap_or(Value::Null)));
        lines.bytes.append(&mut line(&entry));
    }
    lines
}

/// One object on one line, with its keys in this order: people and older programs expect `type` first. JSON text has no
/// raw newline inside.
pub(crate) fn line(fields: &[(&str, Value)]) -> Vec<u8> {
    let fields = fields.iter().map(|(key, value)| format!("{}:{value}", Value::from(*key)));
    let mut bytes = format!("{{{}}}", fields.collect::<Vec<_>>().join(",")).into_bytes();
    bytes.push(b'\n');
    bytes
}
