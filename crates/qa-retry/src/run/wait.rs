//! Waiting until something is so.
//!
//! A run is waited for by `agent.wait`, which the gateway holds open. Announces and idle sessions are asked for again and
//! again, with pauses that grow: the port has calls and no events, so that any client can stand behind it. The pauses cost
//! nobody but this run.

use std::time::Duration;

use serde_json::json;

use super::{
    act::Attempts,
    answers::{AnnounceAnswer, RunAnswer, SessionsAnswer},
    attempt_error::AttemptError,
    caller::SHORT,
    millis,
    state::{Done, Turn},
};
use crate::{Failure, WaitFor, WaitStep};

/// The first pause between two looks, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// The longest that one `agent.wait` is held open.
const HELD_OPEN: Duration = Duration::from_secs(20);

/// What one look found.
enum Look {
    Done(Done),
    NotYet(String),
}

pub(super) async fn wait(step: &WaitStep, with: &Attempts<'_>) -> Result<Done, AttemptError> {
    // From the begin of the step and not of the attempt: a retry does not lengthen the wait.
    let until = with.began + step.timeout;
    let mut pause = FIRST_PAUSE;
    loop {
        let left = until.saturating_duration_since(with.caller.clock.now());
        let seen = match look(step, with, left).await? {
            Look::Done(done) => return Ok(done),
            Look::NotYet(seen) => seen,
        };
        let now = with.caller.clock.now();
        if now >= until {
            let after_ms = millis(now.saturating_duration_since(with.began));
            return Err(Failure::WaitedInVain { what: words(step, with), after_ms, seen }.into());
        }
        with.caller.pause(pause.min(until - now)).await?;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn look(step: &WaitStep, with: &Attempts<'_>, left: Duration) -> Result<Look, AttemptError> {
    match step.what {
        WaitFor::Announce => {
            let requester = with.fill(step.requester.as_deref().unwrap_or_default());
            let answer: AnnounceAnswer = with.caller.call("announce.list", json!({}), SHORT).await?;
            let mine: Vec<_> = answer.rows.iter().filter(|row| row.requester == requester).collect();
            let settled = mine.iter().filter(|row| row.settled()).count();
            let wanted = usize::try_from(step.count.unwrap_or(1)).unwrap_or(usize::MAX);
            if settled >= wanted {
                return Ok(Look::Done(Done::default()));
            }
            Ok(Look::NotYet(format!("{} announces, {settled} of them settled", mine.len())))
        }
        WaitFor::Idle => {
            let key = with.fill(step.key.as_deref().unwrap_or_default());
            let answer: SessionsAnswer = with.caller.call("sessions.list", json!({}), SHORT).await?;
            Ok(match answer.sessions.iter().find(|session| session.key == key) {
                Some(session) if session.turns == 0 => Look::Done(Done::default()),
                Some(session) => Look::NotYet(format!("{} turns under way or waiting", session.turns)),
                None => Look::NotYet("there is no such session".to_owned()),
            })
        }
        WaitFor::Run => {
            let Some(run_id) = &with.state.run_id else {
                return Ok(Look::NotYet("no run was started".to_owned()));
            };
            let open = left.min(HELD_OPEN);
            let params = json!({ "runId": run_id, "timeoutMs": millis(open) });
            let answer: RunAnswer = with.caller.call("agent.wait", params, open + SHORT).await?;
            if let Some(error) = &answer.error {
                return Err(AttemptError::ended(error));
            }
            Ok(match answer.outcome {
                Some(outcome) => Look::Done(Done {
                    turn: Some(Turn { reply: answer.reply, outcome: Some(outcome) }),
                    ..Done::default()
                }),
                None => Look::NotYet("it is still under way".to_owned()),
            })
        }
    }
}

fn words(step: &WaitStep, with: &Attempts<'_>) -> String {
    let of = |text: &Option<String>| with.fill(text.as_deref().unwrap_or_default());
    match step.what {
        WaitFor::Announce => format!("{} announces to {}", step.count.unwrap_or(1), of(&step.requester)),
        WaitFor::Idle => format!("{} to be idle", of(&step.key)),
        WaitFor::Run => "the run to end".to_owned(),
    }
}
