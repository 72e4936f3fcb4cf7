//! The live feed: what is written down, and what is only told, to whoever listens now.
//!
//! Waits and holds of locks and the decisions of failover are told and not written: they come several times a turn, and
//! nothing is owed by them. Texts of users and models are left out of it, but for what models say this moment, which comes
//! to those alone who ask for it by name.
//!
//! One ring of bounded length serves all listeners, and another one what models say: that comes many times a second, and
//! would push out what others wait for. Who is slower than a ring is long misses the oldest and is told how many; nobody
//! waits for him, and he costs no memory of his own.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use tokio::sync::broadcast;

use super::{Event, Line};
use crate::{clock, session_key::SessionKey};

/// What each ring holds.
const RING: usize = 1024;
/// The longest text of one notice, in bytes: with the ring's length it bounds its memory. A longer piece comes in parts.
const LONGEST_TEXT: usize = 4096;

/// What a listener may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// Runs that were accepted and that ended.
    Runs,
    /// Sends that were accepted, replied and failed.
    Sends,
    /// Children that were accepted.
    Spawns,
    /// Results that were kept and delivered.
    Announces,
    /// Locks: waited for, held, reported stale, taken over.
    Locks,
    /// What failover decided.
    Decisions,
    /// What models say, while they say it; told only to those who name it.
    Deltas,
}

/// What is told and not written.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(crate) enum Told {
    /// A lock was acquired, after this long.
    LockAcquired { lock_path: String, run_id: String, waited_ms: u64 },
    /// A lock is free again, after this long.
    LockReleased { lock_path: String, run_id: String, held_ms: u64 },
    /// A call of a model failed; what failover decided shows in what comes next.
    ModelFailed { run_id: String, candidate: String, code: String },
    /// More of what the model of a run says. What was heard is in the transcript once the run has `replied`, and not before.
    RunDelta { session_key: SessionKey, run_id: String, text: String },
    /// A candidate was not called; until when, where that is a matter of time.
    CandidateSkipped { run_id: String, candidate: String, why: &'static str, until: Option<u64> },
    /// A candidate, or all of a provider, is left alone until then (milliseconds since the Unix epoch).
    CooldownSet { candidate: String, why: &'static str, until: u64 },
}

/// One notice, as it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    pub(crate) kind: Kind,
    pub(crate) json: Arc<RawValue>,
}

/// The feed of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Feed {
    all: broadcast::Sender<Notice>,
    deltas: broadcast::Sender<Notice>,
}

impl Feed {
    pub(super) fn new() -> Self {
        Self { all: broadcast::Sender::new(RING), deltas: broadcast::Sender::new(RING) }
    }

    /// Everything but what models say.
    pub(super) fn subscribe(&self) -> broadcast::Receiver<Notice> {
        self.all.subscribe()
    }

    /// What models say.
    pub(super) fn subscribe_deltas(&self) -> broadcast::Receiver<Notice> {
        self.deltas.subscribe()
    }

    /// Whether anybody listens; nothing is put together for nobody.
    pub(super) fn is_heard(&self) -> bool {
        self.all.receiver_count() > 0
    }

    /// Tells what a model says.
    pub(super) fn say(&self, session_key: &SessionKey, run_id: &str, text: &str) {
        if self.deltas.receiver_count() == 0 {
            return;
        }
        for part in parts(text) {
            let (session_key, run_id) = (session_key.clone(), run_id.to_owned());
            self.tell(&Told::RunDelta { session_key, run_id, text: part.to_owned() });
        }
    }

    pub(super) fn publish(&self, line: &Line) {
        if !self.is_heard() {
            return;
        }
        let kind = line.event.kind();
        if !line.event.has_a_text() {
            return self.send(kind, line);
        }
        let Ok(Value::Object(mut fields)) = serde_json::to_value(line) else { return };
        fields.remove("message");
        fields.remove("task");
        self.send(kind, &fields);
    }

    pub(super) fn tell(&self, told: &Told) {
        #[derive(Serialize)]
        struct Now<'a> {
            at: u64,
            pid: u32,
            #[serde(flatten)]
            told: &'a Told,
        }
        self.send(told.kind(), &Now { at: clock::wall_ms(), pid: std::process::id(), told });
    }

    fn send(&self, kind: Kind, fields: &impl Serialize) {
        if let Ok(json) = serde_json::value::to_raw_value(fields) {
            // Nobody listens any more: then nobody is told.
            let _ = self.ring(kind).send(Notice { kind, json: json.into() });
        }
    }

    fn ring(&self, kind: Kind) -> &broadcast::Sender<Notice> {
        match kind {
            Kind::Deltas => &self.deltas,
            Kind::Runs | Kind::Sends | Kind::Spawns | Kind::Announces | Kind::Locks | Kind::Decisions => {
                &self.all
            }
        }
    }
}

/// A text in parts that are not too long.
fn parts(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let longest = LONGEST_TEXT.min(text.len());
        let end = (0..=longest).rev().find(|end| text.is_char_boundary(*end))?;
        let (part, rest) = text.split_at_checked(end)?;
        text = rest;
        (!part.is_empty()).then_some(part)
    })
}

impl Event {
    /// Whether it carries what a user or a model said.
    fn has_a_text(&self) -> bool {
        match self {
            Self::SendAccepted { .. } | Self::SpawnAccepted { .. } => true,
            Self::RunAccepted { .. }
            | Self::RunRequeued { .. }
            | Self::RunEnded { .. }
            | Self::SendReplied { .. }
            | Self::SendFailed { .. }
            | Self::AnnouncePrepared { .. }
            | Self::AnnounceDelivered { .. }
            | Self::AnnounceSettled { .. }
            | Self::LockStale { .. }
            | Self::LockReclaimed { .. }
            | Self::LockHeld { .. } => false,
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::RunAccepted { .. } | Self::RunRequeued { .. } | Self::RunEnded { .. } => Kind::Runs,
            Self::SendAccepted { .. } | Self::SendReplied { .. } | Self::SendFailed { .. } => Kind::Sends,
            Self::SpawnAccepted { .. } => Kind::Spawns,
            Self::AnnouncePrepared { .. } | Self::AnnounceDelivered { .. } | Self::AnnounceSettled { .. } => {
                Kind::Announces
            }
            Self::LockStale { .. } | Self::LockReclaimed { .. } | Self::LockHeld { .. } => Kind::Locks,
        }
    }
}

impl Told {
    fn kind(&self) -> Kind {
        match self {
            Self::LockAcquired { .. } | Self::LockReleased { .. } => Kind::Locks,
            Self::ModelFailed { .. } | Self::CandidateSkipped { .. } | Self::CooldownSet { .. } => {
                Kind::Decisions
            }
            Self::RunDelta { .. } => Kind::Deltas,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_model_says_comes_whole_in_bounded_parts_and_only_to_who_asks() {
        let feed = Feed::new();
        let session: SessionKey = "agent:main:x".parse().unwrap();
        feed.say(&session, "r", "to nobody");
        let (mut all, mut deltas) = (feed.subscribe(), feed.subscribe_deltas());
        let long = "größer ".repeat(2000);
        feed.say(&session, "r", &long);
        feed.say(&session, "r", "");
        let mut heard = String::new();
        while let Ok(notice) = deltas.try_recv() {
            let value: Value = serde_json::from_str(notice.json.get()).unwrap();
            assert_eq!((&value["event"], &value["runId"]), (&"run_delta".into(), &"r".into()));
            let text = value["text"].as_str().unwrap();
            assert!(!text.is_empty() && text.len() <= LONGEST_TEXT);
            heard += text;
        }
        assert_eq!(heard, long);
        assert!(all.try_recv().is_err());
    }

    #[tokio::test]
    async fn texts_stay_out_and_a_slow_listener_is_told_what_it_missed() {
        let feed = Feed::new();
        let mut slow = feed.subscribe();
        let line = Line {
            at: 1,
            pid: 2,
            event: Event::SendAccepted {
                send_id: "s".into(),
                from: None,
                to: "agent:main:x".parse().unwrap(),
                message: "SECRET".into(),
                max_ping_pong: 0,
                generated: false,
            },
        };
        feed.publish(&line);
        let notice = slow.recv().await.unwrap();
        assert_eq!(notice.kind, Kind::Sends);
        assert!(notice.json.get().contains("send_accepted") && !notice.json.get().contains("SECRET"));
        let task = Event::SpawnAccepted {
            run_id: "r".into(),
            requester: "agent:main:x".parse().unwrap(),
            child: "agent:main:y".parse().unwrap(),
            task: "SECRET".into(),
            fork: false,
            idempotency_key: None,
        };
        feed.publish(&Line { at: 1, pid: 2, event: task });
        let notice = slow.recv().await.unwrap();
        assert!(notice.json.get().contains("spawn_accepted") && !notice.json.get().contains("SECRET"));
        for _ in 0..RING + 7 {
            feed.publish(&line);
        }
        assert_eq!(slow.recv().await.err(), Some(broadcast::error::RecvError::Lagged(7)));
    }
}
