//! The steps of a run, in order: acquire, the user's message, model, reply, tools, results, model, ...
//!
//! What must stay true: a reply is written, or it is in `unwritten` when the steps break off; a tool counts as having had an
//! effect from the moment before it is called; a stop or a deadline is noticed where the run waits for others (lock, model,
//! tools), and there the attempt is still in hand to note it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use moorline_lock_core::{RunTag, Wait};
use moorline_taxonomy::{Cause, Local, RunnerVerdict, Wire, policy};
use serde_json::Value;

use super::{
    candidates::{Answer, Asking, Cached, Unanswered, ask},
    done::DoneCalls,
    halt::Halt,
    known::Known,
    message::{Message, ToolCall},
    model::{Candidate, Model, ModelRequest, StreamSink, Usage},
    outcome::Reply,
    prompt_cache::CacheLedger,
    runner::Runner,
    tool::{ToolContext, ToolEffect, ToolHost, ToolResult},
    turn::Turn,
};
use crate::{
    Stop,
    attempt::{Attempt, AttemptError, Opening, Released, RunWriter},
};

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

/// A run under way; what outlives its steps.
pub(super) struct Run<'a> {
    pub(super) runner: &'a Runner,
    pub(super) turn: &'a Turn,
    tag: RunTag,
    pub(super) stop: &'a Stop,
    pub(super) writer: Option<RunWriter>,
    pub(super) usage: Usage,
    /// The user's message is in the transcript.
    pub(super) message_kept: bool,
    pub(super) had_effect: bool,
    /// Calls of this turn, in this run and before it.
    pub(super) done: DoneCalls,
    /// Messages that were made and are not in the transcript.
    pub(super) unwritten: Vec<Value>,
    /// Text of the model among them.
    pub(super) paid: Option<String>,
    pub(super) replied: Option<Reply>,
    /// The request was repaired; that is done once.
    repaired: bool,
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
            done: DoneCalls::default(),
            unwritten: Vec::new(),
            paid: None,
            replied: None,
            repaired: false,
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
        let (mut attempt, session, known) = self.find().await?;
        let before = match known {
            Known::Answered(reply) => {
                let _ = attempt.finish().await;
                return Ok(Reply::replayed(&reply));
            }
            Known::Written(before) => Some(before),
            Known::Unknown => None,
        };
        let mut messages = self.begin(&mut attempt, &session, before).await?;
        let cache = self.runner.prompt_cache.as_deref();
        let ledger =
            cache.map(|_| CacheLedger::new(&session, attempt.writer(), Arc::clone(&self.runner.clock)));
        drop(session);
        for round in 1..=self.runner.max_rounds {
            let released = attempt.release_for_prompt().await?;
            let cached = cache.zip(ledger.as_ref()).map(|(cache, ledger)| Cached { cache, ledger });
            let answer = match self.answer(model, &mut messages, cached, sink, &released).await {
                Ok(answer) => answer,
                Err(broken) => return Err(self.broken_off(released, broken).await),
            };
            let calls = answer.reply.tool_calls.clone();
            let done = calls.is_empty();
            if let (true, Some(inbox)) = (done, &self.turn.inbox) {
                // No model call follows, so nothing more is taken that would want an answer.
                inbox.close();
            }
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
                Err(broken) => return Err(self.broken_off(released, broken).await),
            };
            attempt =
                self.with_results(released, &mut messages, results, round < self.runner.max_rounds).await?;
        }
        let rounds = self.runner.max_rounds;
        let released = attempt.release_for_prompt().await?;
        let said = format!("the model asked for tools {rounds} times in one turn (max rounds)");
        Err(self.broken_off(released, Broken::Failed(Wire::new(Local::Config, said))).await)
    }

    /// Asks until somebody answers; once with a repaired request where that may help.
    async fn answer(
        &mut self,
        model: &dyn Model,
        messages: &mut Vec<Message>,
        cached: Option<Cached<'_>>,
        sink: &mut dyn StreamSink,
        released: &Attempt<Released>,
    ) -> Result<Answer, Broken> {
        let runner = self.runner;
        loop {
            let request = self.request(messages);
            let asking = Asking {
                failover: &runner.failover,
                model,
                turn: self.turn,
                cached,
                clock: &runner.clock,
                last: &self.last_failure,
            };
            let asked = self.unless_halted(ask(asking, request, sink)).await?;
            let unanswered = match asked {
                Ok(answer) => return Ok(answer),
                Err(unanswered) => unanswered,
            };
            let code = unanswered.code;
            let repairable = match policy(code, unanswered.wire.effect).runner {
                RunnerVerdict::Repair => !unanswered.streamed && !std::mem::replace(&mut self.repaired, true),
                RunnerVerdict::Surface
                | RunnerVerdict::Takeover
                | RunnerVerdict::Stop
                | RunnerVerdict::Wait
                | RunnerVerdict::Retry => false,
            };
            let Some(repair) = runner.repair.as_deref().filter(|_| repairable) else {
                return Err(Broken::Asked(unanswered));
            };
            let request = self.request(messages);
            let writer = released.writer();
            match self.unless_halted(repair.repair(code, &request, &writer)).await? {
                Some(repaired) => *messages = repaired,
                None => return Err(Broken::Asked(unanswered)),
            }
        }
    }

    pub(super) fn opening(&self) -> Opening {
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

    pub(super) async fn unless_halted<T>(&self, work: impl Future<Output = T>) -> Result<T, Broken> {
        tokio::select! {
            biased;
            halt = Halt::of(self.stop, self.turn.deadline, &*self.runner.clock) => Err(Broken::Halted(halt)),
            done = work => Ok(done),
        }
    }

    fn request(&self, messages: &[Message]) -> ModelRequest {
        ModelRequest {
            system: self.turn.system.clone(),
            messages: messages.to_vec(),
            tools: self.turn.tools.clone(),
            candidate: Candidate::default(),
            run_id: self.turn.run_id.clone(),
            cached_content: None,
        }
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
            done_before: 0,
        };
        let mut results = Vec::with_capacity(calls.len());
        for call in calls {
            self.had_effect |= match tools.effect(&call.name) {
                ToolEffect::None => false,
                ToolEffect::Possible => true,
            };
            let context = ToolContext { done_before: self.done.before(call), ..context.clone() };
            let result = match self.unless_halted(tools.call(call, &context)).await? {
                Ok(result) => result,
                Err(error) => {
                    // What it says is for the model; it may hold what the tool was given.
                    tracing::info!(tool = call.name, code = %error.code(), "a tool call failed");
                    ToolResult { text: error.to_string(), is_error: true }
                }
            };
            if !result.is_error {
                self.done.add(call);
            }
            results.push((call.clone(), result));
        }
        Ok(results)
    }
}
