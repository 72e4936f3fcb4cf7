//! The beginning of a turn: what the session says, whether this turn is answered already, and the user's message.
//!
//! What must stay true: a message is written once for its key, however often its turn is run and however much was written
//! behind it; the lock is not held while more is read than a window.

use std::{fs::File, io, os::unix::fs::MetadataExt, sync::Arc};

use super::{
    done::DoneCalls,
    known::{Known, is_of},
    message::Message,
    record,
    steps::{Broken, Run},
};
use crate::{
    attempt::{Attempt, AttemptError, Locked, off_thread},
    transcript::{
        Draft, Entry, NewSession, Session, Tip, WriteAs, compose, load, mentions, message_of, paired,
    },
};

/// Up to this many bytes before the window are searched with the lock held: it takes less time than to read the window.
const AT_ONCE: u64 = 32 * 1024 * 1024;

/// What changes about a file when anything is done to it: device, inode, length, change time.
type Stamp = (u64, u64, u64, i64, i64);

impl Run<'_> {
    async fn load(&self, attempt: &Attempt<Locked>) -> Result<Session, Broken> {
        let read = |error| self.read(error);
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

    /// Acquires the lock and reads the session; and what it says of this turn, however far back that is.
    ///
    /// What lies before the window is not read with the lock held when it is long. The lock is let go meanwhile, and what was
    /// found counts if nothing at all happened to the file; else everything is done once more, and this time nobody else
    /// comes in between.
    pub(super) async fn find(&mut self) -> Result<(Attempt<Locked>, Session, Known), Broken> {
        let (mut attempt, mut session) = self.acquire().await?;
        let mut busy = false;
        loop {
            let known = Known::of(self.turn.key(), session.entries());
            let from = session.window_from();
            if from == 0 || !matches!(known, Known::Unknown) {
                return Ok((attempt, session, known));
            }
            let (file, before) = self.stamped(&attempt).await?;
            if busy || from <= AT_ONCE {
                let known = self.search(file, from).await?;
                return Ok((attempt, session, known));
            }
            busy = true;
            let released = attempt.release_for_prompt().await?;
            let known = self.search(file, from).await?;
            (attempt, session) = match self.unless_halted(released.reacquire_after_prompt()).await? {
                Ok((attempt, _)) if self.stamped(&attempt).await?.1 == before => {
                    return Ok((attempt, session, known));
                }
                Ok((attempt, _)) => {
                    let session = self.load(&attempt).await?;
                    (attempt, session)
                }
                // Nothing of this turn was begun, so nothing was taken from it.
                Err(error) if error.is_takeover() => self.acquire().await?,
                Err(error) => return Err(error.into()),
            };
        }
    }

    async fn acquire(&mut self) -> Result<(Attempt<Locked>, Session), Broken> {
        let acquiring = Attempt::acquire(self.opening());
        let attempt = self.unless_halted(acquiring).await??;
        self.writer = Some(attempt.writer());
        let session = self.load(&attempt).await?;
        Ok((attempt, session))
    }

    /// The open transcript as it is now.
    async fn stamped(&self, attempt: &Attempt<Locked>) -> Result<(File, Stamp), Broken> {
        let stamped = attempt.look(|file, _| {
            let is = file.metadata()?;
            Ok((file.try_clone()?, (is.dev(), is.ino(), is.len(), is.ctime(), is.ctime_nsec())))
        });
        Ok(stamped.await?.map_err(|error| self.read(error))?)
    }

    /// What the entries before `end` say of this turn. Dropped half-way, the search ends soon after.
    async fn search(&self, file: File, end: u64) -> Result<Known, Broken> {
        let asking = Arc::new(());
        let (asked, key) = (Arc::downgrade(&asking), self.turn.key().to_owned());
        let searching = off_thread(end, move || {
            let mut known = Known::Unknown;
            let wanted = || asked.strong_count() > 0;
            mentions(&file, end, &key, wanted, |entry| {
                known = std::mem::replace(&mut known, Known::Unknown).and(&key, &entry);
            })?;
            Ok(known)
        });
        let found = self.unless_halted(searching).await?;
        Ok(found.and_then(|found| found).map_err(|error| self.read(error))?)
    }

    fn read(&self, error: io::Error) -> AttemptError {
        AttemptError::read(self.turn.transcript.clone(), error)
    }

    /// Writes the user's message, unless it is there, and makes the conversation.
    pub(super) async fn begin(
        &mut self,
        attempt: &mut Attempt<Locked>,
        session: &Session,
        before: Option<Vec<Entry>>,
    ) -> Result<Vec<Message>, Broken> {
        let at = self.runner.clock.wall();
        let said = record::user(&self.turn.message, self.turn.key(), at);
        let mut messages = session.messages();
        match before {
            Some(before) => {
                self.message_kept = true;
                self.done = DoneCalls::of(before.iter().filter_map(message_of));
                // Unless the branch ends with this very turn, the model is asked once more; nothing is written twice.
                let last = session.branch().rfind(|entry| message_of(entry).is_some());
                if !last.is_some_and(|last| is_of(self.turn.key(), last)) {
                    messages.push(Message::User { text: self.turn.message.text.clone(), raw: said });
                    // What it has called before is told again where the branch does not: nothing is called twice.
                    let told = |step: &&Entry| session.branch().any(|entry| entry.raw() == step.raw());
                    messages.extend(before.iter().filter(|step| !told(step)).filter_map(message_of));
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

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::FileExt,
        time::{Duration, Instant},
    };

    use moorline_lock_core::{LockConfig, Locks, RunTag};

    use super::*;
    use crate::{Runner, Stop, Turn};

    #[test]
    fn a_search_that_nobody_waits_for_ends() {
        // Minutes of reading, which the end of the runtime waits for once it was begun.
        let file = tempfile::tempfile().unwrap();
        let end = 1 << 40;
        file.write_all_at(b"\n", end - 1).unwrap();
        let (runner, turn, stop) =
            (Runner::new(Locks::new(LockConfig::default())), Turn::default(), Stop::new());
        let run = Run::new(&runner, &turn, RunTag::new("r1"), &stop);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let begun = Instant::now();
        let dropped = runtime.block_on(async {
            tokio::time::timeout(Duration::from_millis(100), run.search(file, end)).await.is_err()
        });
        drop(runtime);
        assert!(dropped && begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }
}
