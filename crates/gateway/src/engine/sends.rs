//! `sessions_send`: accepted, delivered, replied and failed are separate facts.
//!
//! A send that was accepted is written down before its caller hears of it, and ends in exactly one reply or one reported
//! failure. The caller's deadline bounds his wait, not the send: what comes later is settled all the same, and a sender that
//! is a session gets the reply as a turn of its own. What cannot be told so, and every failure, goes through the outbox.
//!
//! A send is written down as settled only after its sender was told, or the word is in the outbox: whatever a crash cuts off
//! is driven again under the same keys, and nothing is said twice for one key.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use moorline_taxonomy::Wire;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Engine, Incoming, TurnEnd, keys::Asked, lanes::Place, run_turn::Start, runs::Run};
use crate::{
    events::Event,
    exit::{Exit, Failure},
    session_key::SessionKey,
};

/// Longest message; larger things belong into a file that the message names.
const MAX_MESSAGE: usize = 256 * 1024;
/// How long a caller waits who does not say.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
/// Limit of the turns of an exchange after the first reply.
const MAX_PING_PONG: u32 = 20;

#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SendParams {
    /// The sending session; the reply, or the failure, reaches it as a turn of its own.
    pub(crate) from: Option<SessionKey>,
    pub(crate) to: SessionKey,
    /// At most 256 KiB.
    pub(crate) message: String,
    /// How long the caller waits for the reply, in milliseconds; 30 s when it is left out. The send goes on after it.
    pub(crate) timeout_ms: Option<u64>,
    /// The same key is the same send, after a restart, too.
    pub(crate) idempotency_key: Option<String>,
    /// Turns of an exchange after the first reply, 0 to 20; 5 when it is left out.
    pub(crate) max_ping_pong: Option<u32>,
}

/// How a send is driven.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) ping_pong: u32,
    /// A tool of the sender's turn asked for it.
    pub(super) in_turn: bool,
    /// And waits for it.
    pub(super) waits: bool,
    /// Says whether the caller heard the outcome; nobody does who is gone.
    pub(super) handed: Option<oneshot::Receiver<bool>>,
}

/// What came of a turn that was to tell a session something.
enum Told {
    Replied(String),
    /// The message is in the transcript; there is no reply.
    Kept,
    /// The message did not get there.
    Nothing,
}

/// Whether a reply got on its way to the sender.
enum Passed {
    /// It did, or need not; with what the sender said to it, and who that is.
    On(Option<(SessionKey, String)>),
    /// The gateway stopped before.
    Not,
}

/// How a send was settled.
#[derive(Clone, Debug)]
enum Settled {
    Replied(String),
    Failed(Box<Wire>),
}

/// Longest idempotency key: it names a row of the outbox, too.
const MAX_KEY: usize = 256;

/// Whether an idempotency key may be used.
pub(crate) fn check_key(key: Option<&str>) -> Result<(), Failure> {
    let problem = match key {
        Some("") => "it is empty",
        Some(key) if key.len() > MAX_KEY => "it is longer than 256 bytes",
        Some(key) if key.chars().any(char::is_control) => "it holds a control character",
        Some(_) | None => return Ok(()),
    };
    Err(Failure::new(
        Exit::BadInput,
        moorline_taxonomy::Request::Format,
        format!("the idempotency key was not accepted: {problem}"),
    ))
}

/// Whether a message may be accepted at all.
pub(crate) fn check_message(message: &str) -> Result<(), Failure> {
    let problem = if message.trim().is_empty() {
        "it is empty"
    } else if message.len() > MAX_MESSAGE {
        "it is longer than 256 KiB"
    } else {
        return Ok(());
    };
    Err(Failure::new(
        Exit::BadInput,
        moorline_taxonomy::Request::Format,
        format!("the message was not accepted: {problem}"),
    ))
}

impl Engine {
    /// Sends a message to a session and waits for its reply as long as the caller does. `in_turn`: a tool of the sender's
    /// turn calls.
    pub(crate) async fn send(self: &Arc<Self>, params: SendParams, in_turn: bool) -> anyhow::Result<Value> {
        check_message(&params.message)?;
        check_key(params.idempotency_key.as_deref())?;
        let ping_pong = params.max_ping_pong.unwrap_or(self.limits.ping_pong as u32);
        if ping_pong > MAX_PING_PONG {
            let message = format!("maxPingPong is {ping_pong}: allowed are 0 to {MAX_PING_PONG}");
            return Err(Failure::new(Exit::BadInput, moorline_taxonomy::Request::Format, message).into());
        }
        let send_id = params.idempotency_key.clone().unwrap_or_else(|| ulid::Ulid::generate().to_string());
        let asked_to_wait = params.timeout_ms.map_or(DEFAULT_WAIT, Duration::from_millis);
        let sender = params.from.clone().filter(|_| !asked_to_wait.is_zero());
        let waiting = sender.map(|from| self.rings.enter(&from, &params.to, in_turn));
        // Turns that wait for each other would all wait in vain: the send that would close the ring is not waited for.
        let closes_a_ring = matches!(waiting, Some(None));
        let wait = if closes_a_ring { Duration::ZERO } else { asked_to_wait };
        let asked = Asked::message(params.from.as_ref(), &params.to, &params.message);
        // Says, once, whether the outcome got into the caller's hands.
        let (hand_over, handed) = oneshot::channel();
        let asking = Asking { ping_pong, in_turn, waits: in_turn && !wait.is_zero(), handed: Some(handed) };
        let accepting = self.keys.accepting();
        let known = self.keys.find(&send_id, &asked)?;
        let is_known = known.is_some();
        let run = match known.and_then(|known| self.runs.get(&known.run_id?)) {
            Some(run) => run,
            // Settled long ago or by an earlier gateway: the turn is answered from the transcript, and nothing is
            // promised anew.
            None if is_known => {
                self.start_send(self.lanes.place(&params.to)?, &params, &send_id, false, None)?
            }
            None => self.accept_send(&params, &send_id, asking)?,
        };
        drop(accepting);
        let mut answer = json!({
            "sendId": send_id, "runId": &*run.id, "accepted": true, "delivered": false, "replied": false,
            "reply": null, "error": null,
        });
        let ended = tokio::time::timeout(wait, run.ended()).await.ok().flatten();
        // Nobody listens where the send was settled before.
        let _ = hand_over.send(ended.is_some());
        if let Some(end) = ended {
            answer["delivered"] = json!(end.delivered);
            match settle(&end) {
                Settled::Replied(text) => {
                    answer["replied"] = json!(true);
                    answer["reply"] = json!(text);
                }
                Settled::Failed(wire) => answer["error"] = serde_json::to_value(&wire)?,
            }
        } else {
            answer["delivered"] = json!(run.inbox.has(&send_id));
        }
        Ok(answer)
    }

    fn accept_send(
        self: &Arc<Self>,
        params: &SendParams,
        send_id: &str,
        asking: Asking,
    ) -> anyhow::Result<Run> {
        let promise = Event::SendAccepted {
            send_id: send_id.to_owned(),
            from: params.from.clone(),
            to: params.to.clone(),
            message: params.message.clone(),
            max_ping_pong: asking.ping_pong,
            generated: params.idempotency_key.is_none(),
        };
        self.drive_send(params.clone(), send_id, asking, Some(promise))
    }

    /// Starts the turn of a send that is promised, now or by an earlier gateway, and settles it when the turn has ended.
    pub(super) fn drive_send(
        self: &Arc<Self>,
        params: SendParams,
        send_id: &str,
        asking: Asking,
        promise: Option<Event>,
    ) -> anyhow::Result<Run> {
        let place = match &promise {
            Some(_) => self.lanes.place(&params.to)?,
            // Promised by an earlier gateway.
            None => self.lanes.place_owed(&params.to),
        };
        let run = self.start_send(place, &params, send_id, asking.waits, promise)?;
        self.open.sends.fetch_add(1, Ordering::Relaxed);
        let (engine, send_id, taken) = (Arc::clone(self), send_id.to_owned(), run.clone());
        self.tasks.run(async move {
            engine.settle_send(params, &send_id, &taken, asking).await;
            engine.open.sends.fetch_sub(1, Ordering::Relaxed);
        });
        Ok(run)
    }

    fn start_send(
        self: &Arc<Self>,
        place: Place,
        params: &SendParams,
        send_id: &str,
        nested: bool,
        promise: Option<Event>,
    ) -> anyhow::Result<Run> {
        let incoming = Incoming {
            text: params.message.clone(),
            key: send_id.to_owned(),
            from: params.from.clone(),
            session: params.to.clone(),
        };
        let run = self.begin(Start { nested, promise, ..Start::new(place, incoming) })?;
        if let Some(key) = &params.idempotency_key {
            let asked = Asked::message(params.from.as_ref(), &params.to, &params.message);
            self.keys.remember(key, asked, Some(&run.id), None);
        }
        Ok(run)
    }

    /// Waits for the end of a send's turn, tells the sender what he has not heard, and writes down how it was settled.
    async fn settle_send(self: &Arc<Self>, params: SendParams, send_id: &str, run: &Run, asking: Asking) {
        let Some(end) = run.ended().await else { return };
        let heard = match asking.handed {
            Some(handed) => handed.await.unwrap_or(false),
            None => false,
        };
        // The next gateway goes on with what a shutdown cut off, unless the caller heard that it failed.
        if end.shut_down() && !heard {
            return;
        }
        let to = params.to;
        // A turn that waited has the answer as its tool's result.
        let from = params.from.filter(|_| !(asking.in_turn && heard));
        match settle(&end) {
            Settled::Replied(text) => {
                let passed = match from {
                    Some(from) => self.pass_on(&to, &from, &text, send_id, asking.ping_pong, heard).await,
                    None => Passed::On(None),
                };
                let Passed::On(again) = passed else { return };
                self.events.note(Event::SendReplied { send_id: send_id.to_owned() });
                if let Some((from, reply)) = again {
                    self.ping_pong(from, to, reply, send_id, asking.ping_pong).await;
                }
            }
            Settled::Failed(wire) => {
                let text = format!("your message to {to} failed: {} ({})", wire.message, wire.code);
                let told = match from {
                    Some(from) => self.submit_word(&from, &to, send_id, &text).await,
                    None => true,
                };
                if told {
                    let code = wire.code.to_string();
                    self.events.note(Event::SendFailed { send_id: send_id.to_owned(), code });
                }
            }
        }
    }

    /// Gives a reply to the session that sent the message: as a turn, if the two may go on talking; its answer is what they
    /// go on with.
    async fn pass_on(
        self: &Arc<Self>,
        to: &SessionKey,
        from: &SessionKey,
        text: &str,
        send_id: &str,
        ping_pong: u32,
        heard: bool,
    ) -> Passed {
        if moorline_announce::is_silent(text) || (ping_pong == 0 && heard) {
            return Passed::On(None);
        }
        let message = format!("from {to}: {text}");
        let told = if ping_pong == 0 {
            Told::Nothing
        } else {
            self.tell(from, to, message.clone(), &format!("{send_id}/0")).await
        };
        match told {
            Told::Replied(reply) => Passed::On(Some((from.clone(), reply))),
            Told::Kept => Passed::On(None),
            Told::Nothing if self.submit_word(from, to, send_id, &message).await => Passed::On(None),
            Told::Nothing => Passed::Not,
        }
    }

    /// Lets the two sessions go on answering each other until one has nothing to say or the turns are used up.
    async fn ping_pong(
        self: &Arc<Self>,
        mut speaker: SessionKey,
        mut listener: SessionKey,
        mut text: String,
        send_id: &str,
        turns: u32,
    ) {
        for number in 1..turns {
            if moorline_announce::is_silent(&text) {
                return;
            }
            let message = format!("from {speaker}: {text}");
            match self.tell(&listener, &speaker, message, &format!("{send_id}/{number}")).await {
                Told::Replied(reply) => text = reply,
                Told::Kept | Told::Nothing => return,
            }
            std::mem::swap(&mut speaker, &mut listener);
        }
    }

    /// Gives a session a message as a turn of its own.
    async fn tell(self: &Arc<Self>, to: &SessionKey, from: &SessionKey, text: String, key: &str) -> Told {
        let incoming = Incoming { text, key: key.to_owned(), from: Some(from.clone()), session: to.clone() };
        let placed = self.lanes.place(to).map_err(anyhow::Error::from);
        let ended = match placed.and_then(|place| self.begin(Start::new(place, incoming))) {
            Ok(run) => run.ended().await,
            Err(error) => {
                tracing::warn!(%to, %error, "a session could not be told by a turn");
                None
            }
        };
        match ended {
            Some(end) => match settle(&end) {
                Settled::Replied(text) => Told::Replied(text),
                Settled::Failed(_) if end.delivered => Told::Kept,
                Settled::Failed(_) => Told::Nothing,
            },
            None => Told::Nothing,
        }
    }
}

fn settle(end: &TurnEnd) -> Settled {
    match &end.outcome {
        Ok(text) => Settled::Replied(text.clone()),
        Err(wire) => Settled::Failed(wire.clone()),
    }
}
