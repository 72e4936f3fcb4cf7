//! Calls of tools that a model makes again.

use std::sync::{Arc, Mutex};

use moorline_runner::{
    ModelReply, Nothing, RunOutcome, Stop, ToolCall, ToolContext, ToolEffect, ToolError, ToolHost, ToolResult,
};
use serde_json::json;

use crate::support::{Scripted, Site, play};

/// A tool that remembers how its calls were counted. It fails when asked to, and never ends when asked to.
#[derive(Clone, Default)]
struct Counted {
    seen: Arc<Mutex<Vec<(String, usize)>>>,
}

#[async_trait::async_trait]
impl ToolHost for Counted {
    async fn call(&self, call: &ToolCall, context: &ToolContext) -> Result<ToolResult, ToolError> {
        self.seen.lock().unwrap().push((call.name.clone(), context.done_before));
        match call.name.as_str() {
            "hang" => std::future::pending().await,
            name => Ok(ToolResult { text: "said".into(), is_error: name == "fail" }),
        }
    }

    fn effect(&self, _name: &str) -> ToolEffect {
        ToolEffect::Possible
    }
}

fn calls(numbered_from: usize, names: &[&str]) -> ModelReply {
    let call = |(number, name): (usize, &&str)| ToolCall {
        id: format!("c{number}"),
        name: (*name).to_owned(),
        arguments: json!({"of": "it"}),
    };
    ModelReply {
        tool_calls: names.iter().enumerate().map(|(at, name)| call((at + numbered_from, name))).collect(),
        ..ModelReply::default()
    }
}

#[tokio::test]
async fn a_call_is_counted_by_what_was_done_and_a_lost_outcome_counts_for_nothing() {
    let site = Site::new();
    let tools = Counted::default();
    let seen = || std::mem::take(&mut *tools.seen.lock().unwrap());
    let counted = |of: &[(&str, usize)]| -> Vec<(String, usize)> {
        of.iter().map(|(name, before)| ((*name).to_owned(), *before)).collect()
    };
    let first = Scripted::new([
        play(|_| Ok(calls(0, &["act", "act", "fail", "fail"]))),
        play(|_| Ok(calls(4, &["act", "act", "hang"]))),
    ]);
    let (runner, turn, stop) = (site.runner(), site.turn("r1", "work"), Stop::new());
    let mut nobody = Nothing;
    let hanging = async {
        while !tools.seen.lock().unwrap().iter().any(|(name, _)| name == "hang") {
            tokio::task::yield_now().await;
        }
    };
    // Dropped while the last tool works: a crash in miniature. The results of its reply are not in the transcript.
    tokio::select! {
        () = hanging => {}
        _ = runner.run(&turn, &first, &tools, &mut nobody, &stop) => unreachable!(),
    }
    let expected = [("act", 0), ("act", 1), ("fail", 0), ("fail", 0), ("act", 2), ("act", 3), ("hang", 0)];
    assert_eq!(seen(), counted(&expected));
    // The model makes two of them again, under other ids, and then one that is new.
    let second = Scripted::new([
        play(|_| Ok(calls(9, &["act", "act"]))),
        play(|_| Ok(calls(11, &["act"]))),
        play(|_| Ok(ModelReply::text("done"))),
    ]);
    let outcome = runner.run(&turn, &second, &tools, &mut Nothing, &stop).await;
    assert!(matches!(outcome, RunOutcome::Replied(_)), "{outcome:?}");
    assert_eq!(seen(), counted(&[("act", 2), ("act", 3), ("act", 4)]));
    // Another turn counts from the start.
    let third = Scripted::new([play(|_| Ok(calls(0, &["act"]))), play(|_| Ok(ModelReply::text("done")))]);
    runner.run(&site.turn("r2", "more"), &third, &tools, &mut Nothing, &stop).await;
    assert_eq!(seen(), counted(&[("act", 0)]));
}
