//! A session as a run sees it: the header, the active branch, what stands beside it, and what was left unfinished.
//!
//! What must stay true: what was left out is said ([`Session::is_cut`]); nothing in here reads or writes a file.

use serde_json::Value;

use super::{
    entry::{Entry, Kind},
    format::Tip,
};

/// The header version of the generation this crate writes.
pub(crate) const VERSION: u64 = 3;

/// The first line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionHeader {
    /// The session's id.
    pub id: String,
    /// The format's version; 1 where none is stated.
    pub version: u64,
    /// When it began, as written.
    pub timestamp: Option<String>,
    /// Where it works, as written.
    pub cwd: Option<String>,
    /// The whole line.
    pub raw: String,
}

/// A user's message that no reply, failure or cancellation follows: the run that worked on it died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The entry of the user's message.
    pub entry_id: Option<String>,
    /// Its idempotency key, where it has one.
    pub idempotency_key: Option<String>,
    /// The run that wrote it, where it was one of ours.
    pub run_id: Option<String>,
    /// Tool calls that have no result: they may have had an effect.
    pub open_tool_calls: Vec<String>,
}

/// A session as a run sees it.
#[derive(Clone, Debug)]
pub struct Session {
    pub(super) header: Option<SessionHeader>,
    pub(super) entries: Vec<Entry>,
    pub(super) branch: Vec<usize>,
    pub(super) leaf: Option<String>,
    pub(super) cut: bool,
    pub(super) broken: usize,
    pub(super) window_from: u64,
    pub(super) len: u64,
}

impl Session {
    /// The header, where the first line is one.
    #[must_use]
    pub fn header(&self) -> Option<&SessionHeader> {
        self.header.as_ref()
    }

    /// The active branch, root first; its beginning is missing when [`Session::is_cut`].
    pub fn branch(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.branch.iter().map(|index| &self.entries[*index])
    }

    /// Every entry of the window, in file order: side entries and metadata too.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether an entry of the window is on the active branch.
    #[must_use]
    pub fn is_on_branch(&self, entry: &Entry) -> bool {
        self.branch().any(|other| std::ptr::eq(other, entry))
    }

    /// The id of the active leaf.
    #[must_use]
    pub fn leaf(&self) -> Option<&str> {
        self.leaf.as_deref()
    }

    /// Whether the branch goes on before the window.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Where the window begins: what lies before it was not read.
    pub(crate) fn window_from(&self) -> u64 {
        self.window_from
    }

    /// Lines of the window that could not be read.
    #[must_use]
    pub fn broken_lines(&self) -> usize {
        self.broken
    }

    /// Bytes of the transcript.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the transcript is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The name of the session: the latest `session_info` of the window.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let info = self.entries.iter().rev().find(|entry| entry.kind() == Kind::SessionInfo)?;
        let value = info.value();
        value
            .get("name")
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
    }

    /// Where the next entry goes.
    #[must_use]
    pub fn tip(&self) -> Tip {
        let first_generation = self.header.as_ref().is_some_and(|header| header.version < 2);
        let linear = first_generation && self.branch().next_back().is_none_or(|entry| entry.id().is_none());
        Tip { leaf: self.leaf.clone(), linear }
    }

    /// The turn at the end of the branch that nobody settled, if there is one. While a run works on the session this is
    /// that run's turn.
    #[must_use]
    pub fn unfinished(&self) -> Option<Unfinished> {
        let mut open_tool_calls = Vec::new();
        let mut answered = Vec::new();
        let mut settled: Vec<String> = Vec::new();
        for entry in &self.entries {
            if let Some(mark) = entry.provenance().filter(|mark| mark.settled.is_some()) {
                settled.extend(mark.turn.clone());
            }
        }
        for entry in
            self.branch().rev().filter(|entry| entry.kind() == Kind::Message && !entry.transcript_only)
        {
            let value = entry.value();
            let message = value.get("message").unwrap_or(&Value::Null);
            match entry.role() {
                Some("toolResult") => {
                    answered.extend(message.get("toolCallId").and_then(Value::as_str).map(str::to_owned));
                }
                Some("assistant") => {
                    let calls = calls_of(message);
                    if calls.is_empty() {
                        return None;
                    }
                    open_tool_calls.extend(calls.into_iter().filter(|call| !answered.contains(call)));
                }
                Some("user") => {
                    let key = entry.idempotency_key().map(str::to_owned);
                    let turn = entry.provenance().and_then(|mark| mark.turn.clone());
                    if turn.as_ref().or(key.as_ref()).is_some_and(|key| settled.contains(key)) {
                        return None;
                    }
                    return Some(Unfinished {
                        entry_id: entry.id().map(str::to_owned),
                        idempotency_key: key,
                        run_id: entry.provenance().map(|mark| mark.run.clone()),
                        open_tool_calls,
                    });
                }
                Some(_) | None => {}
            }
        }
        None
    }
}

pub(super) fn calls_of(message: &Value) -> Vec<String> {
    let blocks = message.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let calls = blocks.iter().filter(|block| block.get("type").and_then(Value::as_str) == Some("toolCall"));
    calls.filter_map(|call| call.get("id").and_then(Value::as_str)).map(str::to_owned).collect()
}
