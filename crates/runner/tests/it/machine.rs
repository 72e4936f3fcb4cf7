//! Random interleavings of runs, other writers, crashes and aborts, against what must stay true of a transcript.
//!
//! The model is what the file has had so far, what every run said, and what was parked. Invariants after each step: no entry
//! is lost or changed, none is there twice, nothing is written after a takeover, a run that ends has one outcome that the files
//! agree with, the transcript can be read, the lock is free.

use std::{
    collections::HashMap,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex},
    task::Poll,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use moorline_lock_core::{RunTag, Wait};
use moorline_runner::{
    Draft, Model, ModelError, ModelReply, ModelRequest, Nothing, RunOutcome, Stop, StreamSink, WriteAs,
    append_entry, append_parked, dismiss_parked, list_parked, read_session,
};
use moorline_taxonomy::{Cancelled, Provider};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{Site, Tools, foreign, foreign_raw, leaf_of, replace, rewrite, wants};

/// What somebody else does to the transcript.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Other {
    User,
    Mirror,
    Label,
    SideUser,
    Setting,
    RewriteSame,
    ReplaceSame,
    Touch,
    TornTail,
}

impl Other {
    const ALL: [Self; 9] = [
        Self::User,
        Self::Mirror,
        Self::Label,
        Self::SideUser,
        Self::Setting,
        Self::RewriteSame,
        Self::ReplaceSame,
        Self::Touch,
        Self::TornTail,
    ];

    /// Acts, and says whether that takes the session over from a run.
    fn act(self, path: &Path, n: usize) -> bool {
        let Ok(bytes) = std::fs::read(path) else { return false };
        if bytes.last() != Some(&b'\n') && self != Self::Touch {
            // A program that finds a torn tail does not append to it.
            return false;
        }
        let mut entry = json!({"id": format!("o{n}"), "parentId": leaf_of(path), "timestamp": "t"});
        let mut add = |fields: serde_json::Value| {
            entry.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            foreign(path, &entry);
        };
        match self {
            Self::User => {
                add(json!({"type": "message", "message": {"role": "user", "content": format!("other {n}")}}))
            }
            Self::Mirror => {
                add(json!({"type": "message", "message": {"role": "assistant", "provider": "openclaw",
                "model": "delivery-mirror", "content": "sent"}}))
            }
            Self::Label => add(json!({"type": "label", "targetId": "u1", "label": "x"})),
            Self::SideUser => add(
                json!({"type": "message", "appendMode": "side", "message": {"role": "user", "content": "aside"}}),
            ),
            Self::Setting => add(json!({"type": "thinking_level_change", "thinkingLevel": "high"})),
            Self::RewriteSame => rewrite(path, &bytes),
            Self::ReplaceSame => replace(path, &bytes),
            Self::Touch => {
                use std::os::unix::fs::PermissionsExt;
                let mode = if n.is_multiple_of(2) { 0o600 } else { 0o640 };
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
            }
            Self::TornTail => {
                foreign_raw(path, format!("{{\"type\":\"message\",\"id\":\"torn{n}").as_bytes())
            }
        }
        self == Self::User
    }
}

/// How a run goes.
#[derive(Clone, Debug)]
struct Script {
    key: u8,
    may_requeue: bool,
    /// A tool round first, with or without an effect.
    tool: Option<bool>,
    /// What others do during each model call.
    during: [Vec<Other>; 2],
    fails: bool,
    /// The run is dropped after this many polls.
    crash_after: Option<usize>,
    /// It is stopped in its last model call.
    stopped: bool,
}

#[derive(Clone, Debug)]
enum Step {
    Turn(Script),
    Other(Other),
    Announce,
    AppendParked,
    DismissParked,
}

fn other() -> impl Strategy<Value = Other> {
    proptest::sample::select(Other::ALL.to_vec())
}

fn script() -> impl Strategy<Value = Script> {
    let during = || proptest::collection::vec(other(), 0..3);
    (
        (0..4_u8, any::<bool>(), proptest::option::of(any::<bool>()), during(), during()),
        (
            proptest::bool::weighted(0.15),
            proptest::option::weighted(0.25, 1..12_usize),
            proptest::bool::weighted(0.1),
        ),
    )
        .prop_map(|((key, may_requeue, tool, first, second), (fails, crash_after, stopped))| Script {
            key,
            may_requeue,
            tool,
            during: [first, second],
            fails,
            crash_after,
            stopped,
        })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => script().prop_map(Step::Turn),
        3 => other().prop_map(Step::Other),
        1 => Just(Step::Announce),
        1 => Just(Step::AppendParked),
        1 => Just(Step::DismissParked),
    ]
}

/// The model of the script; it also plays the others, and remembers the file as they left it.
struct Playing {
    script: Script,
    path: PathBuf,
    text: String,
    n: usize,
    stop: Stop,
    state: Mutex<Played>,
}

#[derive(Clone, Default)]
struct Played {
    calls: usize,
    /// The file as the others left it.
    left: Vec<u8>,
    taken_over: bool,
}

#[async_trait]
impl Model for Playing {
    async fn call(
        &self,
        _request: &ModelRequest,
        _sink: &mut dyn StreamSink,
    ) -> Result<ModelReply, ModelError> {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        let call = {
            let mut state = self.state.lock().unwrap();
            state.calls += 1;
            state.calls - 1
        };
        for (index, other) in self.script.during[call.min(1)].iter().enumerate() {
            let taken_over = other.act(&self.path, self.n * 100 + call * 10 + index);
            self.state.lock().unwrap().taken_over |= taken_over;
        }
        self.state.lock().unwrap().left = std::fs::read(&self.path).unwrap();
        tokio::task::yield_now().await;
        let last = call == usize::from(self.script.tool.is_some());
        if last && self.script.stopped {
            self.stop.stop(Cancelled::User);
            std::future::pending::<()>().await;
        }
        match (last, self.script.tool) {
            (false, Some(effect)) => {
                Ok(wants(&format!("c{}", self.n), if effect { "write" } else { "look" }))
            }
            _ if self.script.fails => Err(ModelError::new(Provider::Billing, "no credit")),
            _ => Ok(ModelReply::text(self.text.clone())),
        }
    }
}

/// Polls a future at most `most` times, then drops it, as a crash would.
async fn crashing<F: Future>(future: F, most: Option<usize>) -> Option<F::Output> {
    let mut future: Pin<Box<F>> = Box::pin(future);
    let mut polls = 0;
    let output = std::future::poll_fn(|cx| {
        if most.is_some_and(|most| polls >= most) {
            return Poll::Ready(None);
        }
        polls += 1;
        future.as_mut().poll(cx).map(Some)
    })
    .await;
    drop(future);
    output
}

struct World {
    site: Site,
    /// The whole lines of the transcript so far.
    had: Vec<u8>,
    /// Answers that runs ended with, by key.
    answers: HashMap<u8, String>,
    n: usize,
}

impl World {
    fn whole_lines(&self) -> Vec<u8> {
        let bytes = std::fs::read(&self.site.path).unwrap_or_default();
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        bytes[..end].to_vec()
    }

    async fn step(&mut self, step: &Step) {
        self.n += 1;
        match step {
            Step::Turn(script) => self.turn(script).await,
            Step::Other(other) => {
                other.act(&self.site.path, self.n * 100);
            }
            Step::Announce => {
                let draft = Draft::custom_message("moorline.announce", "child done", json!({}));
                let wait = Wait { timeout: Some(Duration::from_secs(5)), ..Wait::default() };
                let tag = RunTag::new("announcer");
                append_entry(
                    &self.site.locks,
                    &self.site.path,
                    &tag,
                    wait,
                    draft,
                    WriteAs::Announce,
                    SystemTime::UNIX_EPOCH,
                )
                .await
                .unwrap();
            }
            Step::AppendParked => {
                let Some(parked) = list_parked(&self.site.path).unwrap().into_iter().next() else { return };
                let wait = Wait { timeout: Some(Duration::from_secs(5)), ..Wait::default() };
                append_parked(&self.site.locks, &self.site.path, &parked.id, wait, SystemTime::UNIX_EPOCH)
                    .await
                    .unwrap();
                let left = list_parked(&self.site.path).unwrap();
                assert!(left.iter().all(|other| other.id != parked.id));
            }
            Step::DismissParked => {
                let Some(parked) = list_parked(&self.site.path).unwrap().into_iter().next() else { return };
                dismiss_parked(&self.site.locks, &self.site.path, &parked.id).await.unwrap();
            }
        }
    }

    async fn turn(&mut self, script: &Script) {
        let stop = Stop::new();
        let text = format!("answer {}", self.n);
        let model = Arc::new(Playing {
            script: script.clone(),
            path: self.site.path.clone(),
            text: text.clone(),
            n: self.n,
            stop: stop.clone(),
            state: Mutex::default(),
        });
        let mut turn = self.site.turn(&format!("r{}", self.n), &format!("message {}", script.key));
        turn.message.idempotency_key = format!("key-{}", script.key);
        turn.may_requeue = script.may_requeue;
        turn.candidates.truncate(1);
        let parked_before = list_parked(&self.site.path).unwrap().len();
        let runner = self.site.runner();
        let mut sink = Nothing;
        let run = runner.run(&turn, &*model, &Tools, &mut sink, &stop);
        let outcome = crashing(run, script.crash_after).await;
        assert!(self.site.lock_is_free(), "no run leaves a lock behind");
        let Played { calls, left, taken_over } = model.state.lock().unwrap().clone();
        let now = std::fs::read(&self.site.path).unwrap();
        let parked = list_parked(&self.site.path).unwrap();
        let Some(outcome) = outcome else {
            // Crashed: nothing is promised but the invariants.
            return;
        };
        match outcome {
            RunOutcome::Replied(reply) if reply.replayed => assert_eq!(calls, 0),
            RunOutcome::Replied(reply) => {
                assert_eq!(reply.text, text);
                assert!(!taken_over, "a reply is not written after a takeover");
                let session = read_session(&self.site.path).unwrap();
                assert_eq!(session.leaf(), reply.entry_id.as_deref(), "the reply is the leaf");
                self.answers.insert(script.key, reply.text);
            }
            RunOutcome::Requeue(_) => {
                assert!(script.may_requeue);
                assert!(taken_over, "no false takeover");
                assert_eq!(now, left, "nothing is written after a takeover");
                assert_eq!(parked.len(), parked_before);
            }
            RunOutcome::Superseded(superseded) => {
                assert!(taken_over, "no false takeover");
                assert_eq!(now, left, "nothing is written after a takeover");
                if let Some(reply) = superseded.reply {
                    assert_eq!(parked.len(), parked_before + 1);
                    assert_eq!(parked.last().unwrap().text, reply, "what was paid for is parked");
                }
            }
            RunOutcome::Failed(failure) => {
                assert!(script.fails, "{failure:?}");
                assert_eq!(failure.wire.code.to_string(), "provider.billing", "the primary error stays");
            }
            RunOutcome::Cancelled(why) => {
                assert!(script.stopped);
                assert_eq!(why, Cancelled::User);
            }
        }
    }

    fn check(&mut self) {
        let now = self.whole_lines();
        assert!(now.starts_with(&self.had), "no entry is lost or changed");
        self.had = now;
        let session = read_session(&self.site.path).unwrap();
        assert!(!session.is_cut());
        let torn = std::fs::read(&self.site.path).unwrap().len() > self.had.len();
        assert_eq!(session.broken_lines(), usize::from(torn), "the transcript can be read");
        let mut users: HashMap<String, usize> = HashMap::new();
        let mut replies: HashMap<String, usize> = HashMap::new();
        let mut ids: HashMap<String, usize> = HashMap::new();
        for entry in self.site.entries() {
            *ids.entry(entry.id().unwrap_or_default().to_owned()).or_default() += 1;
            let Some(mark) = entry.provenance() else { continue };
            let Some(turn) = mark.turn.clone() else { continue };
            match (entry.role(), mark.settled.as_deref()) {
                (Some("user"), _) => *users.entry(turn).or_default() += 1,
                (Some("assistant"), Some("replied")) if !is_parked(&entry) => {
                    *replies.entry(turn).or_default() += 1
                }
                _ => {}
            }
        }
        for (what, counts) in [("message", &users), ("reply", &replies), ("id", &ids)] {
            let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
            assert!(twice.is_empty(), "{what} twice: {twice:?}");
        }
        for (key, answer) in &self.answers {
            let said = self.site.said().iter().filter(|(_, text)| text == answer).count();
            assert_eq!(said, 1, "the answer to key-{key}");
        }
    }
}

/// A parked reply that somebody appended is a second answer on purpose.
fn is_parked(entry: &moorline_runner::Entry) -> bool {
    entry.value()["message"]["idempotencyKey"].is_string()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_the_invariants_hold(steps in proptest::collection::vec(step(), 1..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let site = Site::new();
            crate::support::started(&site);
            let mut world = World { had: Vec::new(), site, answers: HashMap::new(), n: 0 };
            world.check();
            for step in &steps {
                world.step(step).await;
                world.check();
            }
        });
    }
}

/// More of them with `PROPTEST_CASES`.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(150)
}
