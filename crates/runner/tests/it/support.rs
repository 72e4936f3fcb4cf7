//! What the tests share: a session in a temporary directory, a scripted model, tools, and other writers.

use std::{
    collections::VecDeque,
    io::Write,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use moorline_lock_core::{LockConfig, Locks, RunTag};
use moorline_runner::{
    Attempt, Candidate, Entry, Incoming, Jsonl, Kind, Lines, Locked, Model, ModelError, ModelReply,
    ModelRequest, Nothing, Opening, RunOutcome, Runner, Stop, StreamSink, Tip, ToolCall, ToolContext,
    ToolEffect, ToolError, ToolHost, ToolResult, Turn, scan_session,
};
use serde_json::{Value, json};

/// What the scripted model does when it is called.
pub type Play = Box<dyn FnOnce(&ModelRequest) -> Result<ModelReply, ModelError> + Send>;

/// A model that plays its script, one line for each call, and remembers what it was asked.
#[derive(Default)]
pub struct Scripted {
    script: Mutex<VecDeque<Play>>,
    pub asked: Mutex<Vec<ModelRequest>>,
}

impl Scripted {
    pub fn new(plays: impl IntoIterator<Item = Play>) -> Self {
        Self { script: Mutex::new(plays.into_iter().collect()), asked: Mutex::default() }
    }

    pub fn says(text: &'static str) -> Self {
        Self::new([play(move |_| Ok(ModelReply::text(text)))])
    }

    pub fn calls(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

pub fn play(play: impl FnOnce(&ModelRequest) -> Result<ModelReply, ModelError> + Send + 'static) -> Play {
    Box::new(play)
}

/// A reply that wants one tool.
pub fn wants(id: &str, name: &str) -> ModelReply {
    let call = ToolCall { id: id.into(), name: name.into(), arguments: json!({}) };
    ModelReply { tool_calls: vec![call], ..ModelReply::default() }
}

#[async_trait]
impl Model for Scripted {
    async fn call(
        &self,
        request: &ModelRequest,
        _sink: &mut dyn StreamSink,
    ) -> Result<ModelReply, ModelError> {
        self.asked.lock().unwrap().push(request.clone());
        let play = self
            .script
            .lock()
            .unwrap()
            .pop_front()
            .expect("the model is not called more often than scripted");
        tokio::task::yield_now().await;
        play(request)
    }
}

/// Tools that answer with their name; `look` has no effect, everything else may have one.
#[derive(Default)]
pub struct Tools;

#[async_trait]
impl ToolHost for Tools {
    async fn call(&self, call: &ToolCall, _context: &ToolContext) -> Result<ToolResult, ToolError> {
        Ok(ToolResult { text: format!("{} done", call.name), is_error: false })
    }

    fn effect(&self, name: &str) -> ToolEffect {
        if name == "look" { ToolEffect::None } else { ToolEffect::Possible }
    }
}

pub struct Site {
    pub dir: tempfile::TempDir,
    pub path: PathBuf,
    pub locks: Locks,
}

impl Site {
    pub fn new() -> Self {
        Self::with(LockConfig::default())
    }

    pub fn with(config: LockConfig) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { path: dir.path().join("s1.jsonl"), dir, locks: Locks::new(config) }
    }

    pub fn runner(&self) -> Runner {
        Runner::new(self.locks.clone())
    }

    pub fn turn(&self, run: &str, text: &str) -> Turn {
        Turn {
            transcript: self.path.clone(),
            session_key: "agent:main:main".into(),
            run_id: run.into(),
            message: Incoming {
                text: text.into(),
                idempotency_key: format!("key-{run}"),
                provenance: Value::Null,
            },
            system: "be brief".into(),
            candidates: vec![Candidate::new("scripted", "a"), Candidate::new("scripted", "b")],
            may_requeue: true,
            ..Turn::default()
        }
    }

    pub async fn run(&self, turn: &Turn, model: &Scripted) -> RunOutcome {
        self.runner().run(turn, model, &Tools, &mut Nothing, &Stop::new()).await
    }

    pub fn entries(&self) -> Vec<Entry> {
        scan_session(&self.path).unwrap().map(|entry| entry.unwrap()).collect()
    }

    /// Role and text of every message, in file order.
    pub fn said(&self) -> Vec<(String, String)> {
        let messages = self.entries().into_iter().filter(|entry| entry.kind() == Kind::Message);
        messages.map(|entry| (entry.role().unwrap_or_default().to_owned(), entry.text())).collect()
    }

    pub fn lock_is_free(&self) -> bool {
        !self.dir.path().join("s1.jsonl.lock").exists()
    }
}

/// Appends as a program that takes no lock.
pub fn foreign(path: &Path, entry: &Value) {
    foreign_raw(path, format!("{entry}\n").as_bytes());
}

pub fn foreign_raw(path: &Path, bytes: &[u8]) {
    std::fs::OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

pub fn leaf_of(path: &Path) -> Option<String> {
    moorline_runner::read_session(path).unwrap().leaf().map(str::to_owned)
}

/// A user message of somebody else that continues the leaf.
pub fn foreign_user(path: &Path, text: &str) -> Value {
    json!({"type": "message", "id": format!("f-{text}"), "parentId": leaf_of(path), "timestamp": "2026-05-01T00:00:00.000Z",
        "message": {"role": "user", "content": text, "timestamp": 1}})
}

/// An attempt on the site's transcript, locked.
pub async fn attempt(site: &Site, run: &str) -> Attempt<Locked> {
    Attempt::acquire(opening(site, run)).await.unwrap()
}

pub fn opening(site: &Site, run: &str) -> Opening {
    Opening::new(&site.locks, site.path.clone(), RunTag::new(run), Arc::new(Jsonl))
}

/// Appends a message of the run.
pub async fn says(attempt: &mut Attempt<Locked>, run: &str, text: &str) -> Lines {
    let line = |tip: &Tip| {
        let id = format!("{run}-{text}");
        let entry = json!({"type": "message", "id": id, "parentId": tip.leaf, "timestamp": "2026-05-01T00:00:00.000Z",
            "message": {"role": "assistant", "content": [{"type": "text", "text": text}], "stopReason": "stop"},
            "moorline": {"run": run, "as": "turn"}});
        Lines { bytes: format!("{entry}\n").into_bytes(), tip: Tip { leaf: Some(id), linear: false } }
    };
    attempt.append(line).await.unwrap()
}

/// A session with a header and one user message whose id is `u1`.
pub fn started(site: &Site) {
    let header = json!({"type": "session", "version": 3, "id": "s1", "timestamp": "2026-05-01T00:00:00.000Z", "cwd": "/"});
    let user = json!({"type": "message", "id": "u1", "parentId": null, "timestamp": "2026-05-01T00:00:00.000Z",
        "message": {"role": "user", "content": "hi", "timestamp": 1}});
    std::fs::write(&site.path, format!("{header}\n{user}\n")).unwrap();
}

/// Writes `contents` to the file in place, as programs do that rewrite what they loaded.
pub fn rewrite(path: &Path, contents: &[u8]) {
    let mut file = std::fs::OpenOptions::new().write(true).truncate(true).open(path).unwrap();
    file.write_all(contents).unwrap();
}

/// Puts another file with `contents` in the place of `path`.
pub fn replace(path: &Path, contents: &[u8]) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, contents).unwrap();
    std::fs::rename(&beside, path).unwrap();
}
