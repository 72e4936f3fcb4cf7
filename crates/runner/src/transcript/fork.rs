//! A session that begins with the conversation of another one.
//!
//! The decision: what is copied is what the other session's model would be told, as plain history: the active branch and the
//! announcements beside it, without our marks and without idempotency keys, since no turn of the copy is a turn of ours, and
//! up to the last point at which every tool call had its result. The option not taken, to copy the file, would answer the
//! copy's messages with the original's replies, and would show a call as interrupted that is still under way.

use std::{io, path::Path, time::SystemTime};

use moorline_lock_core::{Durability, Journal, Locks, RunTag, Target};
use moorline_taxonomy::{Local, Mark};
use serde_json::{Map, Value};

use super::{
    append::{SessionError, released},
    draft::{NewSession, line},
    entry::Kind,
    format::Transcript,
    jsonl::Jsonl,
    load::read_session,
    session::Session,
};
use crate::{attempt::off_thread, ids};

/// Creates a session with the conversation of the one at `from`, as far as a model would see it; mode 0600, on disk when this
/// returns. A session that is not there has said nothing.
///
/// The other session is read without its lock: what is being written right now may be missing. Cancel-safe: dropped before
/// the end, the file may be there, empty or whole.
///
/// # Errors
/// [`SessionError::Exists`] when the transcript has contents; the other one cannot be read; the lock or the file system
/// refuses.
pub async fn fork_session(
    locks: &Locks,
    from: &Path,
    to: &Path,
    session: &NewSession,
    at: SystemTime,
) -> Result<(), SessionError> {
    let read = |source| SessionError::read(from, source);
    let said = match std::fs::metadata(from) {
        Ok(file) => {
            let from = from.to_owned();
            let copied = move || read_session(&from).map(|session| history(&session));
            off_thread(file.len(), copied).await.and_then(|copied| copied).map_err(read)?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(read(error)),
    };
    let mut lines = session.header(at);
    lines.extend(said);
    let target = Target::sidecar_of(to)?;
    let held = locks.acquire(&target, &RunTag::anonymous().in_session(&session.session_key)).await?;
    let forked = async {
        let (mut journal, _) = Journal::open(&held, Durability::Append, |line| Jsonl.is_whole(line)).await?;
        if !journal.is_empty() {
            return Err(SessionError::Exists {
                path: to.display().to_string(),
                mark: Mark::new(Local::Config),
            });
        }
        journal.append(&held, &lines).await?;
        Ok(())
    }
    .await;
    released(held.release().await);
    forked
}

/// The lines of a copy.
fn history(session: &Session) -> Vec<u8> {
    let branch = session.with_announcements(&session.branch);
    let mut open: Vec<String> = Vec::new();
    let mut settled = 0;
    for (index, entry) in branch.iter().enumerate() {
        if entry.kind() == Kind::Message {
            let value = entry.value();
            let message = &value["message"];
            match entry.role() {
                Some("assistant") => open = super::session::calls_of(message),
                Some("toolResult") => open.retain(|call| message["toolCallId"].as_str() != Some(call)),
                // The run that had made the calls is gone.
                Some("user") => open.clear(),
                Some(_) | None => {}
            }
        }
        if open.is_empty() {
            settled = index + 1;
        }
    }
    let mut parent = Value::Null;
    let mut lines = Vec::new();
    for entry in branch.iter().take(settled) {
        let Value::Object(fields) = entry.value() else { continue };
        let id = entry.id().map_or_else(ids::fresh, str::to_owned);
        lines.append(&mut copied(fields, &id, std::mem::replace(&mut parent, id.as_str().into())));
    }
    lines
}

fn copied(mut fields: Map<String, Value>, id: &str, parent: Value) -> Vec<u8> {
    if let Some(Value::Object(message)) = fields.get_mut("message") {
        message.remove("idempotencyKey");
    }
    let mut entry =
        vec![("type", fields.remove("type").unwrap_or_default()), ("id", id.into()), ("parentId", parent)];
    let rest: Vec<_> =
        fields.iter().filter(|(key, _)| !matches!(key.as_str(), "id" | "parentId" | "moorline")).collect();
    entry.extend(rest.iter().map(|(key, value)| (key.as_str(), (*value).clone())));
    line(&entry)
}
