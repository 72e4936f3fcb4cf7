//! Parked replies that are put back.

use std::time::{Duration, SystemTime};

use moorline_lock_core::Wait;
use moorline_runner::{
    ModelReply, RunOutcome, Turn, append_parked, dismiss_parked, list_parked, parked_path, read_session,
};

use crate::support::{Scripted, Site, foreign, foreign_user, play};

fn wait() -> Wait {
    Wait { timeout: Some(Duration::from_secs(5)), ..Wait::default() }
}

/// A session whose last reply was parked; and the reply's id.
async fn parked(site: &Site) -> String {
    let path = site.path.clone();
    let model = Scripted::new([play(move |_| {
        foreign(&path, &foreign_user(&path, "me first"));
        Ok(ModelReply::text("paid for"))
    })]);
    let turn = Turn { may_requeue: false, ..site.turn("r1", "hi") };
    assert!(matches!(site.run(&turn, &model).await, RunOutcome::Superseded(_)));
    list_parked(&site.path).unwrap()[0].id.clone()
}

async fn append(site: &Site, id: &str) -> Option<String> {
    append_parked(&site.locks, &site.path, id, wait(), SystemTime::UNIX_EPOCH).await.unwrap().entry_id
}

fn count(site: &Site) -> usize {
    site.said().iter().filter(|(_, text)| text == "paid for").count()
}

#[tokio::test]
async fn a_reply_that_was_put_back_before_a_compaction_is_not_put_back_again() {
    let site = Site::new();
    let id = parked(&site).await;
    let before = std::fs::read(parked_path(&site.path)).unwrap();
    let first = append(&site, &id).await;
    // The crash: it is in the transcript, and still parked. The session goes on.
    std::fs::write(parked_path(&site.path), before).unwrap();
    crate::keys::compacted(&site).await;
    let session = read_session(&site.path).unwrap();
    assert!(session.entries().iter().all(|entry| entry.text() != "paid for"));
    assert_eq!(append(&site, &id).await, first);
    assert_eq!(count(&site), 1);
    assert!(list_parked(&site.path).unwrap().is_empty());
}

#[tokio::test]
async fn two_who_put_a_reply_back_at_once_put_it_back_once() {
    let site = Site::new();
    let id = parked(&site).await;
    // Both have looked before either may write.
    let busy = crate::support::attempt(&site, "busy").await;
    let both = async { tokio::join!(append(&site, &id), append(&site, &id)) };
    let ((one, other), ()) = tokio::join!(both, async { busy.finish().await.unwrap() });
    assert_eq!(one, other);
    assert_eq!(count(&site), 1);
    assert!(list_parked(&site.path).unwrap().is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_among_parked_replies_stays_as_it_is() {
    let site = Site::new();
    let id = parked(&site).await;
    let path = parked_path(&site.path);
    let record = std::fs::read_to_string(&path).unwrap();
    // A line that is too long to be looked at, between others that nobody can read.
    let long = format!("{}\n", "\0".repeat(66 * 1024 * 1024));
    std::fs::write(&path, format!("{{broken\n{record}{long}\nlast\n")).unwrap();
    dismiss_parked(&site.locks, &site.path, &id).await.unwrap();
    let left = std::fs::read_to_string(&path).unwrap();
    assert!(left == format!("{{broken\n{long}\nlast\n"), "{} bytes are left", left.len());
}
