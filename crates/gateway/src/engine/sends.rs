//! `sessions_send`: accepted, delivered, replied and failed are separate facts.
//!
//! A send that was accepted is written down before its caller hears of it, and ends in exactly one reply or one reported
//! failure. The caller's deadline bounds his wait, not the send: what comes later is settled all the same, and a sender that
//! is a session gets the reply, or the failure, as a turn of its own.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use moorline_taxonomy::Wire;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Engine, Incoming, TurnEnd,
    keys::{Asked, Known},
};
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

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SendParams {
    pub(crate) from: Option<SessionKey>,
    pub(crate) to: SessionKey,
    pub(crate) message: String,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) max_ping_pong: Option<u32>,
}

/// How a send was settled.
#[derive(Clone, Debug)]
enum Settled {
    Replied(String),
    Failed(Box<Wire>),
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
    /// Sends a message to a session and waits for its reply as long as the caller does. `nested` names the sessions whose
    /// turns wait for this one.
    pub(crate) async fn send(
        self: &Arc<Self>,
        params: SendParams,
        nested: &[SessionKey],
    ) -> anyhow::Result<Value> {
        check_message(&params.message)?;
        let ping_pong = params.max_ping_pong.unwrap_or(self.limits.ping_pong as u32);
        if ping_pong > MAX_PING_PONG {
            let message = format!("maxPingPong is {ping_pong}: allowed are 0 to {MAX_PING_PONG}");
            return Err(Failure::new(Exit::BadInput, moorline_taxonomy::Request::Format, message).into());
        }
        let send_id = params.idempotency_key.clone().unwrap_or_else(|| ulid::Ulid::generate().to_string());
        // A turn that waits for itself would wait for ever: such a send is accepted and not waited for.
        let waits_for_itself = nested.contains(&params.to);
        let wait = match params.timeout_ms {
            _ if waits_for_itself => Duration::ZERO,
            Some(ms) => Duration::from_millis(ms),
            None => DEFAULT_WAIT,
        };
        let asked = Asked::Message { to: params.to.clone(), text: params.message.clone() };
        let run_id = match self.keys.find(&send_id, &asked)? {
            Some(Known { run_id: Some(run_id), .. }) => run_id,
            // Settled by an earlier gateway: the turn is answered from the transcript, and nothing is promised anew.
            Some(Known { run_id: None, .. }) => self.start_send(&params, &send_id, false, None)?,
            None => {
                self.accept_send(&params, &send_id, !nested.is_empty() && !waits_for_itself, ping_pong)?
            }
        };
        let mut answer = json!({
            "sendId": send_id, "runId": run_id, "accepted": true, "delivered": false, "replied": false,
            "reply": null, "error": null,
        });
        let run = self.runs.get(&run_id);
        let ended = match run {
            Some(run) => tokio::time::timeout(wait, run.ended()).await.ok().flatten(),
            None => None,
        };
        if let Some(end) = ended {
            answer["delivered"] = json!(end.delivered);
            match settle(&end) {
                Settled::Replied(text) => {
                    answer["replied"] = json!(true);
                    answer["reply"] = json!(text);
                }
                Settled::Failed(wire) => answer["error"] = serde_json::to_value(&wire)?,
            }
        }
        Ok(answer)
    }

    fn accept_send(
        self: &Arc<Self>,
        params: &SendParams,
        send_id: &str,
        nested: bool,
        ping_pong: u32,
    ) -> anyhow::Result<String> {
        let promise = Event::SendAccepted {
            send_id: send_id.to_owned(),
            from: params.from.clone(),
            to: params.to.clone(),
            message: params.message.clone(),
            max_ping_pong: ping_pong,
        };
        self.drive_send(params.clone(), send_id, nested, ping_pong, Some(promise))
    }

    /// Starts the turn of a send that is promised, now or by an earlier gateway, and settles it when the turn has ended.
    pub(super) fn drive_send(
        self: &Arc<Self>,
        params: SendParams,
        send_id: &str,
        nested: bool,
        ping_pong: u32,
        promise: Option<Event>,
    ) -> anyhow::Result<String> {
        let run_id = self.start_send(&params, send_id, nested, promise)?;
        self.open.sends.fetch_add(1, Ordering::Relaxed);
        let (engine, send_id, id) = (Arc::clone(self), send_id.to_owned(), run_id.clone());
        self.tasks.run(async move {
            engine.settle_send(params, send_id, &id, nested, ping_pong).await;
            engine.open.sends.fetch_sub(1, Ordering::Relaxed);
        });
        Ok(run_id)
    }

    fn start_send(
        self: &Arc<Self>,
        params: &SendParams,
        send_id: &str,
        nested: bool,
        promise: Option<Event>,
    ) -> anyhow::Result<String> {
        let place = self.lanes.place(&params.to)?;
        let incoming = Incoming {
            text: params.message.clone(),
            key: send_id.to_owned(),
            from: params.from.clone(),
            session: params.to.clone(),
        };
        let run_id = match promise {
            Some(promise) => {
                let run_id = ulid::Ulid::generate().to_string();
                self.start_promised(place, incoming, nested, &run_id, promise)?;
                run_id
            }
            None => self.start_turn(place, incoming, nested)?,
        };
        let asked = Asked::Message { to: params.to.clone(), text: params.message.clone() };
        self.keys.remember(send_id, asked, Some(&run_id), None);
        Ok(run_id)
    }

    /// Waits for the end of a send's turn, writes down how it was settled, and tells the sender.
    async fn settle_send(
        self: &Arc<Self>,
        params: SendParams,
        send_id: String,
        run_id: &str,
        nested: bool,
        ping_pong: u32,
    ) {
        let Some(run) = self.runs.get(run_id) else { return };
        let Some(end) = run.ended().await else { return };
        let settled = settle(&end);
        match &settled {
            Settled::Replied(_) => self.events.note(Event::SendReplied { send_id: send_id.clone() }),
            Settled::Failed(wire) => {
                self.events.note(Event::SendFailed { send_id: send_id.clone(), code: wire.code.to_string() });
            }
        }
        // A nested sender has the answer as its tool's result.
        let Some(from) = params.from.filter(|_| !nested) else { return };
        match settled {
            Settled::Replied(text) => self.ping_pong(params.to, from, text, &send_id, ping_pong).await,
            Settled::Failed(wire) => {
                let text = format!("your message to {} failed: {} ({})", params.to, wire.message, wire.code);
                self.tell(&from, &params.to, text, &format!("{send_id}/failed")).await;
            }
        }
    }

    /// Lets the two sessions answer each other until one has nothing to say or the turns are used up.
    async fn ping_pong(
        self: &Arc<Self>,
        mut speaker: SessionKey,
        mut listener: SessionKey,
        mut text: String,
        send_id: &str,
        turns: u32,
    ) {
        for number in 0..turns {
            if moorline_announce::is_silent(&text) {
                return;
            }
            let message = format!("from {speaker}: {text}");
            let Some(reply) = self.tell(&listener, &speaker, message, &format!("{send_id}/{number}")).await
            else {
                return;
            };
            text = reply;
            std::mem::swap(&mut speaker, &mut listener);
        }
    }

    /// Gives a session a message as a turn of its own; its reply, if it has one.
    async fn tell(
        self: &Arc<Self>,
        to: &SessionKey,
        from: &SessionKey,
        text: String,
        key: &str,
    ) -> Option<String> {
        let incoming = Incoming { text, key: key.to_owned(), from: Some(from.clone()), session: to.clone() };
        let started = self
            .lanes
            .place(to)
            .map_err(anyhow::Error::from)
            .and_then(|place| self.start_turn(place, incoming, false));
        match started {
            Ok(run_id) => {
                let end = self.runs.get(&run_id)?.ended().await?;
                match settle(&end) {
                    Settled::Replied(text) => Some(text),
                    Settled::Failed(_) => None,
                }
            }
            Err(error) => {
                tracing::warn!(%to, %error, "a session could not be told");
                None
            }
        }
    }
}

fn settle(end: &TurnEnd) -> Settled {
    match &end.outcome {
        Ok(text) => Settled::Replied(text.clone()),
        Err(wire) => Settled::Failed(wire.clone()),
    }
}
