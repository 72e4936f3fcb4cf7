//! Reading every transcript as bytes: lines, entries, keys and leftovers. It knows only that a line is JSON, that an entry
//! names its parent, and the mark of who wrote it, so that it does not share the runner's mistakes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{session_key::SessionKey, state_dir::StateDir};

#[derive(Debug, Default)]
pub(crate) struct Transcripts {
    pub(crate) lines: usize,
    /// Where lines are that are not whole JSON.
    pub(crate) torn: Vec<String>,
    /// Where last lines have no end: the next writer cuts them off and keeps them.
    pub(crate) torn_tails: Vec<String>,
    /// Torn tails that were cut off and kept.
    pub(crate) torn_kept: usize,
    /// Parked replies.
    pub(crate) parked: usize,
    /// Runs that parked one.
    pub(crate) parked_runs: Vec<String>,
    /// How often each idempotency key occurs within one session, as `session key`.
    pub(crate) keys: BTreeMap<String, usize>,
    /// The entries of each session, in the order of the file.
    pub(crate) sessions: BTreeMap<SessionKey, Vec<Entry>>,
}

/// What the audit reads of an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) kind: String,
    pub(crate) id: Option<String>,
    pub(crate) parent: Option<String>,
    /// Where a `leaf` entry moves the conversation to.
    pub(crate) target: Option<String>,
    /// Beside the conversation.
    pub(crate) side: bool,
    /// The run that wrote it, the turn it belongs to, as what it was written, and how it settled its turn.
    pub(crate) run: Option<String>,
    pub(crate) turn: Option<String>,
    pub(crate) written_as: Option<String>,
    pub(crate) settled: Option<String>,
    /// An assistant's message with a key: a parked reply that an operator appended in its run's name.
    pub(crate) appended: bool,
    /// Of an assistant's message: the model that answered, and what it said.
    pub(crate) model: Option<String>,
    pub(crate) text: Option<String>,
}

impl Transcripts {
    pub(crate) fn read(state: &StateDir) -> anyhow::Result<Self> {
        let mut all = Self::default();
        for agent in std::fs::read_dir(state.sessions())? {
            let agent = agent?;
            for file in std::fs::read_dir(agent.path())? {
                let file = file?;
                let (Some(agent), Some(name)) = (
                    agent.file_name().to_str().map(str::to_owned),
                    file.file_name().to_str().map(str::to_owned),
                ) else {
                    continue;
                };
                if name.contains(".jsonl.torn-") {
                    all.torn_kept += 1;
                } else if name.ends_with(".jsonl.parked") {
                    all.read_parked(&std::fs::read_to_string(file.path())?);
                } else if let Some(session) = SessionKey::of_file(&agent, &name) {
                    all.read_one(&session, &std::fs::read(file.path())?);
                }
            }
        }
        Ok(all)
    }

    fn read_parked(&mut self, text: &str) {
        for line in text.lines() {
            self.parked += 1;
            let value = serde_json::from_str::<Value>(line).unwrap_or_default();
            self.parked_runs.extend(text_at(&value, "/runId"));
        }
    }

    fn read_one(&mut self, session: &SessionKey, bytes: &[u8]) {
        let mut entries = Vec::new();
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            // A last line without its newline that is whole is no less an entry: the next writer adds the newline.
            let entry = serde_json::from_slice::<Value>(line).ok();
            let place = format!("{session} line {}", number + 1);
            if entry.is_none() && !line.ends_with(b"\n") {
                self.torn_tails.push(place);
                continue;
            }
            self.lines += 1;
            match entry {
                Some(value) => {
                    if let Some(key) = idempotency_key(&value) {
                        *self.keys.entry(format!("{session} {key}")).or_default() += 1;
                    }
                    entries.push(Entry::read(&value));
                }
                None => self.torn.push(place),
            }
        }
        self.sessions.insert(session.clone(), entries);
    }

    /// How often a key is in a session's transcript.
    pub(crate) fn times_in(&self, session: &SessionKey, key: &str) -> usize {
        self.keys.get(&format!("{session} {key}")).copied().unwrap_or(0)
    }

    /// The replies that settled a turn of a session.
    pub(crate) fn replies<'a>(
        &'a self,
        session: &SessionKey,
        turn: &'a str,
    ) -> impl Iterator<Item = &'a Entry> {
        let entries = self.sessions.get(session).into_iter().flatten();
        entries.filter(move |entry| entry.settles(turn))
    }
}

impl Entry {
    fn read(value: &Value) -> Self {
        let text = |pointer: &str| text_at(value, pointer);
        let is_assistant = text("/message/role").as_deref() == Some("assistant");
        Self {
            kind: text("/type").unwrap_or_default(),
            id: text("/id"),
            parent: text("/parentId"),
            target: text("/targetId"),
            side: text("/appendMode").as_deref() == Some("side"),
            run: text("/moorline/run"),
            turn: text("/moorline/turn"),
            written_as: text("/moorline/as"),
            settled: text("/moorline/settled"),
            model: text("/message/model").filter(|_| is_assistant),
            appended: is_assistant && idempotency_key(value).is_some(),
            text: is_assistant.then(|| said(value)),
        }
    }

    pub(crate) fn is_reply(&self) -> bool {
        self.settled.as_deref() == Some("replied")
    }

    fn settles(&self, turn: &str) -> bool {
        self.is_reply() && self.turn.as_deref() == Some(turn)
    }

    /// Whether it is a step of the conversation, and so must follow the step before it.
    pub(crate) fn is_step(&self) -> bool {
        let spoken = matches!(self.kind.as_str(), "message" | "custom_message");
        !self.side && spoken && self.written_as.as_deref().is_none_or(|written_as| written_as == "turn")
    }
}

fn text_at(value: &Value, pointer: &str) -> Option<String> {
    value.pointer(pointer).and_then(Value::as_str).map(str::to_owned)
}

/// The text blocks of a message, joined by newlines.
fn said(value: &Value) -> String {
    let blocks = value.pointer("/message/content").and_then(Value::as_array).into_iter().flatten();
    blocks.filter_map(|block| block.get("text").and_then(Value::as_str)).collect::<Vec<_>>().join("\n")
}

/// The key of an entry: on the entry itself or on its message.
fn idempotency_key(entry: &Value) -> Option<&str> {
    let own = entry.get("idempotencyKey");
    own.or_else(|| entry.get("message").and_then(|message| message.get("idempotencyKey")))
        .and_then(Value::as_str)
}
