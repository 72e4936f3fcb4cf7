//! The plain way: turns, tools, and what is in the transcript afterwards.

use moorline_runner::{RunOutcome, read_session};

use crate::support::{Scripted, Site, play, wants};
use moorline_runner::ModelReply;

fn assert_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn a_turn_is_answered_and_the_lock_is_free() {
    let site = Site::new();
    let model = Scripted::says("hello");
    let turn = site.turn("r1", "hi");
    let outcome = assert_send(site.run(&turn, &model)).await;
    let RunOutcome::Replied(reply) = outcome else { panic!("{outcome:?}") };
    assert_eq!((reply.text.as_str(), reply.replayed), ("hello", false));
    assert_eq!(site.said(), [("user".into(), "hi".into()), ("assistant".into(), "hello".into())]);
    assert!(site.lock_is_free());
    let session = read_session(&site.path).unwrap();
    assert_eq!(session.leaf(), reply.entry_id.as_deref());
    assert_eq!(session.header().unwrap().version, 3);
    assert_eq!(session.unfinished(), None);
}

#[tokio::test]
async fn a_turn_with_tools_keeps_calls_and_results_in_one_line() {
    let site = Site::new();
    let model = Scripted::new([
        play(|_| Ok(wants("c1", "look"))),
        play(|request| {
            assert_eq!(request.messages.len(), 3);
            Ok(wants("c2", "write"))
        }),
        play(|_| Ok(ModelReply::text("done"))),
    ]);
    let outcome = site.run(&site.turn("r1", "do it"), &model).await;
    assert!(matches!(&outcome, RunOutcome::Replied(reply) if reply.text == "done"), "{outcome:?}");
    let session = read_session(&site.path).unwrap();
    assert_eq!(session.branch().count(), 6);
    assert_eq!(session.messages().len(), 6);
}

#[tokio::test]
async fn the_same_key_is_answered_once() {
    let site = Site::new();
    let turn = site.turn("r1", "hi");
    site.run(&turn, &Scripted::says("hello")).await;
    let again = site.run(&turn, &Scripted::default()).await;
    assert!(
        matches!(&again, RunOutcome::Replied(reply) if reply.replayed && reply.text == "hello"),
        "{again:?}"
    );
    assert_eq!(site.said().len(), 2);
}
