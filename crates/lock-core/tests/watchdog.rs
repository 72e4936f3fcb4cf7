//! The watchdog over several holds. One test, in a program of its own: all holds of a process share the moment at which the
//! watchdog looks, and those of another test would make it look when it should have by itself.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::time::Duration;

use moorline_lock_core::{LockConfig, Locks, LostHow, OnHoldExceeded, RunTag, Target, Wait};

const LIMIT: Duration = Duration::from_secs(30);

#[tokio::test]
async fn each_hold_that_lasts_is_found_whatever_was_released_before() {
    let dir = tempfile::tempdir().unwrap();
    let target = |name: &str| Target::sidecar_of(&dir.path().join(name)).unwrap();
    let locks = Locks::new(LockConfig { on_hold_exceeded: OnHoldExceeded::Revoke, ..LockConfig::default() });
    let wait = |ms| Wait { max_hold: Some(Duration::from_millis(ms)), ..Wait::default() };
    let tag = RunTag::new("r1");
    let long = locks.acquire_within(&target("long"), &tag, wait(600_000)).await.unwrap();
    let later = locks.acquire_within(&target("later"), &tag, wait(120)).await.unwrap();
    // The thread wakes for their ends, though both are gone by then (on a busy machine it may have come before).
    for short in ["one", "two"] {
        let _ = locks.acquire_within(&target(short), &tag, wait(40)).await.unwrap().release().await;
    }
    let soon = locks.acquire_within(&target("soon"), &tag, wait(60)).await.unwrap();
    for held in [&soon, &later] {
        let how = tokio::time::timeout(LIMIT, held.lost()).await.expect("never looked at");
        assert_eq!(how, LostHow::HoldExceeded);
    }
    long.verify().unwrap();

    // One that is reported only goes on, and is reported each time the same span has passed; one that
    // declares no span at all does not keep the watchdog busy.
    let locks = Locks::new(LockConfig { max_hold: Duration::ZERO, ..LockConfig::default() });
    let held = locks.acquire(&target("reported"), &tag).await.unwrap();
    let began = std::time::Instant::now();
    let before = Locks::stats().hold_exceeded;
    let reported = async {
        while Locks::stats().hold_exceeded < before + 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(LIMIT, reported).await.expect("reported once only");
    assert!(began.elapsed() >= Duration::from_millis(150), "{:?}", began.elapsed());
    held.verify().unwrap();
    held.release().await.unwrap();
}
