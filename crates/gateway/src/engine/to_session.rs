//! The transport of announces: how a child's result gets into its requester's transcript.
//!
//! The paths, in this order: into the run that has the session's turn, if it will call its model again; else as a turn of its
//! own, which waits in the session's lane. It has arrived when its message is in the transcript and on the disk, and it is
//! settled when somebody has answered it, or its own turn has ended otherwise: what is settled is never looked up again.
//! Whether it is there can always be looked up by its key, so what a crash left uncertain is settled by reading, never by
//! sending again.
//!
//! A send ends when the requester has taken the message in hand (*accepted*), and a task of the gateway settles it when it is
//! there. The option not taken, to wait for the end of the requester's turn, would let eight long turns hold up every other
//! announce, and would give a run one message of a burst at a time.
//!
//! What must stay true: a key is *on the way* from before its message can be written until it no longer can be; while it is,
//! nobody is told that it is absent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Instant,
};

use async_trait::async_trait;
use moorline_announce::{Body, Envelope, Key, Lookup, Path, Progress, Receipt, SendError, Transport};
use moorline_taxonomy::{Delivery, Effect, Mark};

use super::{Engine, Incoming, announces::SEND, lanes::Place, run_turn::Start, runs::Run};
use crate::session_key::SessionKey;

/// Where announces stand that this gateway has taken in hand, by key.
#[derive(Default)]
pub(super) struct OnTheWay {
    all: Mutex<HashMap<String, Stage>>,
}

#[derive(Clone, Copy)]
enum Stage {
    /// It may be written at any moment.
    Going(Path),
    /// A run ended without it. It goes by a turn now, or a session of many short runs would never get it.
    Returned,
}

impl OnTheWay {
    fn stage(&self, key: &Key) -> Option<Stage> {
        self.lock().get(&key.to_string()).copied()
    }

    fn go(&self, key: &Key, path: Path) {
        self.lock().insert(key.to_string(), Stage::Going(path));
    }

    pub(super) fn returned(&self, key: &Key) {
        self.lock().insert(key.to_string(), Stage::Returned);
    }

    pub(super) fn forget(&self, key: &Key) {
        self.lock().remove(&key.to_string());
    }

    /// Forgets the way of an announce that has ended. What may still be written is forgotten by who follows it.
    pub(super) fn over(&self, key: &Key) {
        let mut all = self.lock();
        match all.get(&key.to_string()) {
            Some(Stage::Returned) => all.remove(&key.to_string()),
            Some(Stage::Going(_)) | None => None,
        };
    }

    #[cfg(test)]
    pub(super) fn knows(&self, key: &Key) -> bool {
        self.stage(key).is_some()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Stage>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Delivers to sessions of the engine. Bound after the engine exists.
#[derive(Default)]
pub(super) struct ToSession {
    engine: std::sync::OnceLock<Weak<Engine>>,
}

impl ToSession {
    pub(super) fn bind(&self, engine: &Arc<Engine>) {
        let _ = self.engine.set(Arc::downgrade(engine));
    }

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
        let incoming = Incoming { text: text_of(envelope, key), key: key.to_string(), from: None, session };
        match engine.announces.on_the_way.stage(key) {
            Some(Stage::Going(path)) => return Ok(Receipt { path, progress: Progress::Accepted }),
            Some(Stage::Returned) => {}
            None => {
                if let Some(receipt) = engine.steer(key, &incoming).await? {
                    return Ok(receipt);
                }
            }
        }
        let sent = engine.announce_by_turn(key, &incoming, deadline).await;
        if sent.is_err() {
            engine.announces.wait_for(&incoming.session);
        }
        sent
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup, SendError> {
        let engine = self.engine()?;
        let Ok(session) = key.requester().parse::<SessionKey>() else { return Ok(Lookup::NotKnowable) };
        // Looked at before the transcript: what is on its way may be written in between.
        if let Some(Stage::Going(_)) = engine.announces.on_the_way.stage(key) {
            return Ok(Lookup::Accepted);
        }
        let Some(message) = engine.message_of(&session, key).await? else { return Ok(Lookup::Absent) };
        if !message.answered {
            // It is settled once it is: a row that has ended is never looked up again.
            engine.answer(key, Incoming { text: message.text, key: key.to_string(), from: None, session });
            return Ok(Lookup::Accepted);
        }
        engine.note_delivered(key);
        Ok(Lookup::Delivered)
    }
}

impl Engine {
    async fn message_of(&self, session: &SessionKey, key: &Key) -> Result<Option<super::Found>, SendError> {
        let found = self.turns.find_message(session, &key.to_string()).await;
        found.map_err(|error| SendError::new(Mark::new(Delivery::Transient).caused_by(error.to_string())))
    }

    /// Gives an announce to the run that has the session's turn, for its next model call. `None`: there is no such run, or it
    /// will not call its model again.
    async fn steer(self: &Arc<Self>, key: &Key, incoming: &Incoming) -> Result<Option<Receipt>, SendError> {
        let path = Path::Steer;
        let Some(run) = self.runs.active(&incoming.session) else { return Ok(None) };
        // A turn's message is written once for its key; what is steered is looked for here.
        if self.message_of(&incoming.session, key).await?.is_some() {
            // The look-up says whether it was answered, too.
            return Ok(Some(Receipt { path, progress: Progress::Accepted }));
        }
        self.announces.on_the_way.go(key, path);
        if !run.inbox.offer(incoming.for_runner()) {
            self.announces.on_the_way.forget(key);
            return Ok(None);
        }
        let (engine, key) = (Arc::clone(self), key.clone());
        self.tasks.run(async move { engine.follow_steered(&run, &key).await });
        Ok(Some(Receipt { path, progress: Progress::Accepted }))
    }

    /// Waits for what becomes of a steered announce, and settles it when it was answered.
    async fn follow_steered(self: &Arc<Self>, run: &Run, key: &Key) {
        let kept = run.inbox.kept(&key.to_string()).await;
        match run.ended().await {
            Some(end) if kept && end.outcome.is_ok() => self.announce_arrived(key, Path::Steer).await,
            // The run broke off between the message and its answer. Looked up now, it gets its own turn.
            Some(_) | None if kept => self.announce_unanswered(key).await,
            Some(_) | None => self.announce_returned(key).await,
        }
    }

    /// Settles an announce when the turn that has it ends. What a shutdown cut off is the next gateway's to answer.
    async fn follow_turn(self: &Arc<Self>, run: &Run, key: &Key) {
        match run.ended().await {
            Some(end) if end.delivered && !end.shut_down() => self.announce_arrived(key, Path::Turn).await,
            Some(_) | None => self.announces.on_the_way.forget(key),
        }
    }

    /// Gives an announce to its requester as a turn, and waits until the turn has it.
    async fn announce_by_turn(
        self: &Arc<Self>,
        key: &Key,
        incoming: &Incoming,
        deadline: Instant,
    ) -> Result<Receipt, SendError> {
        let path = Path::Turn;
        let place = self.lanes.place(&incoming.session).map_err(SendError::new)?;
        self.announces.on_the_way.go(key, path);
        // Refused before it was accepted: it may be sent again. Accepted: it is in the transcript or it is not, and only the
        // transcript says which.
        let run = match self.begin(Start { by: Some(deadline), ..Start::new(place, incoming.clone()) }) {
            Ok(run) => run,
            Err(error) => {
                self.announces.on_the_way.forget(key);
                return Err(SendError::new(Mark::new(Delivery::Transient).caused_by(error.to_string())));
            }
        };
        let (engine, taken, of) = (Arc::clone(self), run.clone(), key.clone());
        self.tasks.run(async move { engine.follow_turn(&taken, &of).await });
        if run.inbox.kept(&incoming.key).await {
            return Ok(Receipt { path, progress: Progress::Accepted });
        }
        match run.ended().await {
            Some(end) if end.delivered => Ok(Receipt { path, progress: Progress::Accepted }),
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

    /// Sees to it that a message which is in its session's transcript is answered, and settles the announce then. The
    /// message is not written again.
    fn answer(self: &Arc<Self>, key: &Key, incoming: Incoming) {
        let place = match self.lanes.place(&incoming.session) {
            Ok(place) => place,
            Err(error) => {
                tracing::warn!(session = %incoming.session, %error, "an announce is answered later");
                self.announces.wait_for(&incoming.session);
                return;
            }
        };
        self.announces.on_the_way.go(key, Path::Turn);
        let (engine, key) = (Arc::clone(self), key.clone());
        self.tasks.run(async move { engine.answer_in_turn(place, &key, incoming).await });
    }

    /// Waits for the session's turn, and takes it if nobody who had it before has answered the message.
    async fn answer_in_turn(self: &Arc<Self>, mut place: Place, key: &Key, incoming: Incoming) {
        let mut stop = self.stop.subscribe();
        let called = tokio::select! {
            () = place.called() => true,
            _ = stop.wait_for(|stop| *stop) => false,
        };
        let found = match called {
            true => self.message_of(&incoming.session, key).await,
            false => return self.announces.on_the_way.forget(key),
        };
        if found.is_ok_and(|found| found.is_some_and(|message| message.answered)) {
            return self.announce_arrived(key, Path::Turn).await;
        }
        match self.begin(Start::new(place, incoming)) {
            Ok(run) => self.follow_turn(&run, key).await,
            Err(error) => {
                self.announces.on_the_way.forget(key);
                tracing::warn!(%error, "an announce is answered later");
            }
        }
    }
}

fn text_of(envelope: &Envelope, key: &Key) -> String {
    match &envelope.body {
        Body::Result(text) if key.kind() == SEND => text.clone(),
        Body::Result(text) => format!("sub-agent result of run {}: {text}", key.child_run()),
        Body::GaveUp(notice) => format!(
            "the {} of run {} could not be delivered ({}): {}",
            if notice.of.is_completion() { "sub-agent result" } else { "word about the message" },
            notice.of.child_run(),
            notice.cause.code,
            notice.result
        ),
    }
}
