//! What a run writes after its user's message: answers, results, and how the turn ended.
//!
//! What must stay true: what is made is in `unwritten` until it is in the transcript; after a takeover nothing is written;
//! noting the end of a turn never hides why it ended.

use std::time::Duration;

use moorline_taxonomy::Wire;
use serde_json::{Value, json};

use super::{
    candidates::Answer,
    inbox::Inbox,
    message::{Message, ToolCall},
    model::{ModelReply, StopReason},
    outcome::Reply,
    record,
    steps::{Broken, Run},
    tool::ToolResult,
};
use crate::{
    attempt::{Attempt, Locked, Released},
    transcript::{Draft, Entry, Lines, Provenance, Tip, WriteAs, compose, message_of},
};

/// Noting the end of a turn must not take longer than the end itself.
const NOTE: Duration = Duration::from_secs(1);

impl Run<'_> {
    pub(super) fn mark(&self, written_as: WriteAs, settled: Option<&str>) -> Provenance {
        Provenance {
            run: self.turn.run_id.clone(),
            turn: Some(self.turn.key().to_owned()),
            written_as,
            settled: settled.map(str::to_owned),
        }
    }

    /// Comes back with an answer and writes it.
    pub(super) async fn back(
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

    /// Comes back with the results of tools and writes them, and behind them what came in for the run meanwhile, if a model
    /// call follows that will answer it.
    pub(super) async fn with_results(
        &mut self,
        released: Attempt<Released>,
        messages: &mut Vec<Message>,
        results: Vec<(ToolCall, ToolResult)>,
        call_follows: bool,
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
        let inbox = self.turn.inbox.as_ref().filter(|_| call_follows);
        let came = inbox.map(Inbox::take).unwrap_or_default();
        let said: Vec<_> = came
            .iter()
            .map(|message| Message::User {
                text: message.text.clone(),
                raw: record::user(message, &message.idempotency_key, at),
            })
            .collect();
        let drafts: Vec<_> = made
            .iter()
            .chain(&said)
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
        if let Some(inbox) = inbox.filter(|_| !came.is_empty()) {
            // Whoever offered them forgets them once they are kept, so they have to be on the disk first.
            attempt.sync().await?;
            came.iter().for_each(|message| inbox.keep(&message.idempotency_key));
            messages.extend(said);
        }
        Ok(attempt)
    }

    /// The run broke off while the lock was released: notes it, and gives back why.
    pub(super) async fn broken_off(&mut self, released: Attempt<Released>, broken: Broken) -> Broken {
        let code = |wire: &Wire| json!({"code": wire.code.to_string()});
        match &broken {
            Broken::Halted(halt) => self.note(released, halt.word(), json!({})).await,
            Broken::Asked(unanswered) => self.note(released, "failed", code(&unanswered.wire)).await,
            Broken::Failed(wire) => self.note(released, "failed", code(wire)).await,
            // The attempt has ended by itself.
            Broken::Attempt(_) => {}
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
