//! The scripted model behind the runner's port: it asks the script what comes next, and takes its time.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use moorline_runner::{
    Message, Model, ModelError, ModelReply, ModelRequest, StopReason, StreamSink, ToolCall,
};

use super::script::{Does, Script, Step};

/// The scripted model as a provider of the runner. The agent is the one whose session the run belongs to.
pub(crate) struct ScriptedModel {
    script: Script,
    /// How often each rule has failed, in all runs: a caller who tries again meets a rule that has recovered.
    failed: Mutex<HashMap<(String, usize), u32>>,
}

impl ScriptedModel {
    pub(crate) fn new(script: Script) -> Self {
        Self { script, failed: Mutex::default() }
    }

    fn failed(&self) -> MutexGuard<'_, HashMap<(String, usize), u32>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What comes next. A failure is counted before anybody else asks, so that no more calls fail than the rule says.
    fn next(&self, agent: &str, text: &str, results: &[String]) -> Step {
        let Some(((agent, number), rule)) = self.script.rule(agent, text) else {
            return Step::without_rule(agent);
        };
        let mut failed = self.failed();
        let times = failed.entry((agent.to_owned(), number)).or_default();
        let step = rule.next(text, results, *times);
        match &step.does {
            Does::Fail { .. } => *times = times.saturating_add(1),
            Does::Call(_) | Does::Reply(_) => {}
        }
        step
    }
}

#[async_trait]
impl Model for ScriptedModel {
    async fn call(
        &self,
        request: &ModelRequest,
        sink: &mut dyn StreamSink,
    ) -> Result<ModelReply, ModelError> {
        let agent =
            request.system.strip_prefix("You are ").and_then(|rest| rest.strip_suffix('.')).unwrap_or("main");
        let last_user = request.messages.iter().rposition(|message| matches!(message, Message::User { .. }));
        let text =
            last_user.and_then(|place| request.messages.get(place)).map(Message::text).unwrap_or_default();
        let after = request.messages.get(last_user.map_or(0, |place| place + 1)..).unwrap_or_default();
        let results: Vec<String> = after
            .iter()
            .filter_map(|message| match message {
                Message::ToolResult { text, .. } => Some(text.clone()),
                Message::User { .. } | Message::Assistant { .. } => None,
            })
            .collect();
        let step = self.next(agent, text, &results);
        tokio::time::sleep(step.delay).await;
        for piece in &step.spoken {
            tokio::time::sleep(step.pause).await;
            sink.text(piece);
        }
        match step.does {
            Does::Reply(text) => Ok(ModelReply::text(text)),
            Does::Call(called) => {
                // A message that was steered into the run begins its rule's tools anew, and an id must not come twice.
                let made = |message: &&Message| matches!(message, Message::ToolResult { .. });
                let calls = called.into_iter().zip(request.messages.iter().filter(made).count() + 1..);
                let tool_calls = calls.map(|(called, number)| ToolCall {
                    id: format!("call-{number}"),
                    name: called.name,
                    arguments: called.arguments,
                });
                let tool_calls = tool_calls.collect();
                Ok(ModelReply { tool_calls, stop: StopReason::ToolUse, ..ModelReply::default() })
            }
            Does::Fail { code, retry_after } => {
                let error = ModelError::new(code, "the script says so");
                Err(match retry_after {
                    Some(delay) => error.retry_after(delay),
                    None => error,
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use moorline_lock_core::{LockConfig, Locks};
    use moorline_runner::{
        Candidate, Incoming, RunOutcome, Runner, Stop, ToolContext, ToolEffect, ToolError, ToolHost,
        ToolResult, Turn,
    };

    use super::*;

    struct NoTools;

    #[async_trait]
    impl ToolHost for NoTools {
        async fn call(&self, call: &ToolCall, _context: &ToolContext) -> Result<ToolResult, ToolError> {
            Ok(ToolResult { text: format!("{} done", call.name), is_error: false })
        }

        fn effect(&self, _name: &str) -> ToolEffect {
            ToolEffect::None
        }
    }

    #[derive(Default)]
    struct Heard(Vec<String>);

    impl StreamSink for Heard {
        fn text(&mut self, delta: &str) {
            self.0.push(delta.to_owned());
        }
    }

    fn of(rule: &str) -> ScriptedModel {
        ScriptedModel::new(Script::parse(&format!("agents:\n  a:\n    - {rule}\n")).unwrap())
    }

    async fn turn(rule: &str) -> (RunOutcome, Vec<String>) {
        turn_with(&of(rule)).await
    }

    async fn turn_with(model: &ScriptedModel) -> (RunOutcome, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let turn = Turn {
            transcript: dir.path().join("s.jsonl"),
            session_key: "agent:a:x".to_owned(),
            run_id: "run".to_owned(),
            message: Incoming { text: "go".to_owned(), ..Incoming::default() },
            system: "You are a.".to_owned(),
            candidates: vec![Candidate::new("scripted", "a"), Candidate::new("scripted", "b")],
            ..Turn::default()
        };
        let mut heard = Heard::default();
        let runner = Runner::new(Locks::new(LockConfig::default()));
        let outcome = runner.run(&turn, model, &NoTools, &mut heard, &Stop::new()).await;
        (outcome, heard.0)
    }

    #[tokio::test]
    async fn a_failure_before_the_first_word_is_tried_again_and_one_after_it_is_not() {
        let rule = |after: usize| {
            format!(
                "{{ reply: 'four words of it', stream: {{ chunks: 4 }}, fail: {{ code: provider.timeout, afterChunks: {after} }} }}"
            )
        };
        let (outcome, heard) = turn(&rule(0)).await;
        assert!(matches!(outcome, RunOutcome::Replied(reply) if reply.text == "four words of it"));
        assert_eq!(heard.concat(), "four words of it");
        let (outcome, heard) = turn(&rule(1)).await;
        let RunOutcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
        assert_eq!(failure.wire.code.to_string(), "provider.timeout");
        assert_eq!(heard, ["four"], "what was heard is not said again by another candidate");
    }

    #[tokio::test]
    async fn failures_are_counted_over_all_runs_so_that_a_later_one_succeeds() {
        let model = of(
            "{ reply: 'one two', stream: { chunks: 2 }, fail: { code: provider.timeout, times: 2, afterChunks: 1 } }",
        );
        for _ in 0..2 {
            let (outcome, _) = turn_with(&model).await;
            assert!(matches!(outcome, RunOutcome::Failed(_)), "{outcome:?}");
        }
        let (outcome, _) = turn_with(&model).await;
        assert!(matches!(outcome, RunOutcome::Replied(reply) if reply.text == "one two"));
    }

    #[tokio::test]
    async fn several_tools_of_one_reply_are_called_before_the_next_reply() {
        let rule = "{ tools: [{ name: x }, { name: y, withPrevious: true }], reply: 'last: {result}' }";
        let (outcome, _) = turn(rule).await;
        assert!(matches!(outcome, RunOutcome::Replied(reply) if reply.text == "last: y done"));
    }
}
