//! One attempt of one step: the call it makes and what its answer means.
//!
//! What must stay true: a retry can never do twice what the attempt before may have done. It sends the same idempotency
//! key, and a new one only after an error that says that nothing happened (effect *none*): a gateway that remembers failed
//! calls under their key would answer the old failure for ever, and there is nothing that could be done twice.

use std::time::{Duration, Instant};

use moorline_taxonomy::Effect;
use serde_json::{Map, Value, json};

use super::{
    answers::{Anything, RunAnswer, SendAnswer, SpawnAnswer},
    attempt_error::AttemptError,
    caller::{Caller, SHORT},
    expect::expect,
    state::{Done, State, Turn},
    wait::wait,
};
use crate::{Contention, Failure, Hold, SendFacts, Step, read_error};

/// How much longer a call may take than the turn it waits for.
const TRANSPORT: Duration = Duration::from_secs(5);

/// What the attempts of one step share.
pub(super) struct Attempts<'a> {
    pub(super) caller: &'a Caller<'a>,
    pub(super) contention: Option<&'a dyn Contention>,
    pub(super) state: &'a State,
    pub(super) run: &'a str,
    pub(super) began: Instant,
}

/// The idempotency key of an attempt, when `without_effect` attempts before it came to nothing for sure.
pub(super) fn key_of(step: &str, without_effect: u32) -> String {
    match without_effect {
        0 => step.to_owned(),
        some => format!("{step}/{some}"),
    }
}

impl Attempts<'_> {
    /// `text` with what `{run}` and `{child}` stand for.
    pub(super) fn fill(&self, text: &str) -> String {
        let text = text.replace("{run}", self.run);
        match &self.state.child {
            Some(child) => text.replace("{child}", child),
            None => text,
        }
    }
}

/// Makes one attempt. A lock that it took is handed back beside what it did.
pub(super) async fn act(
    step: &Step,
    with: &Attempts<'_>,
    key: String,
) -> Result<(Done, Option<Hold>), AttemptError> {
    let done = match step {
        Step::Contention(step) => {
            let contention = with.contention.ok_or(Failure::NoContention)?;
            let key = with.fill(&step.key);
            let patience = SHORT.min(with.caller.left(with.caller.clock.now())?);
            let held = with.caller.bounded(contention.hold(&key, step.hold), patience).await?;
            let held = held.ok_or_else(|| Failure::WaitedInVain {
                what: format!("the lock of {key}"),
                after_ms: super::millis(patience),
                seen: "it is not held yet".to_owned(),
            })?;
            return Ok((Done::default(), Some(held.map_err(AttemptError::refused)?)));
        }
        Step::Create(step) => {
            let params = json!({ "key": with.fill(&step.key) });
            let Anything {} = with.caller.call("sessions.create", params, SHORT).await?;
            Done::default()
        }
        Step::Send(step) => {
            let params = params([
                ("from", step.from.as_deref().map(|from| json!(with.fill(from)))),
                ("to", Some(json!(with.fill(&step.to)))),
                ("message", Some(json!(with.fill(&step.message)))),
                ("timeoutMs", Some(json!(super::millis(step.timeout)))),
                ("idempotencyKey", Some(json!(key))),
                ("maxPingPong", step.max_ping_pong.map(|turns| json!(turns))),
            ]);
            sent(with.caller.call("sessions.send", params, step.timeout + TRANSPORT).await?)?
        }
        Step::Spawn(step) => {
            let params = params([
                ("requester", Some(json!(with.fill(&step.requester)))),
                ("task", Some(json!(with.fill(&step.task)))),
                ("agent", step.agent.as_deref().map(|agent| json!(with.fill(agent)))),
                ("idempotencyKey", Some(json!(key))),
            ]);
            spawned(with.caller.call("sessions.spawn", params, SHORT).await?)?
        }
        Step::Agent(step) => {
            let params = params([
                ("sessionKey", Some(json!(with.fill(&step.key)))),
                ("message", Some(json!(with.fill(&step.message)))),
                ("timeoutMs", Some(json!(super::millis(step.timeout)))),
                ("idempotencyKey", Some(json!(key))),
            ]);
            ran(with.caller.call("agent", params, step.timeout + TRANSPORT).await?)?
        }
        Step::Wait(step) => wait(step, with).await?,
        Step::Expect(step) => {
            expect(step, with).await?;
            Done::default()
        }
    };
    Ok((done, None))
}

/// The parameters that are stated.
fn params<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let stated = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(stated.collect::<Map<_, _>>())
}

fn sent(answer: SendAnswer) -> Result<Done, AttemptError> {
    if let Some(error) = &answer.error {
        let mut wire = read_error(error);
        if answer.delivered {
            // The message is in a transcript, whatever the error says of itself.
            wire.effect = Effect::Done;
        }
        return Err(AttemptError::refused(wire));
    }
    Ok(Done {
        turn: Some(Turn { reply: answer.reply, outcome: None }),
        send: Some(SendFacts {
            accepted: Some(answer.accepted),
            delivered: Some(answer.delivered),
            replied: Some(answer.replied),
        }),
        run_id: answer.run_id,
        child: None,
    })
}

fn spawned(answer: SpawnAnswer) -> Result<Done, AttemptError> {
    if let Some(error) = &answer.error {
        return Err(AttemptError::refused(read_error(error)));
    }
    if !answer.accepted {
        let problem = "a spawn that is not accepted says why in `error`".to_owned();
        return Err(Failure::Answer { method: "sessions.spawn".to_owned(), problem }.into());
    }
    // The reply of an earlier turn is not the child's.
    Ok(Done {
        turn: Some(Turn::default()),
        send: None,
        run_id: Some(answer.run_id),
        child: Some(answer.child_session_key),
    })
}

fn ran(answer: RunAnswer) -> Result<Done, AttemptError> {
    if let Some(error) = &answer.error {
        return Err(AttemptError::refused(read_error(error)));
    }
    Ok(Done {
        turn: Some(Turn { reply: answer.reply, outcome: answer.outcome }),
        send: None,
        run_id: Some(answer.run_id),
        child: None,
    })
}
