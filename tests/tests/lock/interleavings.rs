//! The interleavings that broke the first draft of the protocol, each as a test.

use std::{
    future::Future,
    path::Path,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use moorline_lock_core::{Durability, Journal, LockConfig, LockError, Locks, RunTag, Target, Wait};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{
    stopped::leave_a_dead_lock,
    support::{GUARD, LOCK, SESSION, dir, foreign_record, free_pid, iso_in, names},
    worker::Worker,
};

/// A child that writes when it is told to, and ends by itself when nobody tells it.
const LATE_WRITER: &str = "child session.jsonl i=0; while [ ! -e go ] && [ $i -lt 3000 ]; do sleep 0.01; i=$((i+1)); done; echo late >> session.jsonl";

fn target(dir: &Path) -> Target {
    Target::sidecar_of(&dir.join(SESSION)).unwrap()
}

fn wait(ms: u64) -> Wait {
    Wait { timeout: Some(Duration::from_millis(ms)), ..Wait::default() }
}

/// Judges that took the exclusive lock to probe would look like owners, or like reclaimers, to each other.
#[test]
fn judges_that_probe_each_other_agree() {
    let dir = dir();
    leave_a_dead_lock(dir.path());
    let start = std::sync::Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let locks = Locks::new(LockConfig::default());
                start.wait();
                for _ in 0..1500 {
                    let view = locks.inspect(&dir.path().join(SESSION)).unwrap().remove(0);
                    assert_eq!((view.state, view.removable), ("dead", true), "{view:?}");
                }
            });
        }
    });
}

/// A candidate can be made long before it is published; its record says when it was published.
#[tokio::test]
async fn a_candidate_that_waited_is_not_born_stale() {
    let dir = dir();
    // Without a record in the way, the waiter makes its candidate at once to learn the file system's time.
    std::fs::write(dir.path().join(LOCK), "").unwrap();
    let target = target(dir.path());
    let locks = Locks::new(LockConfig::default());
    let waiter = tokio::spawn({
        let (locks, target) = (locks.clone(), target.clone());
        async move { locks.acquire_within(&target, &RunTag::new("waiter"), wait(20_000)).await.unwrap() }
    });
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let removed = SystemTime::now();
    std::fs::remove_file(dir.path().join(LOCK)).unwrap();
    let held = waiter.await.unwrap();
    let view = locks.inspect(&target.lock_path()).unwrap().remove(0);
    assert!(
        view.age_ms.unwrap() <= u64::try_from(removed.elapsed().unwrap().as_millis()).unwrap() + 1,
        "{view:?}"
    );
    assert!(removed > UNIX_EPOCH);
    held.release().await.unwrap();
}

/// A candidate made under one clock and published under another: `createdAt` is of the moment it got its name.
#[test]
#[ignore = "needs faketime"]
fn a_candidate_that_waited_six_minutes_is_not_born_stale() {
    let dir = dir();
    let clock = dir.path().join("clock");
    std::fs::write(&clock, "+0\n").unwrap();
    std::fs::write(dir.path().join(LOCK), "").unwrap();
    let file = format!("FAKETIME_TIMESTAMP_FILE={}", clock.display());
    let library = [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    ]
    .into_iter()
    .find(|path| Path::new(path).exists())
    .expect("libfaketime");
    let preload = format!("LD_PRELOAD={library}");
    let before = ["env", &preload, &file, "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1"];
    let mut waiter = Worker::serve_with(&before, dir.path(), &[]);
    waiter.send("acquire session.jsonl timeout=20000");
    std::thread::sleep(Duration::from_millis(1200));
    std::fs::write(&clock, "+6m\n").unwrap();
    std::fs::remove_file(dir.path().join(LOCK)).unwrap();
    waiter.answer().unwrap();
    let view = &waiter.json("inspect session.jsonl")[0];
    assert!(view["ageMs"].as_u64().unwrap() < 60_000, "{view}");
    // To everybody else the lock is from the future, and so of no age.
    let mut other = Worker::serve(dir.path(), &[]);
    let view = &other.json("inspect session.jsonl")[0];
    assert_eq!((&view["state"], &view["ageMs"]), (&"live".into(), &0.into()), "{view}");
}

#[tokio::test]
async fn a_transcript_renamed_over_while_a_journal_has_it_open_gets_nothing_more() {
    let dir = dir();
    let target = target(dir.path());
    let locks = Locks::new(LockConfig::default());
    let held = locks.acquire(&target, &RunTag::new("r")).await.unwrap();
    let (mut journal, _) = Journal::open(&held, Durability::Turn, |_| false).await.unwrap();
    journal.append(&held, b"one\n").await.unwrap();
    // Another program compacts: the same length, another file.
    std::fs::write(dir.path().join("compacted"), "two\n").unwrap();
    let old = std::fs::File::open(dir.path().join(SESSION)).unwrap();
    std::fs::rename(dir.path().join("compacted"), dir.path().join(SESSION)).unwrap();
    assert!(journal.append(&held, b"three\n").await.is_err());
    assert_eq!(std::fs::read_to_string(dir.path().join(SESSION)).unwrap(), "two\n");
    assert_eq!(std::io::read_to_string(old).unwrap(), "one\n");
    let (mut journal, _) = Journal::open(&held, Durability::Turn, |_| false).await.unwrap();
    journal.append(&held, b"three\n").await.unwrap();
    // A second name for it would not be covered by the lock.
    std::fs::hard_link(dir.path().join(SESSION), dir.path().join("second")).unwrap();
    assert!(journal.append(&held, b"four\n").await.is_err());
    assert_eq!(std::fs::read_to_string(dir.path().join(SESSION)).unwrap(), "two\nthree\n");
    held.release().await.unwrap();
}

#[tokio::test]
async fn a_guard_of_another_session_writes_nothing() {
    let dir = dir();
    let locks = Locks::new(LockConfig::default());
    let held = locks.acquire(&target(dir.path()), &RunTag::new("r")).await.unwrap();
    let other = Target::sidecar_of(&dir.path().join("other.jsonl")).unwrap();
    let other = locks.acquire(&other, &RunTag::new("r")).await.unwrap();
    let (mut journal, _) = Journal::open(&held, Durability::None, |_| false).await.unwrap();
    assert!(journal.append(&other, b"one\n").await.is_err());
    assert!(journal.replace(&other, |_| Ok(())).await.is_err());
    journal.append(&held, b"two\n").await.unwrap();
    assert_eq!(std::fs::read_to_string(dir.path().join(SESSION)).unwrap(), "two\n");
}

/// The lock lives as long as its last writer, even when the process that acquired it was killed.
#[test]
fn a_lock_outlives_its_killed_owner_while_a_child_still_writes() {
    let dir = dir();
    let mut owner = Worker::serve(dir.path(), &[]);
    let mut other = Worker::serve(dir.path(), &[]);
    owner.ok("acquire session.jsonl");
    owner.ok(LATE_WRITER);
    owner.kill();
    let view = &other.json("inspect session.jsonl")[0];
    assert_eq!((&view["state"], &view["removable"]), (&"live".into(), &false.into()), "{view}");
    assert_eq!(other.err("acquire session.jsonl timeout=150")["code"], "coordination.lock_timeout");
    assert_eq!(other.json("sweep")[0]["action"], "kept");
    std::fs::write(dir.path().join("go"), "").unwrap();
    other.ok("acquire session.jsonl timeout=10000");
    assert_eq!(std::fs::read_to_string(dir.path().join(SESSION)).unwrap(), "late\n");
    assert_eq!(other.json("stats")["safetyTick"], 0);
}

/// A release while something that inherited the descriptor still runs leaves the lock to it.
#[test]
fn a_release_leaves_the_lock_to_a_child_that_still_writes() {
    let dir = dir();
    let mut owner = Worker::serve(dir.path(), &[]);
    let mut other = Worker::serve(dir.path(), &[]);
    owner.ok("acquire session.jsonl");
    owner.ok(LATE_WRITER);
    owner.ok("release session.jsonl");
    for worker in [&mut owner, &mut other] {
        assert_eq!(
            worker.err("acquire session.jsonl timeout=150 run=next")["code"],
            "coordination.lock_timeout"
        );
    }
    std::fs::write(dir.path().join("go"), "").unwrap();
    other.ok("acquire session.jsonl timeout=10000");
    assert_eq!(std::fs::read_to_string(dir.path().join(SESSION)).unwrap(), "late\n");
    other.ok("release session.jsonl");
    // A child that has ended leaves nothing to wait for: the release removes the file.
    owner.ok("acquire session.jsonl");
    owner.ok("child session.jsonl exit 0");
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        owner.ok("release session.jsonl");
        if !dir.path().join(LOCK).exists() {
            return;
        }
        assert!(Instant::now() < end, "the lock stays");
        owner.ok("acquire session.jsonl timeout=20000 run=again");
    }
}

/// Another program's reclaimer displaces a live lock for an instant and puts it straight back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_and_back_raises_no_false_loss() {
    let dir = dir();
    let target = target(dir.path());
    let locks = Locks::new(LockConfig::default());
    let held = locks.acquire(&target, &RunTag::new("r")).await.unwrap();
    let (mut journal, _) = Journal::open(&held, Durability::None, |_| false).await.unwrap();
    std::fs::write(dir.path().join("theirs"), "{}").unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let exchanger = std::thread::spawn({
        let (stop, dir) = (Arc::clone(&stop), dir.path().to_owned());
        move || {
            let swap = || {
                renameat_with(CWD, dir.join(LOCK), CWD, dir.join("theirs"), RenameFlags::EXCHANGE).unwrap()
            };
            let mut times = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                swap();
                swap();
                times += 1;
                std::thread::sleep(Duration::from_micros(200));
            }
            times
        }
    });
    let end = Instant::now() + Duration::from_millis(1500);
    let mut appends = 0_u64;
    let appending = async {
        while Instant::now() < end {
            journal.append(&held, b"line\n").await.unwrap();
            appends += 1;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        how = held.lost() => panic!("a false loss: {how:?}"),
        () = appending => {}
    }
    stop.store(true, Ordering::Relaxed);
    let times = exchanger.join().unwrap();
    println!("{appends} appends across {times} exchanges and back");
    assert!(times > 100 && appends > 100);
    held.verify().unwrap();
    held.release().await.unwrap();
    assert_eq!(std::fs::read(dir.path().join(SESSION)).unwrap().len() as u64, appends * 5);
}

/// Polls a future `polls` times, sleeping in between, then drops it; whether it ended before.
async fn drop_after<F: Future>(future: F, polls: u32) -> Option<F::Output> {
    let mut future = pin!(future);
    for _ in 0..polls {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(output);
        }
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    None
}

#[tokio::test]
async fn an_acquire_dropped_at_any_await_leaves_nothing_behind() {
    type Put = fn(&Path);
    let situations: [(&str, Put); 5] = [
        ("free", |_| {}),
        ("dead", leave_a_dead_lock),
        ("live", |dir| {
            std::fs::write(dir.join(LOCK), foreign_record(std::process::id(), &iso_in(0), None)).unwrap()
        }),
        ("without a record", |dir| std::fs::write(dir.join(LOCK), "").unwrap()),
        ("behind a guard", |dir| std::fs::create_dir(dir.join(GUARD)).unwrap()),
    ];
    let locks = Locks::new(LockConfig { fs_safe_guard: true, ..LockConfig::default() });
    for (what, put) in situations {
        for polls in 0..8 {
            let dir = dir();
            let target = target(dir.path());
            put(dir.path());
            let before = names(dir.path());
            let tag = RunTag::new("dropped");
            let acquired = drop_after(locks.acquire_within(&target, &tag, wait(60_000)), polls).await;
            let had = acquired.is_some();
            drop(acquired);
            let expected = if had { Vec::new() } else { before };
            assert_eq!(names(dir.path()), expected, "{what}, {polls} polls");
            // The place in the queue is free again.
            for path in [dir.path().join(LOCK), dir.path().join(GUARD)] {
                let _ = std::fs::remove_file(&path).or_else(|_| std::fs::remove_dir(&path));
            }
            let held = locks.acquire_within(&target, &RunTag::new("next"), wait(500)).await.unwrap();
            held.release().await.unwrap();
            assert_eq!(names(dir.path()), Vec::<String>::new(), "{what}, {polls} polls");
        }
    }
}

/// In the queue of one process: whoever is dropped while waiting, or just when its turn came, passes the turn on.
#[tokio::test]
async fn a_waiter_dropped_in_the_queue_passes_its_turn_on() {
    let dir = dir();
    let target = target(dir.path());
    let locks = Locks::new(LockConfig::default());
    for polls in 0..5 {
        let held = locks.acquire(&target, &RunTag::new("head")).await.unwrap();
        let (second, third) = (RunTag::new("second"), RunTag::new("third"));
        let mut dropped = Box::pin(locks.acquire_within(&target, &second, wait(60_000)));
        let mut stays = Box::pin(locks.acquire_within(&target, &third, wait(5000)));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..polls {
            assert!(dropped.as_mut().poll(&mut context).is_pending());
        }
        assert!(stays.as_mut().poll(&mut context).is_pending());
        held.release().await.unwrap();
        drop(dropped);
        let held = stays.await.unwrap();
        held.release().await.unwrap();
    }
    let error = locks.acquire_within(&target, &RunTag::new("last"), wait(500)).await;
    assert!(!matches!(error, Err(LockError::Timeout { .. })));
}

/// A dead owner's lock removed by a program without the mutex and replaced by a live one, between check and exchange: the
/// exchange takes the live one out and must put it straight back.
#[test]
fn a_live_lock_that_an_exchange_took_out_is_put_back() {
    let dir = dir();
    leave_a_dead_lock(dir.path());
    let mut reclaimer = Worker::serve(dir.path(), &["fail=reclaim.aside:stop"]);
    reclaimer.send("acquire session.jsonl timeout=700");
    reclaimer.await_state("T");
    std::fs::remove_file(dir.path().join(LOCK)).unwrap();
    let record = foreign_record(free_pid(), &iso_in(0), None);
    let mut live = std::fs::File::create_new(dir.path().join(LOCK)).unwrap();
    std::io::Write::write_all(&mut live, record.as_bytes()).unwrap();
    reclaimer.resume();
    assert_eq!(reclaimer.answer().unwrap_err()["code"], "coordination.lock_timeout");
    assert_eq!(std::fs::read_to_string(dir.path().join(LOCK)).unwrap(), record);
    assert_eq!(names(dir.path()), [LOCK]);
    drop(live);
    reclaimer.ok("acquire session.jsonl timeout=2000");
}

/// The same, but the reclaimer dies right after the exchange: the live lock lies under a private name, which a sweep
/// leaves alone as long as its owner writes.
#[test]
fn a_live_lock_that_was_taken_out_by_a_reclaimer_that_died_is_not_swept() {
    let dir = dir();
    leave_a_dead_lock(dir.path());
    let mut reclaimer = Worker::serve(dir.path(), &["fail=reclaim.exchanged:kill"]);
    let mut between = Worker::serve(dir.path(), &["fail=reclaim.aside:stop"]);
    between.send("acquire session.jsonl timeout=700");
    between.await_state("T");
    std::fs::remove_file(dir.path().join(LOCK)).unwrap();
    let mut live = std::fs::File::create_new(dir.path().join(LOCK)).unwrap();
    std::io::Write::write_all(&mut live, foreign_record(free_pid(), &iso_in(0), None).as_bytes()).unwrap();
    between.kill();
    // The dead candidate under its private name is litter; the live lock is not.
    reclaimer.ok("sweep");
    assert_eq!(names(dir.path()), [LOCK]);
    drop(live);
}
