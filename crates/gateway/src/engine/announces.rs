//! Announces: the gateway's outbox, and how a child's result reaches its requester's transcript.
//!
//! The receiver is a session of this gateway: the result comes in as a turn, and it has arrived when its message is in the
//! requester's transcript. Whether it is there can always be looked up by its key, so what a crash left uncertain is
//! settled by reading, never by sending again.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::Instant,
};

use async_trait::async_trait;
use moorline_announce::{
    Announcer, Body, Envelope, Key, Limits, Lookup, Outbox, Path, Progress, Receipt, Row, SendError,
    SqliteOutbox, State, Transport,
};
use moorline_retry::SystemClock;
use moorline_taxonomy::{Delivery, Effect, Mark};
use serde_json::{Value, json};

use super::{Engine, Incoming};
use crate::{events::Event, session_key::SessionKey, state_dir::StateDir};

pub(crate) struct Announces {
    announcer: Arc<Announcer>,
    transport: Arc<ToSession>,
}

/// Delivers to sessions of the engine. Bound after the engine exists.
#[derive(Default)]
struct ToSession {
    engine: std::sync::OnceLock<Weak<Engine>>,
}

impl Announces {
    pub(crate) async fn open(state: &StateDir) -> anyhow::Result<Self> {
        let outbox: Arc<dyn Outbox> = Arc::new(SqliteOutbox::open(&state.outbox()).await?);
        let transport = Arc::new(ToSession::default());
        let announcer = Announcer::new(
            outbox,
            Arc::clone(&transport) as Arc<dyn Transport>,
            Arc::new(SystemClock),
            Limits::standard()?,
        );
        Ok(Self { announcer: Arc::new(announcer), transport })
    }

    pub(crate) fn announcer(&self) -> &Announcer {
        &self.announcer
    }
}

impl Engine {
    /// Starts to deliver: what is left from before, and what comes.
    pub(super) fn drive_announces(self: &Arc<Self>) {
        let _ = self.announces.transport.engine.set(Arc::downgrade(self));
        let announcer = Arc::clone(&self.announces.announcer);
        let mut stop = self.stop.subscribe();
        self.tasks.run(async move {
            let stopped = async move {
                // The engine is gone when the sender is: that is a stop too.
                let _ = stop.wait_for(|stop| *stop).await;
            };
            if let Err(error) = announcer.drive(stopped).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the announce driver stopped; restart the gateway"
                );
            }
        });
    }

    /// Keeps a child's result, to be delivered.
    pub(super) async fn submit_announce(&self, requester: &SessionKey, run_id: &str, text: &str) {
        let submitted = async {
            let key = Key::completion(requester.as_str(), run_id)?;
            let envelope = Envelope::result(requester.as_str(), text);
            self.events.write(Event::AnnouncePrepared {
                key: key.to_string(),
                requester: requester.clone(),
                child_run_id: run_id.to_owned(),
            })?;
            let kept = self.announces.announcer.submit(key, envelope).await?;
            // Kept and delivered before a crash, which the event file does not know yet.
            if kept.row().state == State::Delivered {
                self.note_delivered(&kept.row().key);
            }
            anyhow::Ok(())
        };
        if let Err(error) = submitted.await {
            tracing::error!(%requester, run_id, %error, "the result of a child could not be kept");
        }
    }
}

impl ToSession {
    fn engine(&self) -> Result<Arc<Engine>, SendError> {
        self.engine.get().and_then(Weak::upgrade).ok_or_else(|| SendError::new(Mark::new(Delivery::Pending)))
    }
}

#[async_trait]
impl Transport for ToSession {
    async fn send(&self, envelope: &Envelope, key: &Key, deadline: Instant) -> Result<Receipt, SendError> {
        let engine = self.engine()?;
        let session: SessionKey = envelope.to.parse().map_err(|error| {
            SendError::new(
                Mark::new(Delivery::TargetGone)
                    .caused_by(Box::<dyn std::error::Error + Send + Sync>::from(error)),
            )
        })?;
        let text = match &envelope.body {
            Body::Result(text) => format!("sub-agent result of run {}: {text}", key.child_run()),
            Body::GaveUp(notice) => format!(
                "the sub-agent result of run {} could not be delivered ({}): {}",
                notice.of.child_run(),
                notice.cause.code,
                notice.result
            ),
        };
        let place = engine.lanes.place(&session).map_err(SendError::new)?;
        let incoming = Incoming { text, key: key.to_string(), from: None, session };
        // Refused before it was accepted: it may be sent again. Accepted: it is in the transcript or it is not, and only
        // the transcript says which.
        let run_id = engine
            .start_turn_until(place, incoming, Some(deadline))
            .map_err(|error| SendError::new(Mark::new(Delivery::Transient).caused_by(error.to_string())))?;
        let end = match engine.runs.get(&run_id) {
            Some(run) => run.ended().await,
            None => None,
        };
        match end {
            Some(end) if end.delivered => {
                engine.note_delivered(key);
                Ok(Receipt { path: Path::Turn, progress: Progress::Delivered })
            }
            Some(end) => {
                let code = end.outcome.as_ref().err().and_then(|wire| wire.code.known());
                let mark = Mark::new(code.unwrap_or_else(|| Delivery::Transient.into()));
                Err(SendError::new(mark.caused_by(format!(
                    "the requester's turn did not begin: {:?}",
                    code.map(|code| code.to_string())
                ))))
            }
            None => Err(SendError::new(Mark::new(Delivery::Uncertain).effect_is(Effect::Possible))),
        }
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup, SendError> {
        let engine = self.engine()?;
        let Ok(session) = key.requester().parse::<SessionKey>() else { return Ok(Lookup::NotKnowable) };
        // Looked at before the transcript: a turn under way may be about to write it.
        let busy = engine.lanes.inside(&session) > 0;
        let known = engine
            .turns
            .has_message(&session, &key.to_string())
            .map_err(|error| SendError::new(Mark::new(Delivery::Transient).caused_by(error.to_string())))?;
        Ok(match (known, busy) {
            (true, _) => {
                engine.note_delivered(key);
                Lookup::Delivered
            }
            (false, true) => Lookup::NotKnown,
            (false, false) => Lookup::Absent,
        })
    }
}

impl Engine {
    fn note_delivered(&self, key: &Key) {
        self.events.note(Event::AnnounceDelivered { key: key.to_string() });
        if !key.is_give_up() {
            self.open.announces_delivered.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A row of the outbox as callers see it: never what is sent, always where it stands.
pub(crate) fn row(row: &Row) -> Value {
    json!({
        "seq": row.seq,
        "key": row.key.to_string(),
        "requester": row.key.requester(),
        "childRunId": row.key.child_run(),
        "state": row.state.as_str(),
        "sends": row.sends,
        "lookups": row.lookups,
        "createdAt": row.created_at.as_millis(),
        "dueAt": row.due_at.as_millis(),
        "settledAt": row.settled_at.map(|at| at.as_millis()),
        "cause": row.last_cause().map(|cause| cause.code.to_string()),
    })
}

/// The transport of a process that only operates on the outbox: nothing is sent until a gateway runs.
pub(crate) struct NobodySends;

#[async_trait]
impl Transport for NobodySends {
    async fn send(&self, _envelope: &Envelope, _key: &Key, _deadline: Instant) -> Result<Receipt, SendError> {
        Err(SendError::new(Mark::new(Delivery::Pending)))
    }

    async fn lookup(&self, _key: &Key) -> Result<Lookup, SendError> {
        Ok(Lookup::NotKnown)
    }
}
