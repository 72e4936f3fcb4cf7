//! The steps of a run, in order: acquire, the user's message, model, reply, tools, results, model, ...
//!
//! What must stay true: a reply is written, or it is in `unwritten` when the steps break off; a tool counts as having had an
//! effect from the moment before it is called; a stop or a deadline is noticed where the run waits for others (lock, model,
//! tools), and there the attempt is still in hand to note it.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use moorline_lock_core::{RunTag, Wait};
use moorline_retry::Clock;
use moorline_taxonomy::{Cancelled, Cause, Local, Wire};
use serde_json::{Value, json};

use super::{
    candidates::{Answer, Asking, Cached, Unanswered, ask},
    message::{Message, ToolCall},
    model::{Model, ModelReply, ModelRequest, StopReason, StreamSink, Usage},
    outcome::Reply,
    prompt_cache::CacheLedger,
    record,
    runner::Runner,
    tool::{ToolContext, ToolEffect, ToolHost, ToolResult},
    turn::Turn,
};
use crate::{
    Stop,
    attempt::{Attempt, AttemptError, Locked, Opening, Released, RunWriter, off_thread},
    transcript::{
        Draft, Entry, Kind, Lines, NewSession, Provenance, Session, Tip, WriteAs, compose, load, message_of,
        paired,
    },
};

/// Noting the end of a turn must not take longer than the end itself.
const NOTE: Duration = Duration::from_secs(1);

/// Why the steps broke off.
pub(super) enum Broken {
    Attempt(AttemptError),
    Asked(Unanswered),
    Failed(Wire),
    Halted(Halt),
}

impl From<AttemptError> for Broken {
    fn from(error: AttemptError) -> Self {
        Self::Attempt(error)
    }
}

/// Somebody or something outside ended the run.
#[derive(Clone, Copy)]
pub(super) enum Halt {
    Stopped(Cancelled),
    Deadline,
}

impl Halt {
    pub(super) async fn of(stop: &Stop, deadline: Option<Instant>, clock: &dyn Clock) -> Self {
        tokio::select! {
            why = stop.stopped() => Self::Stopped(why),
            () = at(deadline, clock) => Self::Deadline,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Stopped(_) => "cancelled",
            Self::Deadline => "failed",
        }
    }
}

async fn at(deadline: Option<Instant>, clock: &dyn Clock) {
    match deadline {
        Some(deadline) => clock.sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// A run under way; what outlives its steps.
pub(super) struct Run<'a> {
    runner: &'a Runner,
    turn: &'a Turn,
    tag: RunTag,
    stop: &'a Stop,
    writer: Option<RunWriter>,
    usage: Usage,
    /// The user's message is in the transcript.
    pub(super) message_kept: bool,
    pub(super) had_effect: bool,
    /// Messages that were made and are not in the transcript.
    pub(super) unwritten: Vec<Value>,
    /// Text of the model among them.
    paid: Option<String>,
    pub(super) replied: Option<Reply>,
    /// The last model call that failed.
    pub(super) last_failure: Mutex<Option<Cause>>,
    /// What went wrong while the end of the turn was noted.
    pub(super) cleanup_error: Option<AttemptError>,
}

impl<'a> Run<'a> {
    pub(super) fn new(runner: &'a Runner, turn: &'a Turn, tag: RunTag, stop: &'a Stop) -> Self {
        Self {
            runner,
            turn,
            tag,
            stop,
            writer: None,
            usage: Usage::default(),
            message_kept: false,
            had_effect: false,
            unwritten: Vec::new(),
            paid: None,
            replied: None,
            last_failure: Mutex::default(),
            cleanup_error: None,
        }
    }

    pub(super) fn paid_text(&self) -> Option<String> {
        self.paid.clone().filter(|text| !text.is_empty())
    }

    /// Ends the attempt, wherever its steps were dropped.
    pub(super) async fn end(&mut self, drain: Duration) {
        if let Some(writer) = self.writer.take() {
            writer.end(drain).await;
        }
    }

    pub(super) async fn steps(
        &mut self,
        model: &dyn Model,
        tools: &dyn ToolHost,
        sink: &mut dyn StreamSink,
    ) -> Result<Reply, Broken> {
        if let Some(why) = self.stop.reason() {
            return Err(Broken::Halted(Halt::Stopped(why)));
        }
        let acquiring = Attempt::acquire(self.opening());
        let mut attempt = self.unless_halted(acquiring).await??;
        self.writer = Some(attempt.writer());
        let session = self.load(&attempt).await?;
        if let Some(reply) = self.answered(&session) {
            let _ = attempt.finish().await;
            return Ok(reply);
        }
        let mut messages = self.begin(&mut attempt, &session).await?;
        let cache = self.runner.prompt_cache.as_deref();
        let ledger =
            cache.map(|_| CacheLedger::new(&session, attempt.writer(), Arc::clone(&self.runner.clock)));
        drop(session);
        for _ in 0..self.runner.max_rounds {
            let released = attempt.release_for_prompt().await?;
            let runner = self.runner;
            let cached = cache.zip(ledger.as_ref()).map(|(cache, ledger)| Cached { cache, ledger });
            let request = self.request(&messages);
            let last = &self.last_failure;
            let asking = Asking {
                failover: &runner.failover,
                model,
                turn: self.turn,
                cached,
                clock: &runner.clock,
                last,
            };
            let asking = ask(asking, request, sink);
            let answer = match self.unless_halted(asking).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(unanswered)) => {
                    let data = json!({"code": unanswered.wire.code.to_string()});
                    self.note(released, "failed", data).await;
                    return Err(Broken::Asked(unanswered));
                }
                Err(broken) => return Err(self.halted(released, broken).await),
            };
            let calls = answer.reply.tool_calls.clone();
            let done = calls.is_empty();
            attempt = self.back(released, &mut messages, &answer, done).await?;
            if done {
                if let Err(error) = attempt.finish().await {
                    // The reply is in the file; that the disk has not confirmed it is no reason to say it failed.
                    tracing::error!(
                        run = self.turn.run_id,
                        error = &error as &dyn std::error::Error,
                        "the reply may not be on disk yet"
                    );
                }
                return self
                    .replied
                    .clone()
                    .ok_or_else(|| Broken::Failed(Wire::new(Local::Bug, "a reply got lost")));
            }
            let released = attempt.release_for_prompt().await?;
            let results = match self.call_tools(&calls, tools, &released).await {
                Ok(results) => results,
                Err(broken) => return Err(self.halted(released, broken).await),
            };
            attempt = self.with_results(released, &mut messages, results).await?;
        }
        let rounds = self.runner.max_rounds;
        let released = attempt.release_for_prompt().await?;
        let wire = Wire::new(
            Local::Config,
            format!("the model asked for tools {rounds} times in one turn (max rounds)"),
        );
        self.note(released, "failed", json!({"code": wire.code.to_string()})).await;
        Err(Broken::Failed(wire))
    }

    fn opening(&self) -> Opening {
        let runner = self.runner;
        let mut opening = Opening::new(
            &runner.locks,
            self.turn.transcript.clone(),
            self.tag.clone(),
            runner.format.clone(),
        );
        opening.durability = runner.durability;
        let left = self.turn.deadline.map(|deadline| deadline.saturating_duration_since(runner.clock.now()));
        let timeout = match (runner.locks.config().acquire_timeout, left) {
            (Some(timeout), Some(left)) => Some(timeout.min(left)),
            (timeout, left) => timeout.or(left),
        };
        opening.wait = Wait { timeout, on_stale: Some(runner.on_stale), max_hold: None };
        opening.wait_back = Wait { timeout: runner.locks.config().acquire_timeout, ..opening.wait };
        opening
    }

    async fn unless_halted<T>(&self, work: impl Future<Output = T>) -> Result<T, Broken> {
        tokio::select! {
            biased;
            halt = Halt::of(self.stop, self.turn.deadline, &*self.runner.clock) => Err(Broken::Halted(halt)),
            done = work => Ok(done),
        }
    }

    async fn load(&self, attempt: &Attempt<Locked>) -> Result<Session, Broken> {
        let read = |error| AttemptError::read(self.turn.transcript.clone(), error);
        let (file, len) =
            attempt.look(|file, len| file.try_clone().map(|file| (file, len))).await?.map_err(read)?;
        let session =
            off_thread(len, move || load(&file, len)).await.and_then(|loaded| loaded).map_err(read)?;
        if let Some(unfinished) = session.unfinished() {
            if unfinished.idempotency_key.as_deref() != Some(self.turn.key()) {
                tracing::warn!(
                    transcript = %self.turn.transcript.display(),
                    entry = unfinished.entry_id,
                    run = unfinished.run_id,
                    open_tool_calls = unfinished.open_tool_calls.len(),
                    "the session's last turn was not finished"
                );
            }
        }
        Ok(session)
    }

    fn is_this_turn(&self, entry: &Entry) -> bool {
        entry.provenance().is_some_and(|mark| mark.turn.as_deref() == Some(self.turn.key()))
    }

    /// The answer that an earlier run of this turn wrote.
    fn answered(&self, session: &Session) -> Option<Reply> {
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
    async fn begin(
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

    fn mark(&self, written_as: WriteAs, settled: Option<&str>) -> Provenance {
        Provenance {
            run: self.turn.run_id.clone(),
            turn: Some(self.turn.key().to_owned()),
            written_as,
            settled: settled.map(str::to_owned),
        }
    }

    fn request(&self, messages: &[Message]) -> ModelRequest {
        ModelRequest {
            system: self.turn.system.clone(),
            messages: messages.to_vec(),
            tools: self.turn.tools.clone(),
            candidate: super::model::Candidate::default(),
            run_id: self.turn.run_id.clone(),
            cached_content: None,
        }
    }

    /// Comes back with an answer and writes it.
    async fn back(
        &mut self,
        released: Attempt<Released>,
        messages: &mut Vec<Message>,
        answer: &Answer,
        done: bool,
    ) -> Result<Attempt<Locked>, Broken> {
        let Answer { reply, candidate } = answer;
        self.usage.input += reply.usage.input;
        self.usage.output += reply.usage.output;
        self.usage.cache_read += reply.usage.cache_read;
        self.usage.cache_write += reply.usage.cache_write;
        let reply = ModelReply { stop: if done { reply.stop } else { StopReason::ToolUse }, ..reply.clone() };
        let at = self.runner.clock.wall();
        let message = record::assistant(&reply, candidate, at);
        self.unwritten = vec![message.clone()];
        self.paid = Some(reply.text.clone());
        let coming = released.reacquire_after_prompt();
        let (mut attempt, news) = self.unless_halted(coming).await??;
        let settled = done.then_some("replied");
        let drafts = [(Draft::message(message.clone()), self.mark(WriteAs::Turn, settled))];
        let lines = attempt.append(|tip: &Tip| compose(tip, &drafts, at)).await?;
        self.unwritten.clear();
        self.paid = None;
        if done {
            self.replied = Some(Reply {
                text: reply.text.clone(),
                entry_id: if lines.tip.linear { None } else { lines.tip.leaf },
                candidate: Some(candidate.clone()),
                usage: self.usage,
                replayed: false,
            });
        }
        messages.extend(
            news.iter()
                .filter_map(|line| Entry::read(line.as_bytes()))
                .filter_map(|entry| message_of(&entry)),
        );
        messages.push(Message::Assistant { text: reply.text, calls: reply.tool_calls, raw: message });
        Ok(attempt)
    }

    async fn call_tools(
        &mut self,
        calls: &[ToolCall],
        tools: &dyn ToolHost,
        released: &Attempt<Released>,
    ) -> Result<Vec<(ToolCall, ToolResult)>, Broken> {
        let context = ToolContext {
            run_id: self.turn.run_id.clone(),
            session_key: self.turn.session_key.clone(),
            writer: released.writer(),
            stop: self.stop.clone(),
            deadline: self.turn.deadline,
        };
        let mut results = Vec::with_capacity(calls.len());
        for call in calls {
            self.had_effect |= match tools.effect(&call.name) {
                ToolEffect::None => false,
                ToolEffect::Possible => true,
            };
            let result = match self.unless_halted(tools.call(call, &context)).await? {
                Ok(result) => result,
                Err(error) => {
                    tracing::info!(
                        tool = call.name,
                        error = &error as &dyn std::error::Error,
                        "a tool call failed"
                    );
                    ToolResult { text: error.to_string(), is_error: true }
                }
            };
            results.push((call.clone(), result));
        }
        Ok(results)
    }

    async fn with_results(
        &mut self,
        released: Attempt<Released>,
        messages: &mut Vec<Message>,
        results: Vec<(ToolCall, ToolResult)>,
    ) -> Result<Attempt<Locked>, Broken> {
        let at = self.runner.clock.wall();
        let made: Vec<_> = results
            .into_iter()
            .map(|(call, result)| {
                let raw = record::tool_result(&call, &result, at);
                Message::ToolResult {
                    call_id: call.id,
                    name: call.name,
                    text: result.text,
                    is_error: result.is_error,
                    raw,
                }
            })
            .collect();
        let raw = |message: &Message| match message {
            Message::ToolResult { raw, .. } | Message::User { raw, .. } | Message::Assistant { raw, .. } => {
                raw.clone()
            }
        };
        self.unwritten = made.iter().map(raw).collect();
        let coming = released.reacquire_after_prompt();
        let (mut attempt, news) = self.unless_halted(coming).await??;
        let drafts: Vec<_> = made
            .iter()
            .map(|message| (Draft::message(raw(message)), self.mark(WriteAs::Turn, None)))
            .collect();
        attempt.append(|tip: &Tip| -> Lines { compose(tip, &drafts, at) }).await?;
        self.unwritten.clear();
        messages.extend(made);
        messages.extend(
            news.iter()
                .filter_map(|line| Entry::read(line.as_bytes()))
                .filter_map(|entry| message_of(&entry)),
        );
        Ok(attempt)
    }

    /// The run was stopped while the lock was released: notes it.
    async fn halted(&mut self, released: Attempt<Released>, broken: Broken) -> Broken {
        if let Broken::Halted(halt) = &broken {
            self.note(released, halt.word(), json!({})).await;
        }
        broken
    }

    /// Notes how the turn ended, so that nobody takes it for unfinished. After a takeover nothing is written; what goes wrong
    /// here never hides why the run ended.
    async fn note(&mut self, released: Attempt<Released>, settled: &str, mut data: Value) {
        data["status"] = settled.into();
        data["runId"] = self.turn.run_id.as_str().into();
        let at = self.runner.clock.wall();
        let drafts = [(Draft::custom("moorline.run", data), self.mark(WriteAs::Metadata, Some(settled)))];
        let noting = async {
            let (mut attempt, _) = released.reacquire_after_prompt().await?;
            attempt.append(|tip: &Tip| compose(tip, &drafts, at)).await?;
            attempt.finish().await
        };
        let clock = &*self.runner.clock;
        tokio::select! {
            noted = noting => self.cleanup_error = noted.err(),
            () = clock.sleep_until(clock.now() + NOTE) => {
                tracing::warn!(run = self.turn.run_id, "the end of the turn could not be noted in time");
            }
        }
    }
}
