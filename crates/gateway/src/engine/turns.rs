//! Turns: one message to a session, through the runner, with the models that are configured. Shared by the gateway and by runner
//! processes; it knows neither lanes nor RPC.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use moorline_lock_core::{Held, LockConfig, Locks, Observer, Report, RunTag, Target};
use moorline_runner::{
    Inbox, NewSession, Origin, RunOutcome, Runner, SessionError, Stop, StreamSink, ToolHost, Turn,
    create_session, fork_session, read_session, scan_session,
};
use moorline_taxonomy::{Cancelled, Coordination, Wire};
use serde_json::{Value, json};
use tokio::{sync::watch, time::Instant};

use super::{tools, waiters::Waiters};
use crate::{
    clock,
    events::{Event, Events, Told},
    holds::Holds,
    metrics,
    model::{Models, tell_skipped},
    session_key::SessionKey,
    state_dir::StateDir,
};

/// A message to a session.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    pub(crate) text: String,
    /// The same message is never written twice.
    pub(crate) key: String,
    pub(crate) from: Option<SessionKey>,
    pub(crate) session: SessionKey,
}

impl Incoming {
    /// The message as the runner takes it.
    pub(super) fn for_runner(&self) -> moorline_runner::Incoming {
        moorline_runner::Incoming {
            text: self.text.clone(),
            idempotency_key: self.key.clone(),
            provenance: match &self.from {
                Some(from) => json!({"kind": "inter_session", "sourceSessionKey": from}),
                None => Value::Null,
            },
        }
    }
}

/// A message that is in a transcript.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) text: String,
    /// A reply follows it, or its turn ended without one and was not cancelled.
    pub(crate) answered: bool,
}

/// The one end of a run.
#[derive(Clone, Debug)]
pub(crate) struct TurnEnd {
    /// The message is in the transcript.
    pub(crate) delivered: bool,
    /// `replied`, `parked`, `superseded`, `failed` or `cancelled`.
    pub(crate) word: &'static str,
    /// The reply, or what went wrong.
    pub(crate) outcome: Result<String, Box<Wire>>,
    pub(crate) parked: Option<PathBuf>,
}

impl TurnEnd {
    pub(crate) fn failed(wire: Wire) -> Self {
        Self { delivered: false, word: "failed", outcome: Err(Box::new(wire)), parked: None }
    }

    pub(crate) fn cancelled(wire: Wire) -> Self {
        Self { word: "cancelled", ..Self::failed(wire) }
    }

    /// The gateway's shutdown cut it off.
    pub(crate) fn shut_down(&self) -> bool {
        let code = self.outcome.as_ref().err().and_then(|wire| wire.code.known());
        code == Some(Cancelled::Shutdown.into())
    }
}

/// Takes turns.
pub(crate) struct Turns {
    state: StateDir,
    locks: Locks,
    runner: Runner,
    models: Models,
    events: Events,
    waiters: Waiters,
}

impl Turns {
    pub(crate) fn new(state: StateDir, config: LockConfig, events: Events, models: Models) -> Self {
        let on_stale = config.on_stale;
        let models = models.watched(&events);
        let waiters = Waiters::default();
        let locks = watched_locks(&state, config, events.clone(), waiters.clone());
        let told = events.clone();
        Self {
            runner: Runner::new(locks.clone())
                .on_stale(on_stale)
                .with_cooldowns(Arc::clone(&models.cooldowns))
                .with_observer(move |run_id, record| tell_skipped(&told, run_id, record)),
            locks,
            models,
            events,
            waiters,
            state,
        }
    }

    pub(crate) fn locks(&self) -> &Locks {
        &self.locks
    }

    /// Who waits for a session lock in this process.
    pub(crate) fn waiters(&self) -> &Waiters {
        &self.waiters
    }

    /// Creates a session's transcript with its header; false when it was there.
    pub(crate) async fn create(&self, key: &SessionKey) -> anyhow::Result<bool> {
        let path = self.state.transcript(key)?;
        if path.exists() {
            return Ok(false);
        }
        let session = NewSession {
            id: ulid::Ulid::generate().to_string(),
            session_key: key.to_string(),
            cwd: self.state.root().to_owned(),
            parent_session: None,
        };
        match create_session(&self.locks, &path, &session, clock::wall()).await {
            Ok(()) => Ok(true),
            // Another process was first.
            Err(SessionError::Exists { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates a session that begins with the conversation of another one.
    pub(crate) async fn fork(&self, from: &SessionKey, to: &SessionKey) -> anyhow::Result<()> {
        let (from, path) = (self.state.transcript(from)?, self.state.transcript(to)?);
        let session = NewSession {
            id: ulid::Ulid::generate().to_string(),
            session_key: to.to_string(),
            cwd: self.state.root().to_owned(),
            parent_session: Some(from.display().to_string()),
        };
        Ok(fork_session(&self.locks, &from, &path, &session, clock::wall()).await?)
    }

    /// The message with this key in a session's transcript, which is read whole.
    pub(crate) async fn find_message(
        &self,
        session: &SessionKey,
        key: &str,
    ) -> anyhow::Result<Option<Found>> {
        let (path, key) = (self.state.transcript(session)?, key.to_owned());
        tokio::task::spawn_blocking(move || find_message(&path, &key)).await?
    }

    /// The messages of a session's active branch, oldest first.
    pub(crate) fn history(&self, session: &SessionKey) -> anyhow::Result<Vec<Value>> {
        let path = self.state.transcript(session)?;
        if !path.exists() {
            return Ok(Vec::new());
        }
        let read = read_session(&path)?;
        let messages = read.branch().filter(|entry| entry.role().is_some()).map(|entry| {
            let value = entry.value();
            json!({
                "id": entry.id(), "role": entry.role(), "text": entry.text(), "idempotencyKey": key_of(&value),
                "toolCalls": tool_calls_of(&value),
            })
        });
        Ok(messages.collect())
    }

    /// Takes a turn until its one end. A takeover before any tool had an effect is tried once more.
    pub(crate) async fn take(
        &self,
        incoming: &Incoming,
        run_id: &str,
        host: Arc<dyn ToolHost>,
        deadline: Instant,
        mut cancelled: watch::Receiver<Option<Cancelled>>,
        inbox: Option<Inbox>,
    ) -> TurnEnd {
        let created = tokio::select! {
            created = tokio::time::timeout_at(deadline, self.create(&incoming.session)) => created,
            why = told(&mut cancelled) => {
                return TurnEnd::cancelled(Wire::new(why, "the run was cancelled before it began"));
            }
        };
        match created {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return TurnEnd::failed(crate::exit::wire(&error)),
            Err(_) => {
                let said = "the session could not be created before the run's deadline: its lock was not had";
                return TurnEnd::failed(Wire::new(Coordination::LockTimeout, said));
            }
        }
        let transcript = match self.state.transcript(&incoming.session) {
            Ok(transcript) => transcript,
            Err(error) => return TurnEnd::failed(crate::exit::wire(&error)),
        };
        let mut turn = Turn {
            transcript,
            session_key: incoming.session.to_string(),
            run_id: run_id.to_owned(),
            message: incoming.for_runner(),
            system: format!("You are {}.", incoming.session.agent()),
            tools: tools::specs(),
            candidates: self.models.candidates.clone(),
            deadline: Some(deadline.into_std()),
            may_requeue: true,
            inbox,
        };
        let stop = Stop::new();
        let stopping = async {
            stop.stop(told(&mut cancelled).await);
            std::future::pending::<TurnEnd>().await
        };
        let running = async {
            let mut said = Said { events: &self.events, session: &incoming.session, run_id };
            let mut outcome =
                self.runner.run(&turn, self.models.model.as_ref(), host.as_ref(), &mut said, &stop).await;
            // What is not written down is not done: by this line the audit tells a turn that began again from a write after
            // a takeover.
            if let RunOutcome::Requeue(wire) = &outcome
                && self.note_requeue(run_id, wire)
            {
                turn.may_requeue = false;
                outcome =
                    self.runner.run(&turn, self.models.model.as_ref(), host.as_ref(), &mut said, &stop).await;
            }
            end_of(outcome)
        };
        tokio::select! {
            end = running => end,
            end = stopping => end,
        }
    }

    fn note_requeue(&self, run_id: &str, wire: &Wire) -> bool {
        let event = Event::RunRequeued { run_id: run_id.to_owned(), code: wire.code.to_string() };
        let written = self.events.write(event);
        if let Err(error) = &written {
            tracing::warn!(run_id, %error, "a turn that was taken over is not begun again: that cannot be written down");
        }
        written.is_ok()
    }
}

/// Locks that write down what they meet.
pub(crate) fn watched_locks(state: &StateDir, config: LockConfig, events: Events, waiters: Waiters) -> Locks {
    Locks::observed_by(config, Arc::new(Recorder(events, Holds::open(state), waiters)))
}

/// Completes when a run is to be cancelled, with the reason. Cancel-safe.
pub(super) async fn told(cancelled: &mut watch::Receiver<Option<Cancelled>>) -> Cancelled {
    match cancelled.wait_for(Option::is_some).await.map(|why| *why) {
        Ok(Some(why)) => why,
        // A sender that is gone does not cancel.
        Ok(None) | Err(_) => std::future::pending().await,
    }
}

fn end_of(outcome: RunOutcome) -> TurnEnd {
    match outcome {
        RunOutcome::Replied(reply) => {
            TurnEnd { delivered: true, word: "replied", outcome: Ok(reply.text), parked: None }
        }
        RunOutcome::Superseded(superseded) => TurnEnd {
            delivered: true,
            word: if superseded.parked.is_some() { "parked" } else { "superseded" },
            outcome: Err(Box::new(superseded.wire)),
            parked: superseded.parked,
        },
        RunOutcome::Requeue(wire) => TurnEnd { word: "superseded", ..TurnEnd::failed(wire) },
        RunOutcome::Failed(failure) => TurnEnd {
            delivered: failure.message_kept,
            parked: failure.parked,
            ..TurnEnd::failed(failure.wire)
        },
        RunOutcome::Cancelled(why) => TurnEnd::cancelled(Wire::new(why, "the run was cancelled")),
    }
}

fn find_message(path: &Path, key: &str) -> anyhow::Result<Option<Found>> {
    if !path.exists() {
        return Ok(None);
    }
    let mut found: Option<Found> = None;
    for entry in scan_session(path)? {
        let entry = entry?;
        match &mut found {
            None if key_of(&entry.value()).is_some_and(|of| of == key) => {
                found = Some(Found { text: entry.text(), answered: false });
            }
            None => {}
            Some(found) => {
                // A turn that was cancelled settled nothing; a shutdown cancels, too.
                let settled = entry.provenance().is_some_and(|mark| {
                    mark.turn.as_deref() == Some(key)
                        && mark.settled.as_deref().is_some_and(|word| word != "cancelled")
                });
                let replied = entry.role() == Some("assistant")
                    && entry.origin("") != Origin::Mirror
                    && tool_calls_of(&entry.value()).is_empty();
                found.answered |= settled || replied;
            }
        }
    }
    Ok(found)
}

/// The idempotency key that the runner wrote with a user's message.
fn key_of(entry: &Value) -> Option<String> {
    entry.get("message")?.get("idempotencyKey")?.as_str().map(str::to_owned)
}

/// The tools that a message of the model calls.
fn tool_calls_of(entry: &Value) -> Vec<Value> {
    let blocks = entry.pointer("/message/content").and_then(Value::as_array).into_iter().flatten();
    let calls = blocks.filter(|block| block.get("type").and_then(Value::as_str) == Some("toolCall"));
    calls.map(|call| json!({"name": call.get("name")})).collect()
}

/// Writes down what the locks meet.
struct Recorder(Events, Holds, Waiters);

impl Observer for Recorder {
    fn taken_over(&self, held: &Held) {
        let Some(taken) = held.taken_over() else { return };
        self.0.note(Event::LockReclaimed {
            lock_path: lock_path(held.target()),
            owner_pid: taken.record.pid,
            run_id: taken.record.run_id.clone(),
            reasons: taken.reasons.iter().map(|reason| reason.as_str().to_owned()).collect(),
        });
    }

    fn stale(&self, report: &Report) {
        self.0.note(Event::LockStale {
            lock_path: report.lock_path.display().to_string(),
            owner_pid: report.record.pid,
            reasons: report.reasons.iter().map(|reason| reason.as_str().to_owned()).collect(),
        });
    }

    fn waits(&self, target: &Target, tag: &RunTag) {
        self.2.add(target, tag);
    }

    fn waits_no_more(&self, target: &Target, tag: &RunTag) {
        self.2.remove(target, tag);
    }

    fn acquired(&self, held: &Held, waited: Duration) {
        metrics::lock_waited(waited);
        self.1.waited(waited);
        self.0.tell(|| Told::LockAcquired {
            lock_path: lock_path(held.target()),
            run_id: held.run().run_id().to_owned(),
            waited_ms: millis(waited),
        });
    }

    fn let_go(&self, held: &Held) {
        metrics::lock_held(held.held_for());
        self.1.held(held.held_for());
        self.0.tell(|| Told::LockReleased {
            lock_path: lock_path(held.target()),
            run_id: held.run().run_id().to_owned(),
            held_ms: millis(held.held_for()),
        });
    }
}

/// Tells what a model says while it says it.
struct Said<'a> {
    events: &'a Events,
    session: &'a SessionKey,
    run_id: &'a str,
}

impl StreamSink for Said<'_> {
    fn text(&mut self, delta: &str) {
        self.events.say(self.session, self.run_id, delta);
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn lock_path(target: &Target) -> String {
    target.lock_path().display().to_string()
}
