//! Stopped processes and jumping clocks: a lock whose owner lives is reported, never taken.

use std::path::Path;

use super::{
    support::{LOCK, SESSION, dir},
    worker::Worker,
};

fn bytes(dir: &Path) -> Vec<u8> {
    std::fs::read(dir.join(LOCK)).unwrap()
}

/// The contender sees a live stale lock: it reports, a sweep and an inspection leave it, nothing changes on disk.
fn reported_and_left(dir: &Path, contender: &mut Worker, reasons: &[&str]) {
    let before = bytes(dir);
    let error = contender.err("acquire session.jsonl timeout=2000 on_stale=report run=other");
    assert_eq!(error["code"], "coordination.lock_stale", "{error}");
    assert_eq!(error["staleReasons"].as_array().unwrap(), reasons, "{error}");
    assert_eq!(error["relation"], "another live process");
    assert!(error["waitedMs"].as_u64().unwrap() < 1900, "reported at once: {error}");
    // With the other policy the whole budget is used first; then it is stale rather than a timeout.
    let error = contender.err("acquire session.jsonl timeout=150 on_stale=wait run=other");
    assert_eq!(error["code"], "coordination.lock_stale", "{error}");
    assert!(error["waitedMs"].as_u64().unwrap() >= 150, "{error}");
    let view = &contender.json("inspect session.jsonl")[0];
    assert_eq!(
        (&view["state"], &view["removable"], &view["stale"]),
        (&"stale".into(), &false.into(), &true.into())
    );
    let swept = contender.json("sweep");
    assert_eq!(swept[0]["action"], "kept", "{swept}");
    assert_eq!(bytes(dir), before);
}

#[test]
fn an_owner_stopped_past_its_hold_and_its_age_keeps_its_lock_and_goes_on() {
    let dir = dir();
    let mut owner = Worker::serve(dir.path(), &[]);
    let mut contender = Worker::serve(dir.path(), &["stale=60"]);
    owner.ok("acquire session.jsonl max_hold=30");
    owner.ok("append session.jsonl one");
    owner.stop();
    // The wait for the thresholds is the contender's own: it sleeps until the lock becomes reportable.
    let error = contender.err("acquire session.jsonl timeout=5000 on_stale=report run=other");
    assert_eq!(error["code"], "coordination.lock_stale", "{error}");
    std::thread::sleep(std::time::Duration::from_millis(80));
    reported_and_left(dir.path(), &mut contender, &["too-old", "hold-exceeded"]);
    owner.resume();
    owner.ok("append session.jsonl two");
    owner.ok("release session.jsonl");
    contender.ok("acquire session.jsonl timeout=1000");
    contender.ok("append session.jsonl three");
    contender.ok("release session.jsonl");
    assert_eq!(std::fs::read_to_string(dir.path().join(SESSION)).unwrap(), "one\ntwo\nthree\n");
}

#[test]
#[ignore = "needs faketime"]
fn a_clock_ten_days_ahead_reports_a_live_lock_and_never_takes_it() {
    for (owner_clock, contender_clock) in [("+0d", "+10d"), ("-10d", "+0d")] {
        let dir = dir();
        let mut owner = Worker::serve_with(&["faketime", "-f", owner_clock], dir.path(), &[]);
        let mut contender = Worker::serve_with(&["faketime", "-f", contender_clock], dir.path(), &[]);
        owner.ok("acquire session.jsonl");
        reported_and_left(dir.path(), &mut contender, &["too-old", "hold-exceeded"]);
        owner.ok("append session.jsonl still mine");
        owner.ok("release session.jsonl");
        contender.ok("acquire session.jsonl timeout=1000");
    }
}

#[test]
#[ignore = "needs faketime"]
fn a_clock_behind_makes_no_lock_stale() {
    let dir = dir();
    let mut owner = Worker::serve(dir.path(), &[]);
    let mut contender = Worker::serve_with(&["faketime", "-f", "-10d"], dir.path(), &[]);
    owner.ok("acquire session.jsonl");
    let error = contender.err("acquire session.jsonl timeout=100 on_stale=report run=other");
    assert_eq!(error["code"], "coordination.lock_timeout", "{error}");
}

/// Leaves a lock whose owner is dead.
pub(crate) fn leave_a_dead_lock(dir: &Path) {
    let mut dead = Worker::serve(dir, &[]);
    dead.ok("acquire session.jsonl");
    dead.kill();
    assert!(dir.join(LOCK).exists());
}

#[test]
fn a_stopped_reclaimer_is_waited_for_and_a_killed_one_is_passed() {
    let points = ["flocked", "guarded", "checked", "aside", "exchanged", "removed"];
    for (point, guard) in points.into_iter().flat_map(|point| [(point, "guard=0"), (point, "guard=1")]) {
        for end_it in [false, true] {
            let dir = dir();
            leave_a_dead_lock(dir.path());
            let fail = format!("fail=reclaim.{point}:stop");
            let mut reclaimer = Worker::serve(dir.path(), &[&fail, guard]);
            let mut other = Worker::serve(dir.path(), &[guard]);
            reclaimer.send("acquire session.jsonl");
            reclaimer.await_state("T");
            let error = other.err("acquire session.jsonl timeout=120");
            assert_eq!(error["code"], "coordination.lock_timeout", "{point} {guard}: {error}");
            if end_it {
                reclaimer.kill();
            } else {
                reclaimer.resume();
                reclaimer.answer().unwrap();
                reclaimer.ok("append session.jsonl reclaimed");
                reclaimer.ok("release session.jsonl");
            }
            other.ok("acquire session.jsonl timeout=1000");
            other.ok("append session.jsonl other");
            other.ok("release session.jsonl");
            assert_eq!(other.json("stats")["safetyTick"], 0);
        }
    }
}
