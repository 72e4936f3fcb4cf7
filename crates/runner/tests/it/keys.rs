//! Idempotency keys that lie before the window that a run reads.

use std::{
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::SystemTime,
};

use moorline_lock_core::{Held, LockConfig, Locks, Observer, Report};
use moorline_runner::{Draft, Message, Nothing, RunOutcome, Stop, Turn, WriteAs, read_session};
use moorline_taxonomy::Cancelled;
use serde_json::{Value, json};

use crate::support::{Scripted, Site, Tools, attempt, foreign, foreign_user, leaf_of, play, wants};

const MIB: u64 = 1024 * 1024;

/// Another turn, and then a compaction that keeps no more than it.
pub async fn compacted(site: &Site) {
    let next = site.turn("other", "second");
    assert!(matches!(site.run(&next, &Scripted::says("two")).await, RunOutcome::Replied(_)));
    let kept = site.entries().iter().find(|entry| entry.text() == "second").unwrap().id().unwrap().to_owned();
    compact(site, &kept).await;
}

/// A compaction that keeps what comes from the entry `kept` on.
async fn compact(site: &Site, kept: &str) {
    let open = attempt(site, "compacts").await;
    let draft = Draft::compaction("they talked", kept, 9);
    open.writer().append(draft, WriteAs::Turn, SystemTime::UNIX_EPOCH).await.unwrap();
    open.finish().await.unwrap();
    let session = read_session(&site.path).unwrap();
    assert!(session.is_cut() && session.branch().next().unwrap().id() == Some(kept));
}

fn count(site: &Site, text: &str) -> usize {
    site.said().iter().filter(|(_, said)| said == text).count()
}

/// The reply of the turn, which has to be in the transcript already.
async fn replayed(site: &Site, turn: &Turn) -> String {
    let outcome = site.run(turn, &Scripted::default()).await;
    let RunOutcome::Replied(reply) = outcome else { panic!("{outcome:?}") };
    assert!(reply.replayed);
    reply.text
}

/// Runs the turn and gives back what the model was told.
async fn told(site: &Site, turn: &Turn) -> Vec<String> {
    let model = Scripted::says("answered now");
    let outcome = site.run(turn, &model).await;
    assert!(matches!(&outcome, RunOutcome::Replied(reply) if !reply.replayed), "{outcome:?}");
    let asked = model.asked.lock().unwrap();
    asked[0].messages.iter().map(Message::text).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_turn_answered_before_the_latest_compaction_is_answered_once() {
    let site = Site::new();
    let turn = site.turn("r1", "first");
    assert!(matches!(site.run(&turn, &Scripted::says("one")).await, RunOutcome::Replied(_)));
    compacted(&site).await;
    let before = std::fs::read(&site.path).unwrap();
    assert_eq!(replayed(&site, &turn).await, "one");
    assert_eq!(std::fs::read(&site.path).unwrap(), before);
    assert!(site.lock_is_free());
}

#[tokio::test]
async fn a_turn_that_died_before_the_latest_compaction_goes_on_and_calls_nothing_twice() {
    let site = Site::new();
    let turn = site.turn("r1", "first");
    // The process dies in its second model call, and in its second life before the result of the tool is there.
    for last in ["look", "write"] {
        let model = Scripted::new([play(move |_| Ok(wants(last, last))), play(|_| panic!("dies here"))]);
        let (runner, turn) = (site.runner(), turn.clone());
        let run = async move { runner.run(&turn, &model, &Tools, &mut Nothing, &Stop::new()).await };
        assert!(tokio::spawn(run).await.is_err());
    }
    // The result of the second call was never recorded.
    let text = std::fs::read_to_string(&site.path).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines.last().unwrap().contains("write done"));
    std::fs::write(&site.path, format!("{}\n", lines[..lines.len() - 1].join("\n"))).unwrap();
    compacted(&site).await;

    let told = told(&site, &turn).await;
    assert!(told[0].contains("they talked"), "{told:?}");
    assert_eq!(told[1..6], ["second", "two", "first", "", "look done"]);
    assert!(told[7].contains("may or may not have had its effect"), "{told:?}");
    assert_eq!((told.len(), count(&site, "first")), (8, 1));
    assert_eq!(replayed(&site, &turn).await, "answered now");
}

#[tokio::test]
async fn a_turn_that_the_compaction_cut_in_two_goes_on_where_it_is() {
    let site = Site::new();
    let turn = site.turn("r1", "first");
    let model = Scripted::new([play(|_| Ok(wants("c1", "look"))), play(|_| panic!("dies here"))]);
    let (runner, again) = (site.runner(), turn.clone());
    let run = async move { runner.run(&again, &model, &Tools, &mut Nothing, &Stop::new()).await };
    assert!(tokio::spawn(run).await.is_err());
    let kept = site.entries().into_iter().rev().nth(1).unwrap();
    let compaction = json!({"type": "compaction", "id": "c", "parentId": leaf_of(&site.path), "summary": "they talked",
        "firstKeptEntryId": kept.id(), "tokensBefore": 9});
    foreign(&site.path, &compaction);
    let told = told(&site, &turn).await;
    assert_eq!(told[1..], ["", "look done"], "{told:?}");
    assert_eq!(count(&site, "first"), 1);
}

#[tokio::test]
async fn a_key_that_another_program_wrote_is_known_by_the_message_alone() {
    for written in ["key-r1", r"caf\u00e9\/1", "caf\u{e9}/1"] {
        let site = Site::new();
        let line = r#"{"type":"message","id":"1","parentId":null,"message":{"role":"user","content":"first","idempotencyKey":"KEY"}}"#;
        let header = r#"{"type":"session","version":3,"id":"s1","timestamp":"t","cwd":"/"}"#;
        let text =
            format!("{header}\r\n{{broken \"KEY\"\r\n\r\n{line}\r\n{{\"KEY\":\r\n").replace("KEY", written);
        std::fs::write(&site.path, text).unwrap();
        compacted(&site).await;
        let mut turn = site.turn("r1", "first");
        if written != "key-r1" {
            turn.message.idempotency_key = "caf\u{e9}/1".into();
        }
        assert_eq!(told(&site, &turn).await.last().unwrap(), "first");
        assert_eq!(count(&site, "first"), 1, "{written}");
    }
}

#[tokio::test]
async fn what_only_looks_like_the_key_is_another_turn() {
    let site = Site::new();
    crate::support::started(&site);
    let text = |text: &str, key: Value| {
        json!({"type": "message", "id": format!("i-{text}"), "parentId": leaf_of(&site.path),
            "message": {"role": "user", "content": text, "idempotencyKey": key}})
    };
    for entry in [
        text("first", "key-r11".into()),
        text("\"idempotencyKey\":\"key-r1\"", Value::Null),
        json!({"type": "custom", "id": "s", "parentId": leaf_of(&site.path), "customType": "x",
            "data": {"idempotencyKey": "key-r1", "turn": "key-r1", "settled": "replied"}}),
    ] {
        foreign(&site.path, &entry);
    }
    compacted(&site).await;
    let turn = site.turn("r1", "mine");
    assert_eq!(told(&site, &turn).await.last().unwrap(), "mine");
    assert_eq!(count(&site, "mine"), 1);
}

/// Answers the turn, and puts `len` bytes behind it that nobody can read, in ten lines; then one more message.
async fn long(site: &Site, turn: &Turn, len: u64) {
    assert!(matches!(site.run(turn, &Scripted::says("one")).await, RunOutcome::Replied(_)));
    let file = std::fs::OpenOptions::new().write(true).open(&site.path).unwrap();
    let begins = file.metadata().unwrap().len();
    for tenth in 0..=10 {
        file.write_all_at(b"\n", begins + len / 10 * tenth).unwrap();
    }
    let last = json!({"type": "message", "id": "last", "parentId": "lost", "message": {"role": "user", "content": "last"}});
    foreign(&site.path, &last);
}

/// The same, so that the window begins behind all that.
async fn long_and_compacted(site: &Site, turn: &Turn, len: u64) {
    long(site, turn, len).await;
    compact(site, "last").await;
}

#[tokio::test]
async fn a_key_before_more_than_a_window_of_bytes_is_known() {
    let site = Site::new();
    let turn = site.turn("r1", "first");
    long(&site, &turn, 40 * MIB).await;
    assert!(read_session(&site.path).unwrap().is_cut());
    assert_eq!(replayed(&site, &turn).await, "one");
    assert_eq!(told(&site, &site.turn("r2", "next")).await, ["last", "next"]);
}

#[tokio::test]
async fn a_key_far_before_the_window_is_looked_for_without_the_lock() {
    let site = Site::new();
    let turn = site.turn("r1", "first");
    long_and_compacted(&site, &turn, 40 * MIB).await;
    let free = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&free);
    let site = when_let_go(site, move |path| {
        seen.store(!path.with_extension("jsonl.lock").exists(), Ordering::SeqCst)
    });
    assert_eq!(replayed(&site, &turn).await, "one");
    assert!(free.load(Ordering::SeqCst) && site.lock_is_free());
    assert_eq!(told(&site, &site.turn("r2", "next")).await[1..], ["last", "next"]);
    assert_eq!(replayed(&site, &site.turn("r2", "next")).await, "answered now");
}

type Act = Box<dyn FnOnce() + Send>;

/// Does something when a lock is let go for the first time: a run of a long session does that for its search.
struct WhenLetGo(Mutex<Option<Act>>);

impl Observer for WhenLetGo {
    fn taken_over(&self, _held: &Held) {}

    fn stale(&self, _report: &Report) {}

    fn let_go(&self, _held: &Held) {
        if let Some(act) = self.0.lock().unwrap().take() {
            act();
        }
    }
}

fn when_let_go(site: Site, act: impl FnOnce(&Path) + Send + 'static) -> Site {
    let path = site.path.clone();
    let observer = WhenLetGo(Mutex::new(Some(Box::new(move || act(&path)))));
    Site { locks: Locks::observed_by(LockConfig::default(), Arc::new(observer)), ..site }
}

#[tokio::test]
async fn whoever_writes_while_a_long_session_is_searched_takes_nothing_over() {
    let mut site = Site::new();
    long_and_compacted(&site, &site.turn("r1", "first"), 40 * MIB).await;
    // Somebody else's message, the very message of this turn, and what the model has to be told.
    type Writes = fn(&Path);
    let other: Writes = |path| foreign(path, &foreign_user(path, "me first"));
    let same: Writes = |path| {
        let mut user = foreign_user(path, "mine");
        user["message"]["idempotencyKey"] = "key-same".into();
        foreign(path, &user);
    };
    let announce: Writes = |path| {
        let done = json!({"type": "custom_message", "id": "a", "parentId": leaf_of(path), "customType": "x",
            "content": "child done", "display": true, "moorline": {"run": "child", "as": "announce"}});
        foreign(path, &done);
    };
    for (run, text, write, last) in [
        ("other", "hi", other, ["me first", "hi"]),
        ("same", "mine", same, ["answered now", "mine"]),
        ("announce", "ho", announce, ["child done", "ho"]),
    ] {
        let turn = Turn { may_requeue: false, ..site.turn(run, text) };
        site = when_let_go(site, write);
        let told = told(&site, &turn).await;
        assert_eq!(told[told.len() - 2..], last, "{run}");
        assert_eq!(count(&site, text), 1, "{run}");
        assert!(site.lock_is_free());
    }
}

#[tokio::test]
async fn a_stop_before_a_long_session_was_searched_leaves_it_as_it_was() {
    let site = Site::new();
    long_and_compacted(&site, &site.turn("r1", "first"), 40 * MIB).await;
    let before = std::fs::metadata(&site.path).unwrap().len();
    let stop = Stop::new();
    let stopping = stop.clone();
    let site = when_let_go(site, move |_| stopping.stop(Cancelled::User));
    let (turn, model) = (site.turn("r2", "next"), Scripted::default());
    let outcome = site.runner().run(&turn, &model, &Tools, &mut Nothing, &stop).await;
    assert_eq!(outcome, RunOutcome::Cancelled(Cancelled::User));
    assert!(site.lock_is_free());
    assert_eq!(std::fs::metadata(&site.path).unwrap().len(), before);
}
