//! Somebody else compacts a session while a turn is under way.

use std::{path::Path, time::SystemTime};

use async_trait::async_trait;
use moorline_lock_core::{LockConfig, Locks, RunTag, Wait};
use moorline_runner::{
    Draft, Message, ModelReply, Nothing, RunOutcome, Stop, ToolCall, ToolContext, ToolEffect, ToolError,
    ToolHost, ToolResult, Turn, WriteAs, append_entry, read_session,
};
use serde_json::json;

use crate::support::{Scripted, Site, foreign, leaf_of, play, replace, started, wants};

/// A compaction as another program appends it, which keeps what comes from `kept` on.
fn foreign_compaction(path: &Path, kept: &str) {
    let compaction = json!({"type": "compaction", "id": "c", "parentId": leaf_of(path), "timestamp": "t",
        "summary": "they talked", "firstKeptEntryId": kept, "tokensBefore": 9});
    foreign(path, &compaction);
}

/// The same through the lock, by another run.
async fn our_compaction(path: &Path, kept: &str) {
    let (locks, tag) = (Locks::new(LockConfig::default()), RunTag::new("compacts"));
    let draft = Draft::compaction("they talked", kept, 9);
    let wait = Wait::default();
    append_entry(&locks, path, &tag, wait, draft, WriteAs::Turn, SystemTime::UNIX_EPOCH).await.unwrap();
}

fn told(site: &Site) -> Vec<String> {
    let session = read_session(&site.path).unwrap();
    session.messages().iter().map(Message::text).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_compaction_during_the_model_call_is_followed() {
    for keeps_the_question in [true, false] {
        let site = Site::new();
        started(&site);
        let path = site.path.clone();
        let model = Scripted::new([play(move |_| {
            let kept = if keeps_the_question { leaf_of(&path).unwrap() } else { "c".to_owned() };
            foreign_compaction(&path, &kept);
            Ok(ModelReply::text("answer"))
        })]);
        let outcome = site.run(&site.turn("r1", "question"), &model).await;
        assert!(matches!(outcome, RunOutcome::Replied(_)), "{outcome:?}");
        assert_eq!(site.entries().last().unwrap().parent_id(), Some("c"), "the branch keeps the compaction");
        let told = told(&site);
        assert!(told[0].contains("they talked"));
        let question = if keeps_the_question { &["question"][..] } else { &[] };
        assert_eq!(told[1..], [question, &["answer"]].concat());
    }
}

/// A tool during which another run compacts.
struct Compacts;

#[async_trait]
impl ToolHost for Compacts {
    async fn call(&self, call: &ToolCall, context: &ToolContext) -> Result<ToolResult, ToolError> {
        let path = Path::new(&context.session_key);
        let kept = if call.name == "keeps" { leaf_of(path).unwrap() } else { "lost".to_owned() };
        our_compaction(path, &kept).await;
        Ok(ToolResult { text: "done".into(), is_error: false })
    }

    fn effect(&self, _name: &str) -> ToolEffect {
        ToolEffect::Possible
    }
}

#[tokio::test]
async fn a_compaction_while_a_tool_works_is_followed_and_every_result_has_its_call() {
    for (tool, expected) in [("keeps", &["", "done", "answer"][..]), ("loses", &["answer"])] {
        let site = Site::new();
        started(&site);
        let turn = Turn { session_key: site.path.display().to_string(), ..site.turn("r1", "question") };
        let model = Scripted::new([
            play(move |_| Ok(wants("c1", tool))),
            play(|request| {
                // The run goes on with what it has in hand.
                assert_eq!(
                    request.messages.iter().map(Message::text).collect::<Vec<_>>(),
                    ["hi", "question", "", "done"]
                );
                Ok(ModelReply::text("answer"))
            }),
        ]);
        let outcome = site.runner().run(&turn, &model, &Compacts, &mut Nothing, &Stop::new()).await;
        assert!(matches!(outcome, RunOutcome::Replied(_)), "{outcome:?}");
        let told = told(&site);
        assert!(told[0].contains("they talked"));
        assert_eq!(told[1..], *expected, "{tool}");
        assert_eq!(read_session(&site.path).unwrap().unfinished(), None);
    }
}

#[tokio::test]
async fn a_compaction_that_writes_the_file_anew_is_a_takeover_and_the_turn_is_run_again() {
    for keeps_the_question in [true, false] {
        let site = Site::new();
        started(&site);
        let mut turn = site.turn("r1", "question");
        let path = site.path.clone();
        let model = Scripted::new([play(move |_| {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut lines: Vec<_> = text.lines().filter(|line| !line.contains("\"u1\",")).collect();
            let kept = lines.pop().unwrap().replace("\"parentId\":\"u1\"", "\"parentId\":null");
            lines.extend(keeps_the_question.then_some(&*kept));
            replace(&path, format!("{}\n", lines.join("\n")).as_bytes());
            foreign_compaction(&path, "gone");
            Ok(ModelReply::text("lost"))
        })]);
        assert!(matches!(site.run(&turn, &model).await, RunOutcome::Requeue(_)));
        turn.run_id = "r2".into();
        assert!(matches!(site.run(&turn, &Scripted::says("answer")).await, RunOutcome::Replied(_)));
        let said: Vec<_> = site.said().into_iter().map(|(_, text)| text).collect();
        assert_eq!(said, ["question", "answer"], "the message is there once");
        assert!(told(&site)[0].contains("they talked"));
    }
}
