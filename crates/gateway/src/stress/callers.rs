//! Callers: each asks once, and asks again with the same idempotency key until it is answered.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moorline_taxonomy::Domain;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{
    plan::{Call, Step},
    record::{Answer, Asked, Record, Recorder, Told},
};
use crate::{clock, exit, rpc::client::Client};

/// The wait that a call asks the gateway for.
const WAIT: Duration = Duration::from_secs(3);
/// How long a caller waits for an answer before it asks again.
const TRY: Duration = Duration::from_secs(5);
/// After this a caller gives up; longer than any planned fault lasts.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Before a call is repeated.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// Everybody who calls the gateway. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Callers {
    /// A client of the present gateway, or of the proxy before it.
    pub(crate) door: watch::Receiver<Client>,
    pub(crate) recorder: Arc<Recorder>,
    /// Part of every key, so that keys of two runs differ.
    pub(crate) seed: u64,
}

/// What one try came to.
enum Tried {
    Told { answer: Answer, run_id: Option<String>, reply: Option<String>, code: Option<String> },
    Again(String),
}

impl Callers {
    /// Makes a call and writes down what its caller was told.
    pub(crate) async fn ask(&self, step: &Step) -> anyhow::Result<()> {
        let key = format!("s{}-{}", self.seed, step.number);
        let text = text_of(step.number, &step.call);
        let wait = WAIT.as_millis();
        let (asked, method, params) = match &step.call {
            Call::Send { from, to, ping_pong } => (
                Asked::Send,
                "sessions.send",
                json!({"from": from, "to": to, "message": text, "timeoutMs": wait, "maxPingPong": ping_pong, "idempotencyKey": key}),
            ),
            Call::Spawn { requester, agent } => (
                Asked::Spawn,
                "sessions.spawn",
                json!({"requester": requester, "agent": agent, "task": text, "idempotencyKey": key}),
            ),
            Call::Turn { session } => (
                Asked::Turn,
                "agent",
                json!({"sessionKey": session, "message": text, "timeoutMs": wait, "idempotencyKey": key}),
            ),
            Call::Runner { .. } => anyhow::bail!("a runner's turn is not a call to the gateway"),
        };
        let (at, began) = (clock::wall_ms(), Instant::now());
        let mut tries = 0;
        let told = loop {
            tries += 1;
            match self.once(asked, method, params.clone()).await {
                told @ Tried::Told { .. } => break told,
                Tried::Again(code) if began.elapsed() >= PATIENCE => {
                    break Tried::Told {
                        answer: Answer::Unanswered,
                        run_id: None,
                        reply: None,
                        code: Some(code),
                    };
                }
                Tried::Again(code) => {
                    self.recorder.write(&Record::Again { step: step.number, at: clock::wall_ms(), code })?;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        let Tried::Told { answer, run_id, reply, code } = told else { return Ok(()) };
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.recorder.write(&Record::Told(Told {
            step: step.number,
            asked,
            session: step.call.session().clone(),
            key: Some(key),
            at,
            ms,
            tries,
            answer,
            run_id,
            reply,
            code,
        }))
    }

    async fn once(&self, asked: Asked, method: &str, params: Value) -> Tried {
        let client = self.door.borrow().clone();
        match tokio::time::timeout(TRY, client.call(method, params)).await {
            Ok(Ok(answer)) => judge(asked, &answer),
            Ok(Err(error)) => {
                let code = exit::wire(&error).code;
                // A request that is wrong stays wrong; everything else was refused before it was accepted, or is unknown.
                if code.known().is_some_and(|code| code.domain() == Domain::Request) {
                    failed(code.to_string())
                } else {
                    Tried::Again(code.to_string())
                }
            }
            Err(_) => Tried::Again("no answer in time".to_owned()),
        }
    }
}

fn failed(code: String) -> Tried {
    Tried::Told { answer: Answer::Failed, run_id: None, reply: None, code: Some(code) }
}

/// What an answer tells the caller, or that it has to ask again.
fn judge(asked: Asked, answer: &Value) -> Tried {
    let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let run_id = text("/runId");
    match (asked, text("/reply"), text("/error/code")) {
        (Asked::Spawn, _, _) => Tried::Told { answer: Answer::Accepted, run_id, reply: None, code: None },
        (Asked::Send | Asked::Turn | Asked::Runner, Some(reply), _) => {
            Tried::Told { answer: Answer::Replied, run_id, reply: Some(reply), code: None }
        }
        (Asked::Send | Asked::Turn | Asked::Runner, None, Some(code)) => {
            Tried::Told { answer: Answer::Failed, run_id, reply: None, code: Some(code) }
        }
        (Asked::Send | Asked::Turn | Asked::Runner, None, None) => Tried::Again("not settled yet".to_owned()),
    }
}

/// What is said: it names the step, and now and then asks for more time or more depth.
pub(crate) fn text_of(number: usize, call: &Call) -> String {
    match call {
        Call::Spawn { .. } => format!("step {number} in depth"),
        Call::Send { .. } | Call::Turn { .. } | Call::Runner { .. } if number.is_multiple_of(5) => {
            format!("step {number} slowly")
        }
        Call::Send { .. } | Call::Turn { .. } | Call::Runner { .. } => format!("step {number}"),
    }
}
