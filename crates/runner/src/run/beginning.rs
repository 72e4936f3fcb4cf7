//! The beginning of a turn: what the session says, whether this turn is answered already, and the user's message.
//!
//! What must stay true: a message is written once for its key, however often its turn is run.

use super::{
    message::Message,
    model::Usage,
    outcome::Reply,
    record,
    steps::{Broken, Run},
};
use crate::{
    attempt::{Attempt, AttemptError, Locked, off_thread},
    transcript::{Draft, Entry, Kind, NewSession, Session, Tip, WriteAs, compose, load, message_of, paired},
};

impl Run<'_> {
    pub(super) async fn load(&self, attempt: &Attempt<Locked>) -> Result<Session, Broken> {
        let read = |error| AttemptError::read(self.turn.transcript.clone(), error);
        let (file, len) =
            attempt.look(|file, len| file.try_clone().map(|file| (file, len))).await?.map_err(read)?;
        let session =
            off_thread(len, move || load(&file, len)).await.and_then(|loaded| loaded).map_err(read)?;
        if let Some(unfinished) = session.unfinished()
            && unfinished.idempotency_key.as_deref() != Some(self.turn.key())
        {
            tracing::warn!(
                transcript = %self.turn.transcript.display(),
                entry = unfinished.entry_id,
                run = unfinished.run_id,
                open_tool_calls = unfinished.open_tool_calls.len(),
                "the session's last turn was not finished"
            );
        }
        Ok(session)
    }

    fn is_this_turn(&self, entry: &Entry) -> bool {
        entry.provenance().is_some_and(|mark| mark.turn.as_deref() == Some(self.turn.key()))
    }

    /// The answer that an earlier run of this turn wrote.
    pub(super) fn answered(&self, session: &Session) -> Option<Reply> {
        let entry = session.entries().iter().rev().find(|entry| {
            self.is_this_turn(entry)
                && entry.provenance().is_some_and(|mark| mark.settled.as_deref() == Some("replied"))
        })?;
        Some(Reply {
            text: entry.text(),
            entry_id: entry.id().map(str::to_owned),
            candidate: None,
            usage: Usage::default(),
            replayed: true,
        })
    }

    /// Writes the user's message, unless it is there, and makes the conversation.
    pub(super) async fn begin(
        &mut self,
        attempt: &mut Attempt<Locked>,
        session: &Session,
    ) -> Result<Vec<Message>, Broken> {
        let at = self.runner.clock.wall();
        let said = record::user(&self.turn.message, self.turn.key(), at);
        let there = session.entries().iter().rposition(|entry| {
            entry.role() == Some("user")
                && entry.kind() == Kind::Message
                && (self.is_this_turn(entry)
                    || entry.value()["message"]["idempotencyKey"].as_str() == Some(self.turn.key()))
        });
        let mut messages = session.messages();
        match there {
            Some(index) => {
                self.message_kept = true;
                // Unless the branch ends with this very turn, the model is asked once more; nothing is written twice.
                let last = session.branch().rfind(|entry| message_of(entry).is_some());
                let ours = last.is_some_and(|last| {
                    std::ptr::eq(last, &raw const session.entries()[index]) || self.is_this_turn(last)
                });
                if !ours {
                    messages.push(Message::User { text: self.turn.message.text.clone(), raw: said });
                }
            }
            None => {
                let header = session.is_empty().then(|| self.header(at));
                let drafts = [(Draft::message(said.clone()), self.mark(WriteAs::Turn, None))];
                let compose = |tip: &Tip| {
                    let mut lines = compose(tip, &drafts, at);
                    if let Some(header) = &header {
                        lines.bytes.splice(0..0, header.iter().copied());
                    }
                    lines
                };
                attempt.append(compose).await?;
                self.message_kept = true;
                messages.push(Message::User { text: self.turn.message.text.clone(), raw: said });
            }
        }
        if let Some(inbox) = &self.turn.inbox {
            inbox.keep(self.turn.key());
        }
        Ok(paired(messages))
    }

    fn header(&self, at: std::time::SystemTime) -> Vec<u8> {
        let id = self
            .turn
            .transcript
            .file_stem()
            .map_or_else(crate::ids::fresh, |stem| stem.to_string_lossy().into_owned());
        let session_key = self.turn.session_key.clone();
        NewSession { id, session_key, cwd: std::path::PathBuf::new(), parent_session: None }.header(at)
    }
}
