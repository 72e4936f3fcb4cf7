//! Turns and their outcomes.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use moorline_lock_core::{LockConfig, RunTag, Wait};
use moorline_runner::{
    Draft, Failure, Message, Model, ModelError, ModelReply, ModelRequest, Nothing, RunOutcome, Stop,
    StreamSink, Superseded, ToolCall, ToolContext, ToolEffect, ToolError, ToolHost, ToolResult, WriteAs,
    append_entry, append_parked, dismiss_parked, list_parked, parked_path, read_session,
};
use moorline_taxonomy::{Cancelled, Code, Coordination, Effect, Local, Provider, Request, Wire, WireCode};
use serde_json::json;

use crate::support::{Play, Scripted, Site, Tools, attempt, foreign, foreign_user, play, says, wants};

fn at() -> SystemTime {
    SystemTime::UNIX_EPOCH
}

fn wait() -> Wait {
    Wait { timeout: Some(Duration::from_secs(5)), ..Wait::default() }
}

fn known(wire: &Wire) -> Code {
    match &wire.code {
        WireCode::Known(code) => *code,
        WireCode::Other(code) => panic!("{code}"),
    }
}

fn failure(outcome: RunOutcome) -> Failure {
    let RunOutcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    failure
}

fn superseded(outcome: RunOutcome) -> Superseded {
    let RunOutcome::Superseded(superseded) = outcome else { panic!("{outcome:?}") };
    superseded
}

/// A reply during which somebody else writes a user message.
fn interrupted(site: &Site, reply: ModelReply) -> Play {
    let path = site.path.clone();
    play(move |_| {
        foreign(&path, &foreign_user(&path, "me first"));
        Ok(reply)
    })
}

fn fails(code: impl Into<Code> + Send + 'static) -> Play {
    play(move |_| Err(ModelError::new(code, "no")))
}

#[tokio::test]
async fn a_takeover_before_any_effect_is_requeued_and_the_second_run_answers() {
    let site = Site::new();
    let mut turn = site.turn("r1", "hi");
    let model = Scripted::new([interrupted(&site, ModelReply::text("lost"))]);
    let outcome = site.run(&turn, &model).await;
    let RunOutcome::Requeue(wire) = outcome else { panic!("{outcome:?}") };
    assert_eq!(known(&wire), Code::Coordination(Coordination::SessionTakeover));
    assert!(list_parked(&site.path).unwrap().is_empty());
    assert!(site.lock_is_free());

    turn.run_id = "r2".into();
    turn.may_requeue = false;
    let model = Scripted::new([play(|request| {
        let said: Vec<_> = request.messages.iter().map(Message::text).collect();
        assert_eq!(said, ["hi", "me first", "hi"], "the message is asked again, at the end");
        Ok(ModelReply::text("found"))
    })]);
    let outcome = site.run(&turn, &model).await;
    assert!(matches!(&outcome, RunOutcome::Replied(reply) if reply.text == "found"), "{outcome:?}");
    let texts: Vec<_> = site.said().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["hi", "me first", "found"], "nothing is in the transcript twice");
}

#[tokio::test]
async fn a_second_takeover_parks_the_reply() {
    let site = Site::new();
    let mut turn = site.turn("r1", "hi");
    turn.may_requeue = false;
    let model = Scripted::new([interrupted(&site, ModelReply::text("paid for"))]);
    let superseded = superseded(site.run(&turn, &model).await);
    assert_eq!(superseded.reply.as_deref(), Some("paid for"));
    assert_eq!(superseded.parked, Some(parked_path(&site.path)));
    let parked = list_parked(&site.path).unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(
        (parked[0].text.as_str(), parked[0].run_id.as_str(), parked[0].reason.as_str()),
        ("paid for", "r1", "superseded")
    );
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(parked_path(&site.path)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(site.said().len(), 2, "nothing more is written to the transcript");

    let id = &parked[0].id;
    let added = append_parked(&site.locks, &site.path, id, wait(), at()).await.unwrap();
    assert_eq!(read_session(&site.path).unwrap().leaf(), added.entry_id.as_deref());
    assert_eq!(site.said().pop().unwrap(), ("assistant".into(), "paid for".into()));
    assert!(list_parked(&site.path).unwrap().is_empty());
    assert!(append_parked(&site.locks, &site.path, id, wait(), at()).await.is_err());
}

#[tokio::test]
async fn a_parked_reply_is_appended_once_even_after_a_crash_in_between() {
    let site = Site::new();
    let mut turn = site.turn("r1", "hi");
    turn.may_requeue = false;
    site.run(&turn, &Scripted::new([interrupted(&site, ModelReply::text("paid for"))])).await;
    let before = std::fs::read(parked_path(&site.path)).unwrap();
    let id = list_parked(&site.path).unwrap()[0].id.clone();
    append_parked(&site.locks, &site.path, &id, wait(), at()).await.unwrap();
    // The crash: it is in the transcript, and still parked.
    std::fs::write(parked_path(&site.path), before).unwrap();
    append_parked(&site.locks, &site.path, &id, wait(), at()).await.unwrap();
    assert_eq!(site.said().iter().filter(|(_, text)| text == "paid for").count(), 1);
}

#[tokio::test]
async fn a_parked_reply_can_be_dismissed() {
    let site = Site::new();
    let mut turn = site.turn("r1", "hi");
    turn.may_requeue = false;
    for run in ["r1", "r2"] {
        turn.run_id = run.into();
        site.run(&turn, &Scripted::new([interrupted(&site, ModelReply::text("paid for"))])).await;
    }
    let parked = list_parked(&site.path).unwrap();
    assert_eq!(parked.len(), 2);
    let gone = dismiss_parked(&site.locks, &site.path, &parked[0].id).await.unwrap();
    assert_eq!(gone, parked[0]);
    assert_eq!(list_parked(&site.path).unwrap(), parked[1..]);
}

#[tokio::test]
async fn a_takeover_after_a_tool_had_an_effect_is_never_requeued() {
    let site = Site::new();
    let model =
        Scripted::new([play(|_| Ok(wants("c1", "write"))), interrupted(&site, ModelReply::text("paid for"))]);
    let superseded = superseded(site.run(&site.turn("r1", "hi"), &model).await);
    assert_eq!(superseded.wire.effect, Effect::Possible);
    assert_eq!(list_parked(&site.path).unwrap()[0].text, "paid for");
}

#[tokio::test]
async fn a_takeover_after_a_tool_that_only_looks_is_requeued() {
    let site = Site::new();
    let model =
        Scripted::new([play(|_| Ok(wants("c1", "look"))), interrupted(&site, ModelReply::text("lost"))]);
    assert!(matches!(site.run(&site.turn("r1", "hi"), &model).await, RunOutcome::Requeue(_)));
}

#[tokio::test]
async fn the_prompts_own_error_stays_the_primary_one() {
    let site = Site::new();
    let path = site.path.clone();
    let model = Scripted::new([play(move |_| {
        foreign(&path, &foreign_user(&path, "me first"));
        Err(ModelError::new(Provider::Billing, "no credit"))
    })]);
    let mut turn = site.turn("r1", "hi");
    turn.candidates.truncate(1);
    let failure = failure(site.run(&turn, &model).await);
    assert_eq!(known(&failure.wire), Code::Provider(Provider::Billing));
    let beside =
        failure.wire.causes.iter().any(|cause| cause.message.contains("continued by another writer"));
    assert!(beside, "{:?}", failure.wire);
    assert!(failure.message_kept);
    assert_eq!(site.said().len(), 2, "cleaning up after a takeover writes nothing");
}

#[tokio::test]
async fn a_cleanup_that_is_refused_the_lock_writes_nothing() {
    let site =
        Site::with(LockConfig { acquire_timeout: Some(Duration::from_millis(60)), ..LockConfig::default() });
    let (send, receive) = std::sync::mpsc::channel();
    let (path, locks) = (site.path.clone(), site.locks.clone());
    let model = Scripted::new([play(move |_| {
        // Another run takes the lock while the model is failing, and keeps it.
        let opening = moorline_runner::Opening::new(
            &locks,
            path,
            RunTag::new("other"),
            Arc::new(moorline_runner::Jsonl),
        );
        let held = futures_block(moorline_runner::Attempt::acquire(opening)).unwrap();
        send.send(held).unwrap();
        Err(ModelError::new(Provider::Auth, "refused"))
    })]);
    let mut turn = site.turn("r1", "hi");
    turn.candidates.truncate(1);
    let failure = failure(site.run(&turn, &model).await);
    assert_eq!(known(&failure.wire), Code::Provider(Provider::Auth));
    assert!(
        failure.wire.causes.iter().any(|cause| cause.message.contains("lock was not had")),
        "{:?}",
        failure.wire
    );
    receive.recv().unwrap().finish().await.unwrap();
    assert_eq!(site.entries().len(), 2);
}

/// Acquires inside the synchronous script of a model.
fn futures_block<T: Send>(future: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let run =
            || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
        scope.spawn(run).join().unwrap()
    })
}

#[tokio::test]
async fn a_lock_that_is_refused_on_the_way_back_parks_the_reply() {
    let site =
        Site::with(LockConfig { acquire_timeout: Some(Duration::from_millis(60)), ..LockConfig::default() });
    let (send, receive) = std::sync::mpsc::channel();
    let (path, locks) = (site.path.clone(), site.locks.clone());
    let model = Scripted::new([play(move |_| {
        let opening = moorline_runner::Opening::new(
            &locks,
            path,
            RunTag::new("other"),
            Arc::new(moorline_runner::Jsonl),
        );
        send.send(futures_block(moorline_runner::Attempt::acquire(opening)).unwrap()).unwrap();
        Ok(ModelReply::text("paid for"))
    })]);
    let mut turn = site.turn("r1", "hi");
    turn.may_requeue = false;
    let superseded = superseded(site.run(&turn, &model).await);
    assert_eq!(known(&superseded.wire), Code::Coordination(Coordination::SessionTakeover));
    assert_eq!(list_parked(&site.path).unwrap()[0].text, "paid for");
    receive.recv().unwrap().finish().await.unwrap();
}

#[tokio::test]
async fn a_lock_that_is_refused_at_the_beginning_is_surfaced_and_nothing_is_written() {
    let site =
        Site::with(LockConfig { acquire_timeout: Some(Duration::from_millis(60)), ..LockConfig::default() });
    crate::support::started(&site);
    let other = attempt(&site, "other").await;
    let model = Scripted::default();
    let failure = failure(site.run(&site.turn("r1", "hi"), &model).await);
    assert_eq!(known(&failure.wire), Code::Coordination(Coordination::LockTimeout));
    assert!(failure.wire.owner.is_some() && failure.wire.lock_path.is_some());
    assert!(!failure.message_kept);
    assert_eq!(model.calls(), 0);
    other.finish().await.unwrap();
    assert_eq!(site.entries().len(), 2);
}

#[tokio::test]
async fn a_deadline_bounds_the_wait_for_the_lock() {
    let site = Site::new();
    crate::support::started(&site);
    let other = attempt(&site, "other").await;
    let mut turn = site.turn("r1", "hi");
    turn.deadline = Some(Instant::now() + Duration::from_millis(80));
    let begun = Instant::now();
    failure(site.run(&turn, &Scripted::default()).await);
    assert!(begun.elapsed() < Duration::from_secs(2));
    other.finish().await.unwrap();
}

/// A model that never answers.
struct Silent;

#[async_trait]
impl Model for Silent {
    async fn call(
        &self,
        _request: &ModelRequest,
        _sink: &mut dyn StreamSink,
    ) -> Result<ModelReply, ModelError> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_stop_ends_a_silent_model_and_is_noted() {
    let site = Site::new();
    let stop = Stop::new();
    let turn = site.turn("r1", "hi");
    let runner = site.runner();
    let mut sink = Nothing;
    let run = runner.run(&turn, &Silent, &Tools, &mut sink, &stop);
    let later = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(site.lock_is_free(), "no lock is held while the model thinks");
        stop.stop(Cancelled::User);
    };
    let begun = Instant::now();
    let (outcome, ()) = tokio::join!(run, later);
    assert_eq!(outcome, RunOutcome::Cancelled(Cancelled::User));
    assert!(begun.elapsed() < Duration::from_secs(2));
    assert!(site.lock_is_free());
    let session = read_session(&site.path).unwrap();
    assert_eq!(session.unfinished(), None, "a stopped turn is settled");
}

#[tokio::test]
async fn a_stop_that_cannot_be_noted_still_ends_within_two_seconds() {
    let site = Site::new();
    let stop = Stop::new();
    let turn = site.turn("r1", "hi");
    let runner = site.runner();
    let mut sink = Nothing;
    let run = runner.run(&turn, &Silent, &Tools, &mut sink, &stop);
    let later = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let other = attempt(&site, "other").await;
        let begun = Instant::now();
        stop.stop(Cancelled::Shutdown);
        (other, begun)
    };
    let (outcome, (other, begun)) = tokio::join!(run, later);
    assert_eq!(outcome, RunOutcome::Cancelled(Cancelled::Shutdown));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    other.finish().await.unwrap();
    let unfinished = read_session(&site.path).unwrap().unfinished().unwrap();
    assert_eq!(unfinished.idempotency_key.as_deref(), Some("key-r1"));
}

#[tokio::test]
async fn a_stop_while_waiting_for_the_lock_ends_at_once() {
    let site = Site::new();
    crate::support::started(&site);
    let other = attempt(&site, "other").await;
    let stop = Stop::new();
    let turn = site.turn("r1", "hi");
    let runner = site.runner();
    let model = Scripted::default();
    let mut sink = Nothing;
    let run = runner.run(&turn, &model, &Tools, &mut sink, &stop);
    let later = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        stop.stop(Cancelled::ClientGone);
    };
    let begun = Instant::now();
    let (outcome, ()) = tokio::join!(run, later);
    assert_eq!(outcome, RunOutcome::Cancelled(Cancelled::ClientGone));
    assert!(begun.elapsed() < Duration::from_millis(500));
    other.finish().await.unwrap();
    assert!(site.lock_is_free());
}

#[tokio::test]
async fn a_run_that_was_stopped_before_it_began_does_nothing() {
    let site = Site::new();
    let stop = Stop::new();
    stop.stop(Cancelled::User);
    let outcome =
        site.runner().run(&site.turn("r1", "hi"), &Scripted::default(), &Tools, &mut Nothing, &stop).await;
    assert_eq!(outcome, RunOutcome::Cancelled(Cancelled::User));
    assert!(!site.path.exists());
}

#[tokio::test]
async fn a_deadline_ends_a_silent_model_as_a_timeout() {
    let site = Site::new();
    let mut turn = site.turn("r1", "hi");
    turn.deadline = Some(Instant::now() + Duration::from_millis(40));
    let failure = failure(site.runner().run(&turn, &Silent, &Tools, &mut Nothing, &Stop::new()).await);
    assert_eq!(known(&failure.wire), Code::Provider(Provider::Timeout));
    assert_eq!(failure.wire.effect, Effect::None);
    assert!(failure.message_kept);
    assert_eq!(read_session(&site.path).unwrap().unfinished(), None);
}

#[tokio::test(start_paused = true)]
async fn a_busy_model_is_asked_again_and_then_the_next_one() {
    let site = Site::new();
    let model = Scripted::new([
        fails(Provider::Overloaded),
        fails(Provider::Overloaded),
        play(|request| {
            assert_eq!(request.candidate.model, "b");
            Ok(ModelReply::text("from b"))
        }),
    ]);
    let outcome = site.run(&site.turn("r1", "hi"), &model).await;
    let RunOutcome::Replied(reply) = outcome else { panic!("{outcome:?}") };
    assert_eq!(reply.candidate.unwrap().model, "b");
}

#[tokio::test]
async fn a_local_error_ends_the_walk() {
    let site = Site::new();
    let model = Scripted::new([fails(Local::DiskFull)]);
    let failure = failure(site.run(&site.turn("r1", "hi"), &model).await);
    assert_eq!(known(&failure.wire), Code::Local(Local::DiskFull));
    assert_eq!(model.calls(), 1);
}

/// A model that says half a sentence and breaks off.
struct HalfSaid;

#[async_trait]
impl Model for HalfSaid {
    async fn call(
        &self,
        _request: &ModelRequest,
        sink: &mut dyn StreamSink,
    ) -> Result<ModelReply, ModelError> {
        sink.text("I was about to");
        Err(ModelError::new(Provider::ServerError, "broken off"))
    }
}

#[tokio::test]
async fn nothing_is_asked_again_after_the_user_saw_text() {
    struct Count(usize);
    impl StreamSink for Count {
        fn text(&mut self, _delta: &str) {
            self.0 += 1;
        }
    }
    let site = Site::new();
    let mut seen = Count(0);
    let turn = site.turn("r1", "hi");
    let failure = failure(site.runner().run(&turn, &HalfSaid, &Tools, &mut seen, &Stop::new()).await);
    assert_eq!(known(&failure.wire), Code::Provider(Provider::ServerError));
    assert_eq!(seen.0, 1);
}

#[tokio::test]
async fn a_deadline_keeps_what_the_last_call_said() {
    let site = Site::new();
    let mut turn = site.turn("r1", "hi");
    turn.deadline = Some(Instant::now() + Duration::from_millis(200));
    let failure = failure(site.run(&turn, &Scripted::new([fails(Provider::Overloaded)])).await);
    assert_eq!(known(&failure.wire), Code::Provider(Provider::Timeout));
    let cause = failure.wire.causes.iter().find_map(|cause| cause.code.clone());
    assert_eq!(cause, Some(WireCode::Known(Provider::Overloaded.into())));
}

#[tokio::test(start_paused = true)]
async fn what_cools_is_left_alone_by_the_next_turn() {
    let site = Site::new();
    let runner = site.runner();
    let limited = || {
        play(|_| Err(ModelError::new(Provider::RateLimit, "slow down").retry_after(Duration::from_secs(600))))
    };
    let from_b = || {
        play(|request: &ModelRequest| {
            assert_eq!(request.candidate.model, "b");
            Ok(ModelReply::text("from b"))
        })
    };
    for (run, model) in [("r1", Scripted::new([limited(), from_b()])), ("r2", Scripted::new([from_b()]))] {
        let outcome = runner.run(&site.turn(run, "hi"), &model, &Tools, &mut Nothing, &Stop::new()).await;
        assert!(matches!(outcome, RunOutcome::Replied(_)), "{outcome:?}");
    }
    let model = Scripted::new([limited()]);
    let failure =
        failure(runner.run(&site.turn("r3", "hi"), &model, &Tools, &mut Nothing, &Stop::new()).await);
    assert_eq!(known(&failure.wire), Code::Provider(Provider::RateLimit));
    assert!(
        failure.wire.retry_after().is_some(),
        "a caller is told when it makes sense again: {:?}",
        failure.wire
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_is_a_provider_error() {
    let site = Site::new();
    let mut turn = site.turn("r1", "hi");
    turn.candidates.truncate(1);
    let empty = || play(|_| Ok(ModelReply::default()));
    let model = Scripted::new([empty(), empty()]);
    let failure = failure(site.run(&turn, &model).await);
    assert_eq!(known(&failure.wire), Code::Provider(Provider::EmptyResponse));
}

/// A tool host whose tool writes a mirror into the session it works for.
struct Mirroring;

#[async_trait]
impl ToolHost for Mirroring {
    async fn call(&self, _call: &ToolCall, context: &ToolContext) -> Result<ToolResult, ToolError> {
        let added = context.writer.append(Draft::mirror("sent", at()), WriteAs::Mirror, at()).await;
        added
            .map(|_| ToolResult { text: "sent".into(), is_error: false })
            .map_err(|error| ToolError::new(error.code(), "no"))
    }

    fn effect(&self, _name: &str) -> ToolEffect {
        ToolEffect::Possible
    }
}

#[tokio::test]
async fn a_tool_that_mirrors_into_its_own_session_is_no_takeover() {
    let site = Site::new();
    let model = Scripted::new([play(|_| Ok(wants("c1", "send"))), play(|_| Ok(ModelReply::text("done")))]);
    let outcome =
        site.runner().run(&site.turn("r1", "hi"), &model, &Mirroring, &mut Nothing, &Stop::new()).await;
    assert!(matches!(&outcome, RunOutcome::Replied(reply) if reply.text == "done"), "{outcome:?}");
    let session = read_session(&site.path).unwrap();
    assert_eq!(session.branch().count(), 4, "the mirror is beside the branch");
    assert_eq!(site.entries().len(), 6);
}

/// A tool that fails.
struct Broken;

#[async_trait]
impl ToolHost for Broken {
    async fn call(&self, _call: &ToolCall, _context: &ToolContext) -> Result<ToolResult, ToolError> {
        Err(ToolError::new(Local::Permission, "not allowed"))
    }

    fn effect(&self, _name: &str) -> ToolEffect {
        ToolEffect::None
    }
}

#[tokio::test]
async fn a_tool_that_fails_is_told_to_the_model() {
    let site = Site::new();
    let model = Scripted::new([
        play(|_| Ok(wants("c1", "x"))),
        play(|request| {
            let last = request.messages.last().unwrap();
            assert!(
                matches!(last, Message::ToolResult { is_error: true, text, .. } if text == "not allowed"),
                "{last:?}"
            );
            Ok(ModelReply::text("sorry"))
        }),
    ]);
    let outcome =
        site.runner().run(&site.turn("r1", "hi"), &model, &Broken, &mut Nothing, &Stop::new()).await;
    assert!(matches!(outcome, RunOutcome::Replied(_)));
}

#[tokio::test]
async fn a_model_that_never_stops_calling_tools_is_ended() {
    let site = Site::new();
    let runner = site.runner().with_max_rounds(3);
    let model = Scripted::new((0..3).map(|_| play(|_| Ok(wants("c", "look")))));
    let failure =
        failure(runner.run(&site.turn("r1", "hi"), &model, &Tools, &mut Nothing, &Stop::new()).await);
    assert_eq!(known(&failure.wire), Code::Local(Local::Config));
}

#[tokio::test]
async fn an_announcement_during_the_run_reaches_the_model_in_its_next_call() {
    let site = Site::new();
    let (path, locks) = (site.path.clone(), site.locks.clone());
    let model = Scripted::new([
        play(move |_| {
            let draft = Draft::custom_message("moorline.announce", "child done", json!({}));
            let tag = RunTag::new("announcer");
            futures_block(append_entry(&locks, &path, &tag, wait(), draft, WriteAs::Announce, at())).unwrap();
            Ok(wants("c1", "look"))
        }),
        play(|request| {
            assert!(
                request.messages.iter().any(|message| message.text() == "child done"),
                "{:?}",
                request.messages
            );
            Ok(ModelReply::text("done"))
        }),
    ]);
    let outcome = site.run(&site.turn("r1", "hi"), &model).await;
    assert!(matches!(outcome, RunOutcome::Replied(_)), "{outcome:?}");
    let said: Vec<_> =
        read_session(&site.path).unwrap().messages().iter().map(|m| m.text().to_owned()).collect();
    assert!(said.contains(&"child done".to_owned()), "and later turns are told of it, too: {said:?}");
}

#[tokio::test]
async fn an_interrupted_turn_goes_on_where_it_is_and_its_tools_are_not_called_again() {
    let site = Site::new();
    let turn = site.turn("r1", "hi");
    // The process dies after the tool call was written.
    let model = Scripted::new([play(|_| Ok(wants("c1", "write"))), play(|_| panic!("dies here"))]);
    let runner = site.runner();
    let died = tokio::spawn({
        let turn = turn.clone();
        async move { runner.run(&turn, &model, &Tools, &mut Nothing, &Stop::new()).await }
    });
    assert!(died.await.is_err());
    assert!(site.lock_is_free());
    let unfinished = read_session(&site.path).unwrap().unfinished().unwrap();
    assert_eq!(unfinished.run_id.as_deref(), Some("r1"));
    assert_eq!(unfinished.idempotency_key.as_deref(), Some("key-r1"));

    let mut again = turn;
    again.run_id = "r2".into();
    let model = Scripted::new([play(|request| {
        assert_eq!(request.messages.len(), 3, "{:?}", request.messages);
        Ok(ModelReply::text("finished"))
    })]);
    let outcome = site.run(&again, &model).await;
    assert!(matches!(&outcome, RunOutcome::Replied(reply) if reply.text == "finished"), "{outcome:?}");
    let users = site.said().iter().filter(|(role, _)| role == "user").count();
    assert_eq!(users, 1);
}

#[tokio::test]
async fn a_tool_call_without_result_is_closed_for_the_model_and_named() {
    let site = Site::new();
    let mut locked = attempt(&site, "r0").await;
    says(&mut locked, "r0", "start").await;
    locked.finish().await.unwrap();
    foreign(&site.path, &foreign_user(&site.path, "do"));
    let call = json!({"type": "message", "id": "a1", "parentId": "f-do", "timestamp": "t", "message": {"role": "assistant",
        "content": [{"type": "toolCall", "id": "c9", "name": "write", "arguments": {}}], "stopReason": "toolUse"}});
    foreign(&site.path, &call);
    assert_eq!(read_session(&site.path).unwrap().unfinished().unwrap().open_tool_calls, ["c9"]);
    let model = Scripted::new([play(|request| {
        let closed = request.messages.iter().any(
            |message| matches!(message, Message::ToolResult { call_id, is_error: true, .. } if call_id == "c9"),
        );
        assert!(closed, "{:?}", request.messages);
        Ok(ModelReply::text("ok"))
    })]);
    assert!(matches!(site.run(&site.turn("r1", "and?"), &model).await, RunOutcome::Replied(_)));
}

/// A host that compacts: it keeps the last message and remembers a summary.
struct Compacting;

#[async_trait]
impl moorline_runner::Repair for Compacting {
    async fn repair(
        &self,
        code: Code,
        request: &ModelRequest,
        writer: &moorline_runner::RunWriter,
    ) -> Option<Vec<Message>> {
        assert_eq!(code, Code::Request(Request::ContextOverflow));
        let kept = read_session(request_path(request)).unwrap().leaf().unwrap().to_owned();
        writer.append(Draft::compaction("they talked", &kept, 9), WriteAs::Turn, at()).await.unwrap();
        request.messages.last().cloned().map(|last| vec![last])
    }
}

/// The test names its transcript in the run's id, since a request has no path.
fn request_path(request: &ModelRequest) -> &std::path::Path {
    std::path::Path::new(request.run_id.strip_prefix("r:").unwrap())
}

#[tokio::test]
async fn a_conversation_that_is_too_long_is_repaired_once() {
    let site = Site::new();
    crate::support::started(&site);
    let runner = site.runner().with_repair(Arc::new(Compacting));
    let turn = site.turn(&format!("r:{}", site.path.display()), "and now?");
    let model = Scripted::new([
        fails(Request::ContextOverflow),
        play(|request| {
            assert_eq!(request.messages.len(), 1);
            Ok(ModelReply::text("ok"))
        }),
    ]);
    let outcome = runner.run(&turn, &model, &Tools, &mut Nothing, &Stop::new()).await;
    assert!(matches!(outcome, RunOutcome::Replied(_)), "{outcome:?}");
    let said: Vec<_> =
        read_session(&site.path).unwrap().messages().iter().map(|m| m.text().to_owned()).collect();
    assert!(said[0].contains("they talked"), "{said:?}");
    assert_eq!(said[1..], ["and now?", "ok"]);

    let turn = site.turn(&format!("r:{}", site.path.display()), "again?");
    let turn = moorline_runner::Turn {
        message: moorline_runner::Incoming { idempotency_key: "2".into(), ..turn.message },
        ..turn
    };
    let model = Scripted::new([fails(Request::ContextOverflow), fails(Request::ContextOverflow)]);
    let failure = failure(runner.run(&turn, &model, &Tools, &mut Nothing, &Stop::new()).await);
    assert_eq!(known(&failure.wire), Code::Request(Request::ContextOverflow));
}

#[tokio::test]
async fn a_reply_that_came_as_the_process_went_down_is_parked() {
    let site = Site::new();
    let stop = Stop::new();
    let (send, receive) = std::sync::mpsc::channel();
    let (path, locks, stopping) = (site.path.clone(), site.locks.clone(), stop.clone());
    let model = Scripted::new([play(move |_| {
        let opening = moorline_runner::Opening::new(
            &locks,
            path,
            RunTag::new("other"),
            Arc::new(moorline_runner::Jsonl),
        );
        send.send(futures_block(moorline_runner::Attempt::acquire(opening)).unwrap()).unwrap();
        // The reply is there, the lock is not, and now the process is told to end.
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(30)).await;
            stopping.stop(Cancelled::Shutdown);
        });
        Ok(ModelReply::text("paid for"))
    })]);
    let outcome = site.runner().run(&site.turn("r1", "hi"), &model, &Tools, &mut Nothing, &stop).await;
    assert_eq!(outcome, RunOutcome::Cancelled(Cancelled::Shutdown));
    let parked = list_parked(&site.path).unwrap();
    assert_eq!((parked[0].text.as_str(), parked[0].reason.as_str()), ("paid for", "cancelled"));
    receive.recv().unwrap().finish().await.unwrap();
}

/// A model that holds up its thread.
struct Blocking(std::path::PathBuf);

#[async_trait]
impl Model for Blocking {
    async fn call(
        &self,
        _request: &ModelRequest,
        _sink: &mut dyn StreamSink,
    ) -> Result<ModelReply, ModelError> {
        assert!(!self.0.exists());
        std::thread::sleep(Duration::from_millis(50));
        assert!(!self.0.exists(), "a model that blocks its thread holds no lock");
        Ok(ModelReply::text("ok"))
    }
}

#[tokio::test]
async fn a_model_that_blocks_its_thread_holds_no_lock() {
    let site = Site::new();
    let model = Blocking(site.dir.path().join("s1.jsonl.lock"));
    let outcome = site.runner().run(&site.turn("r1", "hi"), &model, &Tools, &mut Nothing, &Stop::new()).await;
    assert!(matches!(outcome, RunOutcome::Replied(_)));
}
