//! An `expect` step: ask for what is needed, then compare.

use serde_json::json;

use super::{
    act::Attempts,
    answers::{AnnounceAnswer, HistoryAnswer},
    attempt_error::AttemptError,
    caller::SHORT,
    check,
};
use crate::{ExpectStep, Failure};

pub(super) async fn expect(step: &ExpectStep, with: &Attempts<'_>) -> Result<(), AttemptError> {
    let state = with.state;
    let fill = |text: &str| with.fill(text);
    let mut found = Vec::new();
    found.extend(step.error.as_ref().and_then(|error| check::error(error, state.error.as_ref())));
    found.extend(step.attempts.as_ref().and_then(|attempts| check::attempts(attempts, state.attempts)));
    let turn = state.turn.as_ref();
    found.extend(step.outcome.as_deref().and_then(|word| check::outcome(word, turn)));
    found.extend(step.reply.as_ref().and_then(|reply| check::reply(reply, turn, fill)));
    found.extend(step.send.iter().flat_map(|facts| check::send(facts, state.send.as_ref())));
    if let Some(history) = &step.history {
        let answer = transcript(&history.key, with).await?;
        found.extend(check::history(history, &answer.messages, fill));
    }
    if let Some(call) = &step.tool_call {
        let answer = transcript(&call.key, with).await?;
        found.extend(check::tool_call(call, &answer.messages));
    }
    if let Some(announce) = &step.announce {
        let answer: AnnounceAnswer = with.caller.call("announce.list", json!({}), SHORT).await?;
        found.extend(check::announce(announce, &answer.rows, fill));
    }
    if found.is_empty() { Ok(()) } else { Err(Failure::Assertion { mismatches: found }.into()) }
}

async fn transcript(key: &str, with: &Attempts<'_>) -> Result<HistoryAnswer, AttemptError> {
    with.caller.call("sessions.history", json!({ "key": with.fill(key) }), SHORT).await
}
