//! The lifecycle of an attempt: lock, release, nested writers, abort, end.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::{Duration, Instant, SystemTime},
};

use moorline_lock_core::{Durability, LockConfig, Locks, OnStale, RunTag, Target, Wait};
use moorline_runner::{Attempt, AttemptError, Draft, RunWriter, TakeoverCause, WriteAs, append_entry};
use moorline_taxonomy::{Code, Coordination};
use serde_json::json;
use tokio::time::timeout;

use crate::{
    child::Child,
    support::{Site, attempt, leaf_of, opening, says, started},
};

fn at() -> SystemTime {
    SystemTime::UNIX_EPOCH
}

#[tokio::test]
async fn the_lock_is_free_during_the_prompt_and_held_while_writing() {
    let site = Site::new();
    started(&site);
    let locked = attempt(&site, "r1").await;
    assert!(!site.lock_is_free());
    let released = locked.release_for_prompt().await.unwrap();
    assert!(site.lock_is_free());
    let (locked, news) = released.reacquire_after_prompt().await.unwrap();
    assert!(!site.lock_is_free());
    assert!(news.is_empty());
    locked.finish().await.unwrap();
    assert!(site.lock_is_free());
}

#[tokio::test]
async fn an_own_write_during_the_prompt_is_no_takeover() {
    let site = Site::new();
    started(&site);
    let mut locked = attempt(&site, "r1").await;
    says(&mut locked, "r1", "before").await;
    let writer = locked.writer();
    let released = locked.release_for_prompt().await.unwrap();
    let added = writer.append(Draft::mirror("sent", at()), WriteAs::Mirror, at()).await.unwrap();
    assert!(site.lock_is_free(), "the lock is taken for the one append");
    let (mut locked, _) = released.reacquire_after_prompt().await.unwrap();
    says(&mut locked, "r1", "after").await;
    locked.finish().await.unwrap();
    let after = site.entries().pop().unwrap();
    assert_eq!(after.parent_id(), Some("r1-before"), "a mirror stays beside");
    assert!(site.entries().iter().any(|entry| entry.id() == added.entry_id.as_deref()));
}

#[tokio::test]
async fn an_own_turn_entry_during_the_prompt_becomes_the_leaf() {
    let site = Site::new();
    started(&site);
    let locked = attempt(&site, "r1").await;
    let writer = locked.writer();
    let released = locked.release_for_prompt().await.unwrap();
    let added = writer.append(Draft::user("steer", at()), WriteAs::Turn, at()).await.unwrap();
    let (mut locked, _) = released.reacquire_after_prompt().await.unwrap();
    says(&mut locked, "r1", "after").await;
    locked.finish().await.unwrap();
    assert_eq!(site.entries().pop().unwrap().parent_id(), added.entry_id.as_deref());
}

#[tokio::test]
async fn nested_writers_of_a_run_join_the_held_lock() {
    let site = Site::new();
    started(&site);
    let mut locked = attempt(&site, "r1").await;
    let writer = locked.writer();
    let many = (0..20).map(|n| {
        let writer = writer.clone();
        async move { writer.append(Draft::custom("n", json!(n)), WriteAs::Metadata, at()).await.unwrap() }
    });
    let mut set = tokio::task::JoinSet::new();
    for one in many {
        set.spawn(one);
    }
    says(&mut locked, "r1", "meanwhile").await;
    assert_eq!(set.join_all().await.len(), 20);
    locked.finish().await.unwrap();
    assert_eq!(site.entries().len(), 2 + 21);
    assert!(site.lock_is_free());
}

/// Another process: a label, a mirror and an announcement.
pub async fn beside(path: &str) {
    let locks = Locks::new(LockConfig::default());
    let wait = Wait { timeout: Some(Duration::from_secs(1)), ..Wait::default() };
    let announce = Draft::custom_message("moorline.announce", "child done", json!({}));
    for (draft, written_as) in [
        (Draft::label("u1", "x"), WriteAs::Metadata),
        (Draft::mirror("x", at()), WriteAs::Mirror),
        (announce, WriteAs::Announce),
    ] {
        append_entry(&locks, Path::new(path), &RunTag::new("beside"), wait, draft, written_as, at())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn another_process_writes_metadata_during_the_prompt() {
    let site = Site::new();
    started(&site);
    let released = attempt(&site, "r1").await.release_for_prompt().await.unwrap();
    assert!(Child::start("beside", site.path.to_str().unwrap()).wait().0);
    assert_eq!(site.entries().len(), 5);
    let (locked, news) = released.reacquire_after_prompt().await.unwrap();
    assert_eq!(news.len(), 1, "the announcement concerns the run");
    assert!(news[0].contains("child done"));
    locked.finish().await.unwrap();
}

#[tokio::test]
async fn a_turn_of_another_run_during_the_prompt_is_a_takeover() {
    let site = Site::new();
    started(&site);
    let released = attempt(&site, "r1").await.release_for_prompt().await.unwrap();
    let mut other = attempt(&site, "r2").await;
    says(&mut other, "r2", "mine").await;
    other.finish().await.unwrap();
    let error = released.reacquire_after_prompt().await.unwrap_err();
    assert!(matches!(&error, AttemptError::Takeover { cause: TakeoverCause::Added { .. }, .. }), "{error:?}");
    assert_eq!(error.code(), Code::Coordination(Coordination::SessionTakeover));
}

fn short() -> LockConfig {
    LockConfig { acquire_timeout: Some(Duration::from_millis(80)), ..LockConfig::default() }
}

#[tokio::test]
async fn a_lock_timeout_on_the_way_back_is_a_takeover() {
    let site = Site::with(short());
    started(&site);
    let released = attempt(&site, "r1").await.release_for_prompt().await.unwrap();
    let writer = released.writer();
    let other = attempt(&site, "r2").await;
    let error = released.reacquire_after_prompt().await.unwrap_err();
    assert!(matches!(&error, AttemptError::Takeover { cause: TakeoverCause::Lock, .. }), "{error:?}");
    let chain = format!("{:?}", moorline_taxonomy::Wire::of(&error).causes);
    assert!(chain.contains("not acquired"), "the lock's own error is the cause: {chain}");
    other.finish().await.unwrap();
    let after = writer.append(Draft::label("u1", "x"), WriteAs::Metadata, at()).await.unwrap_err();
    assert!(matches!(after, AttemptError::Ended { .. }), "{after:?}");
    assert_eq!(site.entries().len(), 2);
}

#[tokio::test]
async fn a_stale_lock_on_the_way_back_is_a_takeover() {
    let site = Site::with(LockConfig { stale: Duration::from_millis(30), ..LockConfig::default() });
    started(&site);
    let released = attempt(&site, "r1").await.release_for_prompt().await.unwrap();
    // A live owner that holds the lock for too long is reported, and stays.
    let other = Child::holding(&site.path);
    let error =
        timeout(Duration::from_secs(5), released.reacquire_after_prompt()).await.unwrap().unwrap_err();
    let wire = moorline_taxonomy::Wire::of(&error);
    assert!(error.is_takeover());
    assert!(wire.causes.iter().any(|cause| cause.message.contains("stale")), "{wire:?}");
    assert!(!site.lock_is_free(), "a live lock is never removed");
    other.end();
}

#[tokio::test]
async fn a_lock_that_is_refused_at_first_is_a_lock_error() {
    let site = Site::with(short());
    started(&site);
    let other = attempt(&site, "r2").await;
    let error = Attempt::acquire(opening(&site, "r1")).await.unwrap_err();
    assert_eq!(error.code(), Code::Coordination(Coordination::LockTimeout));
    assert!(error.wire().owner.is_some());
    other.finish().await.unwrap();
}

#[tokio::test]
async fn an_attempt_dropped_while_waiting_for_the_lock_leaves_nothing() {
    let site = Site::new();
    started(&site);
    let first = attempt(&site, "r1").await;
    let waiting = Attempt::acquire(opening(&site, "r2"));
    assert!(timeout(Duration::from_millis(20), waiting).await.is_err());
    first.finish().await.unwrap();
    let third =
        timeout(Duration::from_secs(1), Attempt::acquire(opening(&site, "r3"))).await.unwrap().unwrap();
    third.finish().await.unwrap();
    assert!(site.lock_is_free());
}

#[tokio::test]
async fn an_attempt_dropped_on_the_way_back_leaves_nothing() {
    let site = Site::new();
    started(&site);
    let released = attempt(&site, "r1").await.release_for_prompt().await.unwrap();
    let writer = released.writer();
    let other = attempt(&site, "r2").await;
    assert!(timeout(Duration::from_millis(20), released.reacquire_after_prompt()).await.is_err());
    other.finish().await.unwrap();
    assert!(site.lock_is_free());
    let refused = writer.append(Draft::label("u1", "x"), WriteAs::Metadata, at()).await;
    assert!(matches!(refused, Err(AttemptError::Ended { .. })), "a disposed attempt never acquires again");
}

#[tokio::test]
async fn two_attempts_of_one_session_in_one_process_are_ordered() {
    let site = Arc::new(Site::new());
    started(&site);
    let mut first = attempt(&site, "r0").await;
    let mut set = tokio::task::JoinSet::new();
    for n in 1..=8 {
        let site = Arc::clone(&site);
        set.spawn(async move {
            let run = format!("r{n}");
            let mut mine = attempt(&site, &run).await;
            says(&mut mine, &run, "x").await;
            mine.finish().await.unwrap();
        });
        // One after the other into the queue.
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    says(&mut first, "r0", "x").await;
    first.finish().await.unwrap();
    set.join_all().await;
    let order: Vec<_> =
        site.entries().iter().skip(2).filter_map(|entry| entry.id().map(str::to_owned)).collect();
    let expected: Vec<_> = (0..=8).map(|n| format!("r{n}-x")).collect();
    assert_eq!(order, expected);
}

#[tokio::test]
async fn a_writer_in_flight_is_drained_before_the_end() {
    let site = Site::new();
    started(&site);
    let locked = attempt(&site, "r1").await;
    let writer = locked.writer();
    // Another holder of the transcript's own lock makes the append wait.
    let busy = std::fs::File::open(&site.path).unwrap();
    busy.lock().unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let append = tokio::spawn({
        let done = Arc::clone(&done);
        async move {
            let added = writer.append(Draft::label("u1", "x"), WriteAs::Metadata, at()).await;
            done.store(true, Ordering::Release);
            added
        }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let finish = tokio::spawn(locked.finish());
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!finish.is_finished(), "the end waits for the writer in flight");
    busy.unlock().unwrap();
    append.await.unwrap().unwrap();
    assert!(done.load(Ordering::Acquire));
    finish.await.unwrap().unwrap();
    assert!(site.lock_is_free());
    assert_eq!(site.entries().len(), 3);
}

#[tokio::test]
async fn an_abort_revokes_a_stuck_writer_and_releases_in_time() {
    let site = Site::new();
    started(&site);
    let locked = attempt(&site, "r1").await;
    let writer = locked.writer();
    let busy = std::fs::File::open(&site.path).unwrap();
    busy.lock().unwrap();
    let append =
        tokio::spawn(async move { writer.append(Draft::label("u1", "x"), WriteAs::Metadata, at()).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let begun = Instant::now();
    locked.abort(Duration::from_millis(300)).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    let freed = async {
        while !site.lock_is_free() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(Duration::from_secs(1), freed).await.expect("the lock is released though the writer is stuck");
    busy.unlock().unwrap();
    let refused = append.await.unwrap();
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(site.entries().len(), 2, "nothing is written after the abort");
}

#[tokio::test]
async fn a_dropped_attempt_releases_its_lock() {
    let site = Site::new();
    started(&site);
    drop(attempt(&site, "r1").await);
    assert!(site.lock_is_free());
    let writer: RunWriter = {
        let locked = attempt(&site, "r1").await;
        locked.writer()
    };
    assert!(site.lock_is_free(), "a writer that outlives its attempt holds nothing");
    assert!(writer.append(Draft::label("u1", "x"), WriteAs::Metadata, at()).await.is_err());
}

#[tokio::test]
async fn a_cancelled_nested_writer_leaves_no_lock_behind() {
    let site = Site::new();
    started(&site);
    let released = attempt(&site, "r1").await.release_for_prompt().await.unwrap();
    let writer = released.writer();
    let busy = std::fs::File::open(&site.path).unwrap();
    busy.lock().unwrap();
    let append = writer.append(Draft::label("u1", "x"), WriteAs::Metadata, at());
    assert!(timeout(Duration::from_millis(30), append).await.is_err());
    assert!(site.lock_is_free());
    busy.unlock().unwrap();
    let (locked, _) = released.reacquire_after_prompt().await.unwrap();
    locked.finish().await.unwrap();
}

#[tokio::test]
async fn a_step_that_was_cancelled_after_its_write_is_found_by_the_next_one() {
    let site = Site::new();
    started(&site);
    let mut opening = opening(&site, "r1");
    opening.durability = Durability::Append;
    let mut locked = Attempt::acquire(opening).await.unwrap();
    {
        let mut cancelled = Box::pin(says(&mut locked, "r1", "cancelled"));
        // Written, and waiting for the disk.
        let waits = std::future::poll_fn(|cx| Poll::Ready(cancelled.as_mut().poll(cx).is_pending())).await;
        assert!(waits);
    }
    assert_eq!(site.entries().len(), 3);
    says(&mut locked, "r1", "next").await;
    locked.finish().await.unwrap();
    assert_eq!(
        site.entries().pop().unwrap().parent_id(),
        Some("r1-cancelled"),
        "it is not left on a side branch"
    );
}

#[tokio::test]
async fn a_revoked_lock_refuses_the_append() {
    let site = Site::new();
    started(&site);
    let mut locked = attempt(&site, "r1").await;
    site.locks.revoke_own(&site.path).unwrap();
    let line =
        |_: &moorline_runner::Tip| moorline_runner::Lines { bytes: b"{}\n".to_vec(), ..Default::default() };
    let error = locked.append(line).await.unwrap_err();
    assert_eq!(error.code(), Code::Coordination(Coordination::LockLost));
    assert_eq!(site.entries().len(), 2);
}

#[tokio::test]
async fn a_writer_that_took_no_lock_is_met_at_the_append() {
    let site = Site::new();
    started(&site);
    let mut locked = attempt(&site, "r1").await;
    let mirror = json!({"type": "message", "id": "m", "parentId": "u1", "timestamp": "t",
        "message": {"role": "assistant", "provider": "openclaw", "model": "delivery-mirror", "content": "x"}});
    crate::support::foreign(&site.path, &mirror);
    says(&mut locked, "r1", "merged").await;
    crate::support::foreign(&site.path, &crate::support::foreign_user(&site.path, "mine"));
    let line =
        |_: &moorline_runner::Tip| moorline_runner::Lines { bytes: b"{}\n".to_vec(), ..Default::default() };
    assert!(locked.append(line).await.unwrap_err().is_takeover());
    assert!(site.lock_is_free());
    assert_eq!(leaf_of(&site.path).as_deref(), Some("f-mine"));
}

#[tokio::test]
async fn a_writer_in_flight_when_its_attempt_is_dropped_leaves_no_lock_behind() {
    let site = Site::new();
    started(&site);
    let locked = attempt(&site, "r1").await;
    let writer = locked.writer();
    // The append waits for the transcript's own lock.
    let busy = std::fs::File::open(&site.path).unwrap();
    busy.lock().unwrap();
    let mut writing = Box::pin(writer.append(Draft::session_info("x"), WriteAs::Metadata, at()));
    assert!(std::future::poll_fn(|cx| Poll::Ready(writing.as_mut().poll(cx).is_pending())).await);
    drop(locked);
    busy.unlock().unwrap();
    assert!(writing.await.is_err());
    assert!(site.lock_is_free(), "whoever keeps a writer keeps no lock");
    assert_eq!(site.entries().len(), 2);
}

#[tokio::test]
async fn the_way_back_can_wait_for_a_stale_owner() {
    let site = Site::with(LockConfig { stale: Duration::from_millis(30), ..LockConfig::default() });
    started(&site);
    let mut opening = opening(&site, "r1");
    opening.wait_back.on_stale = Some(OnStale::Wait);
    let released = Attempt::acquire(opening).await.unwrap().release_for_prompt().await.unwrap();
    let other = Child::holding(&site.path);
    let back = tokio::spawn(released.reacquire_after_prompt());
    tokio::time::sleep(Duration::from_millis(80)).await;
    other.end();
    back.await.unwrap().unwrap().0.finish().await.unwrap();
}

#[test]
fn a_lock_is_beside_its_transcript() {
    let site = Site::new();
    let target = Target::sidecar_of(&site.path).unwrap();
    assert_eq!(target.lock_path().file_name().unwrap(), "s1.jsonl.lock");
}
