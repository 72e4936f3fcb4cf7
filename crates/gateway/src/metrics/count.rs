//! What is counted where it happens.

use std::time::Duration;

use metrics::{counter, histogram};
use moorline_failover::Why;
use moorline_taxonomy::{Code, Domain};

use super::{render, table as name};
use crate::events::Event;

/// An event was written down.
pub(crate) fn event(event: &Event) {
    match event {
        Event::RunAccepted { .. } => counter!(name::RUNS_ACCEPTED).increment(1),
        Event::RunRequeued { .. } => counter!(name::TAKEOVERS).increment(1),
        Event::RunEnded { outcome, .. } => {
            counter!(name::RUNS_ENDED, "outcome" => outcome.clone()).increment(1);
            if matches!(outcome.as_str(), "parked" | "superseded") {
                counter!(name::TAKEOVERS).increment(1);
            }
        }
        Event::SendAccepted { .. } => counter!(name::SENDS_ACCEPTED).increment(1),
        Event::SendReplied { .. } => counter!(name::SENDS_SETTLED, "outcome" => "replied").increment(1),
        Event::SendFailed { .. } => counter!(name::SENDS_SETTLED, "outcome" => "failed").increment(1),
        Event::SpawnAccepted { .. } => counter!(name::SPAWNS_ACCEPTED).increment(1),
        Event::AnnouncePrepared { .. } | Event::AnnounceSettled { .. } => {}
        Event::AnnounceDelivered { .. } => counter!(name::ANNOUNCES_DELIVERED).increment(1),
        Event::LockStale { reasons, .. } => counter!(name::STALE, "reason" => reasons.join("+")).increment(1),
        Event::LockReclaimed { reasons, .. } => {
            counter!(name::RECLAIMS, "reason" => reasons.join("+")).increment(1);
        }
        Event::LockHeld { .. } => {}
    }
}

/// A lock was acquired after this wait.
pub(crate) fn lock_waited(wait: Duration) {
    histogram!(name::LOCK_WAIT).record(wait);
    render::tidy();
}

/// A lock was let go after this hold.
pub(crate) fn lock_held(hold: Duration) {
    histogram!(name::LOCK_HOLD).record(hold);
    render::tidy();
}

/// An MCP tool was called; `code` is what it failed with.
pub(crate) fn tool_called(tool: &str, code: Option<String>) {
    let code = code.unwrap_or_else(|| "ok".to_owned());
    counter!(name::MCP_CALLS, "tool" => tool.to_owned(), "code" => code).increment(1);
}

/// A model was called; `failed` is what it failed with.
pub(crate) fn model_called(failed: Option<Code>) {
    let word = failed.map_or_else(|| "ok".to_owned(), |code| code.to_string());
    if failed.is_some_and(|code| code.domain() == Domain::Provider) {
        counter!(name::CANDIDATES_BURNED, "code" => word.clone()).increment(1);
    }
    counter!(name::MODEL_CALLS, "code" => word).increment(1);
}

/// A cooldown was set or prolonged.
pub(crate) fn cooled(why: Why) {
    counter!(name::COOLDOWNS, "why" => why.as_str()).increment(1);
}

/// A listener was too slow.
pub(crate) fn notices_missed(number: u64) {
    counter!(name::NOTICES_MISSED).increment(number);
}
