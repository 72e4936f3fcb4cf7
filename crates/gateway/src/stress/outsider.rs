//! Another program that writes into the sessions while their runs wait for a model: names and state, which a run goes on
//! beside, and now and then a user's message, which takes the session over.
//!
//! It writes as programs of the generation do, under the session lock and behind the active leaf, and without our mark, so
//! that a run has nothing but the kind of an entry to go by. The option not taken is [`moorline_runner::append_entry`],
//! whose mark says what to do.

use moorline_lock_core::{Durability, Journal, LockConfig, Locks, RunTag, Target};
use moorline_runner::{Jsonl, Transcript};
use serde_json::{Value, json};

use super::{
    Stress,
    plan::{Note, What},
    record::Record,
};
use crate::{
    clock,
    engine::{Waiters, watched_locks},
    events::Events,
    exit,
    session_key::SessionKey,
    state_dir::StateDir,
};

/// The other program. It is this process, which has no run of its own.
pub(super) struct Outsider {
    state: StateDir,
    locks: Locks,
}

impl Outsider {
    pub(super) fn new(state: &StateDir, config: LockConfig) -> anyhow::Result<Self> {
        // Whose lock it takes over after a kill is written down, as by everybody.
        let events = Events::open(&state.events(), "outsider")?;
        let locks = watched_locks(state, config, events, Waiters::default());
        Ok(Self { locks, state: state.clone() })
    }

    /// Appends an entry; false when there is no session yet to write to.
    async fn write(&self, session: &SessionKey, id: &str, what: What) -> anyhow::Result<bool> {
        let path = self.state.transcript(session)?;
        if !path.exists() {
            return Ok(false);
        }
        let held = self.locks.acquire(&Target::sidecar_of(&path)?, &RunTag::anonymous()).await?;
        let written = async {
            let (mut journal, _) =
                Journal::open(&held, Durability::None, |line| Jsonl.is_whole(line)).await?;
            if journal.is_empty() {
                return Ok(false);
            }
            let leaf = Jsonl.tip(journal.file(), journal.len())?.leaf;
            let mut line = serde_json::to_vec(&entry(id, leaf.as_deref(), what))?;
            line.push(b'\n');
            journal.append(&held, &line).await?;
            anyhow::Ok(true)
        }
        .await;
        held.release().await?;
        written
    }
}

fn entry(id: &str, parent: Option<&str>, what: What) -> Value {
    let mut entry = match what {
        What::Name => json!({"type": "session_info", "name": id}),
        What::State => json!({"type": "custom", "customType": "outside", "data": {"note": id}}),
        What::Message => json!({
            "type": "message",
            "message": {"role": "user", "content": [{"type": "text", "text": id}], "timestamp": clock::wall_ms()},
        }),
    };
    entry["id"] = id.into();
    entry["parentId"] = parent.into();
    entry
}

impl Stress {
    /// Writes a planned entry when its time comes, and writes down what came of it.
    pub(super) async fn intrude(&self, note: Note) -> anyhow::Result<()> {
        tokio::time::sleep_until(self.began + note.at).await;
        let entry = format!("outside-{}", note.number);
        let code = match self.outsider.write(&note.session, &entry, note.what).await {
            Ok(true) => None,
            Ok(false) => return Ok(()),
            Err(error) => Some(exit::wire(&error).code.to_string()),
        };
        let Note { session, what, .. } = note;
        self.recorder.write(&Record::Outside { at: clock::wall_ms(), session, entry, what, code })
    }
}
