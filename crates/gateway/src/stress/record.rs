//! What a stress run did, and what its callers were told: one JSON line each in `stress.jsonl` of the state directory.
//!
//! The audit compares it with the files of the gateway and its runners. A caller's view is worth having apart from theirs:
//! a reply that was told and is in no transcript is lost, whatever the gateway's own ledger says.

use std::{
    fs::File,
    io::Write,
    path::Path,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::plan::{FaultKind, Options, What};
use crate::{session_key::SessionKey, state_dir::StateDir};

const NAME: &str = "stress.jsonl";

/// One line. Times are milliseconds since the Unix epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(crate) enum Record {
    /// The first one: how to run it again.
    Began { at: u64, options: Options },
    /// A fault, done. `pid` is of the process it was done to.
    Fault {
        number: usize,
        at: u64,
        until: u64,
        kind: FaultKind,
        target: Target,
        pid: Option<u32>,
        what: String,
    },
    /// An entry that another program wrote into a session; `code` says why it could not.
    Outside { at: u64, session: SessionKey, entry: String, what: What, code: Option<String> },
    /// A call that was not answered, or refused before anything was accepted; it is asked again with the same key.
    Again { step: usize, at: u64, code: String },
    /// The end of a call.
    Told(Told),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Target {
    Gateway,
    Runner,
    Net,
}

/// What a caller asked, and what it was told in the end.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Told {
    pub(crate) step: usize,
    pub(crate) asked: Asked,
    pub(crate) session: SessionKey,
    /// The idempotency key; a runner process has none but its run.
    pub(crate) key: Option<String>,
    pub(crate) at: u64,
    /// From the first try to the end.
    pub(crate) ms: u64,
    pub(crate) tries: u32,
    pub(crate) answer: Answer,
    pub(crate) run_id: Option<String>,
    pub(crate) reply: Option<String>,
    pub(crate) code: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Asked {
    Send,
    Spawn,
    Turn,
    Runner,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answer {
    /// There is a reply.
    Replied,
    /// A spawn was accepted; its result is announced later.
    Accepted,
    /// It ended in a typed failure.
    Failed,
    /// A runner process was killed.
    Died,
    /// Nobody answered within the run's patience.
    Unanswered,
}

/// The file, while the run writes it.
pub(crate) struct Recorder(Mutex<File>);

impl Recorder {
    pub(crate) fn create(state: &StateDir) -> anyhow::Result<Self> {
        Ok(Self(Mutex::new(state.create_private(NAME)?)))
    }

    pub(crate) fn write(&self, record: &Record) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(record)?;
        line.push(b'\n');
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line)?;
        Ok(())
    }
}

/// Reads the file of a state directory; empty when no stress run made it. A last line without its newline was cut off with
/// the run.
pub(crate) fn read(root: &Path) -> anyhow::Result<Vec<Record>> {
    let bytes = match std::fs::read(root.join(NAME)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let whole = bytes.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
    whole.map(|line| Ok(serde_json::from_slice(line)?)).collect()
}
