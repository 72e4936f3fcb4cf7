//! Reading every transcript as bytes: lines, keys and leftovers. It knows only that a line is JSON and that a message may
//! carry an idempotency key, so that it does not share the runner's mistakes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{session_key::SessionKey, state_dir::StateDir};

#[derive(Debug, Default)]
pub(crate) struct Transcripts {
    pub(crate) lines: usize,
    /// Where lines are that are not whole JSON.
    pub(crate) torn: Vec<String>,
    /// Torn tails that were cut off and kept.
    pub(crate) torn_kept: usize,
    /// Parked replies.
    pub(crate) parked: usize,
    /// How often each idempotency key occurs within one session, as `session key`.
    pub(crate) keys: BTreeMap<String, usize>,
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
                    all.parked += std::fs::read_to_string(file.path())?.lines().count();
                } else if let Some(session) = SessionKey::of_file(&agent, &name) {
                    all.read_one(&session, &std::fs::read(file.path())?);
                }
            }
        }
        Ok(all)
    }

    fn read_one(&mut self, session: &SessionKey, bytes: &[u8]) {
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            self.lines += 1;
            let entry = line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice::<Value>(line).ok());
            match entry {
                Some(entry) => {
                    if let Some(key) = idempotency_key(&entry) {
                        *self.keys.entry(format!("{session} {key}")).or_default() += 1;
                    }
                }
                None => self.torn.push(format!("{session} line {}", number + 1)),
            }
        }
    }

    /// How often a key is in a session's transcript.
    pub(crate) fn times_in(&self, session: &SessionKey, key: &str) -> usize {
        self.keys.get(&format!("{session} {key}")).copied().unwrap_or(0)
    }
}

/// The key of an entry: on the entry itself or on its message.
fn idempotency_key(entry: &Value) -> Option<&str> {
    let own = entry.get("idempotencyKey");
    own.or_else(|| entry.get("message").and_then(|message| message.get("idempotencyKey")))
        .and_then(Value::as_str)
}
