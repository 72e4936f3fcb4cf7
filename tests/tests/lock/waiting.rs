//! Waiting without polling: wake-ups are counted by the kernel, not by the code under test.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    support::{GUARD, LOCK, dir},
    worker::Worker,
};

/// Voluntary context switches of every thread of a process.
fn switches(pid: i32) -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
        let thread = thread.unwrap();
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        all.insert(
            thread.file_name().into_string().unwrap(),
            line.map_or(0, |count| count.trim().parse().unwrap()),
        );
    }
    all
}

fn total(pid: i32) -> u64 {
    switches(pid).values().sum()
}

/// Waits until a process has gone to sleep on something.
fn await_waiting(worker: &Worker) {
    let end = Instant::now() + Duration::from_secs(20);
    let mut last = total(worker.pid());
    loop {
        std::thread::sleep(Duration::from_millis(300));
        let now = total(worker.pid());
        if now == last {
            return;
        }
        last = now;
        assert!(Instant::now() < end, "the waiter never sleeps: {:?}", switches(worker.pid()));
    }
}

#[test]
fn ten_seconds_of_contended_waiting_wake_at_most_once() {
    let dir = dir();
    let mut owner = Worker::serve(dir.path(), &[]);
    let mut waiter = Worker::serve(dir.path(), &[]);
    owner.ok("acquire session.jsonl");
    waiter.send("acquire session.jsonl timeout=60000");
    await_waiting(&waiter);
    let (waits, holds) = (total(waiter.pid()), total(owner.pid()));
    std::thread::sleep(Duration::from_secs(10));
    let (waits, holds) = (total(waiter.pid()) - waits, total(owner.pid()) - holds);
    println!("wake-ups in 10 s: waiter {waits}, owner {holds}");
    assert!(waits <= 1 && holds <= 1, "waiter {waits}, owner {holds}");
    let began = Instant::now();
    owner.ok("release session.jsonl");
    waiter.answer().unwrap();
    println!("release to acquire through two pipes {:?}", began.elapsed());
    assert_eq!(waiter.json("stats")["safetyTick"], 0);
}

#[test]
fn what_cannot_be_judged_is_not_polled() {
    let dir = dir();
    std::fs::create_dir(dir.path().join(LOCK)).unwrap();
    let mut waiter = Worker::serve(dir.path(), &[]);
    // Past the grace of a short budget nothing changes any more by waiting.
    waiter.send("acquire session.jsonl timeout=7500");
    std::thread::sleep(Duration::from_millis(5500));
    let before = total(waiter.pid());
    std::thread::sleep(Duration::from_millis(1500));
    let wakes = total(waiter.pid()) - before;
    assert!(wakes <= 10, "{wakes} wake-ups in 1.5 s");
    assert_eq!(waiter.answer().unwrap_err()["code"], "coordination.lock_timeout");
    assert!(dir.path().join(LOCK).is_dir());
}

#[test]
fn a_thousand_waiters_share_one_inotify_descriptor() {
    let dir = dir();
    let mut owner = Worker::start("crowd", dir.path(), &["count=1000", "hold=1"]);
    assert_eq!(owner.line(), "all");
    let mut waiters = Worker::start("crowd", dir.path(), &["count=1000"]);
    assert_eq!(waiters.line(), "waiting");
    let links = std::fs::read_dir(format!("/proc/{}/fd", waiters.pid())).unwrap();
    let inotify = links.filter_map(|link| std::fs::read_link(link.unwrap().path()).ok());
    assert_eq!(inotify.filter(|link| link.to_string_lossy().contains("inotify")).count(), 1);
    owner.send("");
    assert_eq!(waiters.line(), "all");
    waiters.send("");
    let stats: serde_json::Value =
        serde_json::from_str(waiters.line().strip_prefix("stats ").unwrap()).unwrap();
    assert_eq!((&stats["acquired"], &stats["safetyTick"]), (&1000.into(), &0.into()), "{stats}");
}

/// Another program's guard: an empty directory or a file beside the lock. It is respected while it stands, and its end
/// wakes those who wait.
#[test]
fn the_end_of_a_foreign_guard_wakes_the_waiter() {
    for directory in [true, false] {
        let dir = dir();
        let guard = dir.path().join(GUARD);
        if directory {
            std::fs::create_dir(&guard).unwrap();
        } else {
            std::fs::write(&guard, "").unwrap();
        }
        let mut waiter = Worker::serve(dir.path(), &[]);
        let error = waiter.err("acquire session.jsonl timeout=100");
        assert!(error["message"].as_str().unwrap().contains("reclaim guard"), "{error}");
        waiter.send("acquire session.jsonl timeout=50000");
        await_waiting(&waiter);
        let began = Instant::now();
        if directory {
            std::fs::remove_dir(&guard).unwrap();
        } else {
            std::fs::remove_file(&guard).unwrap();
        }
        waiter.answer().unwrap();
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "directory {directory}: {took:?}");
        assert_eq!(waiter.json("stats")["safetyTick"], 0);
    }
}

#[test]
#[ignore = "needs user namespaces"]
fn without_inotify_waiting_falls_back_to_a_timer_and_says_so() {
    for limit in ["max_inotify_instances", "max_inotify_watches"] {
        let dir = dir();
        let mut owner = Worker::serve(dir.path(), &[]);
        let script =
            format!("echo 0 > /proc/sys/user/{limit}; exec \"$0\" \"$@\" 2> {}/log", dir.path().display());
        let before = ["unshare", "--user", "--map-root-user", "sh", "-c", &script];
        let mut waiter = Worker::serve_with(&before, dir.path(), &["log=1"]);
        owner.ok("acquire session.jsonl");
        waiter.send("acquire session.jsonl timeout=20000");
        std::thread::sleep(Duration::from_millis(600));
        owner.ok("release session.jsonl");
        let began = Instant::now();
        waiter.answer().unwrap();
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
        assert!(log.contains("waiting with a timer instead"), "{limit}: {log}");
    }
}
