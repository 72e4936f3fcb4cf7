//! Announces: the gateway's outbox. A child's result is kept here before anything is sent, and delivered from here.
//!
//! How it gets into the requester's transcript is in `to_session.rs`. What must stay true: a session that becomes idle is told
//! what waited for it at once, and not after the next delay.

use std::{
    collections::{BTreeSet, HashSet},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use moorline_announce::{
    AnnounceError, AnnounceFault, Announcer, Envelope, Filter, Key, Limits, Lookup, Outbox, Path, Progress,
    Receipt, Row, SendError, State, Transport,
};
use moorline_retry::SystemClock;
use moorline_taxonomy::{Delivery, Mark};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use super::{
    Engine,
    to_session::{OnTheWay, ToSession},
};
use crate::{events::Event, outbox, session_key::SessionKey, settings, state_dir::StateDir};

/// Before the outbox is tried again that could not be written.
const AGAIN: Duration = Duration::from_secs(1);

/// The kind of an announce that tells a sender what became of his message.
pub(super) const SEND: &str = "send";

pub(crate) struct Announces {
    announcer: Arc<Announcer>,
    transport: Arc<ToSession>,
    pub(super) on_the_way: OnTheWay,
    /// Sessions that refused an announce because they were busy.
    waited_for: Mutex<HashSet<SessionKey>>,
}

impl Announces {
    pub(crate) async fn open(state: &StateDir, set: settings::Announce) -> anyhow::Result<Self> {
        let outbox: Arc<dyn Outbox> = Arc::new(outbox::open(state).await?);
        let transport = Arc::new(ToSession::default());
        let limits = Limits {
            expiry: Duration::from_millis(set.expiry_ms),
            retention: Duration::from_millis(set.retention_ms),
            ..Limits::standard()?
        };
        let announcer = Announcer::new(
            outbox,
            Arc::clone(&transport) as Arc<dyn Transport>,
            Arc::new(SystemClock),
            limits,
        );
        Ok(Self {
            announcer: Arc::new(announcer),
            transport,
            on_the_way: OnTheWay::default(),
            waited_for: Mutex::default(),
        })
    }

    pub(crate) fn announcer(&self) -> &Announcer {
        &self.announcer
    }

    /// Remembers that an announce waits for a session to be idle.
    pub(super) fn wait_for(&self, session: &SessionKey) {
        self.waited_for.lock().unwrap_or_else(PoisonError::into_inner).insert(session.clone());
    }

    fn waited_for(&self, session: &SessionKey) -> bool {
        self.waited_for.lock().unwrap_or_else(PoisonError::into_inner).remove(session)
    }
}

/// Makes what waits for a session due now. What cannot be hastened comes after its delay.
async fn hasten(announcer: &Announcer, requester: &str) {
    if let Err(error) = announcer.requester_idle(requester).await {
        tracing::warn!(
            requester,
            error = &error as &dyn std::error::Error,
            "announces come after their delay"
        );
    }
}

/// When a gateway starts, every session is idle.
async fn hasten_all(announcer: &Announcer) -> Result<(), AnnounceError> {
    let open = Filter { states: vec![State::Prepared, State::Uncertain], ..Filter::default() };
    let requesters: BTreeSet<String> =
        announcer.list(&open).await?.iter().map(|row| row.key.requester().to_owned()).collect();
    for requester in requesters {
        announcer.requester_idle(&requester).await?;
    }
    Ok(())
}

impl Engine {
    /// Starts to deliver: what is left from before, and what comes. `idle` names sessions as they become idle.
    pub(super) fn drive_announces(self: &Arc<Self>, mut idle: mpsc::UnboundedReceiver<SessionKey>) {
        self.announces.transport.bind(self);
        let announcer = Arc::clone(&self.announces.announcer);
        let stop = self.stop.subscribe();
        self.tasks.run(async move {
            loop {
                let driven = async {
                    hasten_all(&announcer).await?;
                    announcer.drive(stopped(stop.clone())).await
                };
                let Err(error) = driven.await else { return };
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the announce driver broke off; it starts again"
                );
                // A full disk is full for a while; what was under way is looked up when it starts again.
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    () = stopped(stop.clone()) => return,
                }
            }
        });
        let (engine, mut stop) = (Arc::downgrade(self), self.stop.subscribe());
        self.tasks.run(async move {
            let listening = async {
                while let Some(session) = idle.recv().await {
                    let Some(engine) = engine.upgrade() else { return };
                    if engine.announces.waited_for(&session) {
                        hasten(engine.announcer(), session.as_str()).await;
                    }
                }
            };
            tokio::select! {
                () = listening => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        });
    }

    /// Keeps a child's result, to be delivered. At a shutdown the next gateway goes on with it.
    pub(super) async fn submit_announce(
        &self,
        requester: &SessionKey,
        child: &SessionKey,
        run_id: &str,
        text: &str,
    ) {
        let key = match Key::completion(requester.as_str(), run_id) {
            Ok(key) => key,
            Err(error) => return tracing::error!(%requester, run_id, %error, "a result has no key"),
        };
        let prepared = Event::AnnouncePrepared {
            key: key.to_string(),
            requester: requester.clone(),
            child_run_id: run_id.to_owned(),
        };
        if self.persist(&key, || async { Ok(self.events.write(prepared.clone())?) }).await.is_none() {
            return;
        }
        if let Some(row) = self.keep(&key, text, child).await {
            // Kept and settled before a crash, which the event file does not know yet, or nothing to say.
            self.note_end(&row);
        }
    }

    /// Keeps a text for a session. What is larger than the outbox takes is cut, with a note that says where the whole is.
    /// `None`: the gateway stopped before it could be kept.
    async fn keep(&self, key: &Key, text: &str, said_in: &SessionKey) -> Option<Row> {
        let to = key.requester();
        self.persist(key, || async {
            let submit = |text: &str| self.announcer().submit(key.clone(), Envelope::result(to, text));
            let kept = match submit(text).await {
                Err(error) => match error.fault() {
                    AnnounceFault::TooLarge { most, .. } => submit(&shortened(text, most, said_in)).await?,
                    AnnounceFault::Outbox(_)
                    | AnnounceFault::NotFound { .. }
                    | AnnounceFault::InFlight { .. }
                    | AnnounceFault::Settled { .. }
                    | AnnounceFault::Driven => return Err(error.into()),
                },
                Ok(kept) => kept,
            };
            Ok(kept.row().clone())
        })
        .await
    }

    /// Tries until it succeeds: what was promised is kept, when the disk that was full is not full any more. `None`: the gateway
    /// stopped first.
    async fn persist<T, Attempt>(&self, of: &Key, mut attempt: impl FnMut() -> Attempt) -> Option<T>
    where
        Attempt: Future<Output = anyhow::Result<T>>,
    {
        loop {
            match attempt().await {
                Ok(done) => return Some(done),
                Err(error) => tracing::error!(%of, %error, "an announce could not be kept yet"),
            }
            tokio::select! {
                () = tokio::time::sleep(AGAIN) => {}
                () = stopped(self.stop.subscribe()) => return None,
            }
        }
    }
}

/// The beginning of a text that is too large, and a note of what was cut.
fn shortened(text: &str, most: usize, said_in: &SessionKey) -> String {
    let bytes = text.len();
    let note = format!("\n\n[cut: the whole text of {bytes} bytes is in the transcript of {said_in}]");
    let room = most.saturating_sub(note.len());
    let kept = (0..=room).rev().find_map(|end| text.get(..end)).unwrap_or_default();
    format!("{kept}{note}")
}

/// Completes when the engine stops. Cancel-safe.
async fn stopped(mut stop: watch::Receiver<bool>) {
    // The engine is gone when the sender is: that is a stop too.
    let _ = stop.wait_for(|stop| *stop).await;
}

impl Engine {
    /// Keeps the word about a send for its sender, to be delivered: once for a send, whatever is said later. False: the gateway
    /// stopped before it could be kept, and the send is the next one's to settle.
    pub(super) async fn submit_word(
        &self,
        sender: &SessionKey,
        to: &SessionKey,
        send_id: &str,
        text: &str,
    ) -> bool {
        match Key::new(sender.as_str(), send_id, SEND) {
            Ok(key) => self.keep(&key, text, to).await.is_some(),
            Err(error) => {
                tracing::error!(%sender, send_id, %error, "the word about a send has no key");
                true
            }
        }
    }

    /// Settles an announce whose message is in the transcript and was answered, as far as it will be.
    pub(super) async fn announce_arrived(&self, key: &Key, path: Path) {
        let receipt = Receipt { path, progress: Progress::Delivered };
        let settled = self.announcer().receipt(key, receipt).await;
        self.announces.on_the_way.forget(key);
        match settled {
            Ok(()) => self.note_delivered(key),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "a delivered announce is looked up later"
                );
            }
        }
    }

    /// An announce came back from a run that ended first: it is looked up, and goes another way, now.
    pub(super) async fn announce_returned(&self, key: &Key) {
        self.announces.on_the_way.returned(key);
        hasten(self.announcer(), key.requester()).await;
    }

    /// An announce is in the transcript, and the run that was to answer it broke off: it is looked up now.
    pub(super) async fn announce_unanswered(&self, key: &Key) {
        self.announces.on_the_way.forget(key);
        hasten(self.announcer(), key.requester()).await;
    }

    /// Settles a result without sending it.
    pub(crate) async fn dismiss_announce(&self, seq: u64) -> Result<Row, AnnounceError> {
        let row = self.announcer().dismiss(seq).await?;
        self.note_end(&row);
        Ok(row)
    }

    /// Writes down how a row ended, if it did: what is settled is not owed any more.
    pub(super) fn note_end(&self, row: &Row) {
        match row.state {
            State::Delivered => self.note_delivered(&row.key),
            State::Silent | State::Rejected | State::Expired => self.note_settled(&row.key),
            State::Prepared | State::Sending | State::Uncertain => {}
        }
    }

    pub(super) fn note_settled(&self, key: &Key) {
        self.announces.on_the_way.over(key);
        self.events.note(Event::AnnounceSettled { key: key.to_string() });
    }

    pub(super) fn note_delivered(&self, key: &Key) {
        self.announces.on_the_way.over(key);
        self.events.note(Event::AnnounceDelivered { key: key.to_string() });
        // The notice that a result was given up has arrived: the result itself will not.
        if key.is_give_up()
            && let Ok(given_up) = Key::completion(key.requester(), key.child_run())
        {
            self.note_settled(&given_up);
        }
        if key.is_completion() {
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
        "kind": row.key.kind(),
        "state": row.state.as_str(),
        "path": row.path(),
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
