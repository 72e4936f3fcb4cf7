//! A crash between any two system calls of acquire, reclaim and release: the next process goes on within a second.

use std::time::{Duration, Instant};

use moorline_lock_core::failpoint::POINTS;

use super::{
    stopped::leave_a_dead_lock,
    support::{dir, names},
    worker::Worker,
};

/// Crashes a worker at `point`, and returns how long a fresh one then takes for the lock.
fn crash(point: &str, action: &str, args: &[&str]) -> Duration {
    let dir = dir();
    let reclaims = point.starts_with("reclaim.") || point.starts_with("guard.");
    if reclaims {
        leave_a_dead_lock(dir.path());
    }
    let fail = format!("fail={point}:{action}");
    let mut crashing = Worker::serve(dir.path(), &[&[fail.as_str()], args].concat());
    let mut fresh = Worker::serve(dir.path(), args);
    if point.starts_with("release.") {
        crashing.ok("acquire session.jsonl");
        crashing.send("release session.jsonl");
    } else {
        crashing.send("acquire session.jsonl");
    }
    assert!(!crashing.wait().success(), "{point} was not reached");
    let began = Instant::now();
    fresh.ok("acquire session.jsonl timeout=10000");
    let took = began.elapsed();
    fresh.ok("append session.jsonl after the crash");
    fresh.ok("release session.jsonl");
    fresh.ok("sweep");
    let left = names(dir.path());
    assert_eq!(left, ["session.jsonl"], "{point} {args:?}: litter after a sweep");
    assert_eq!(fresh.json("stats")["safetyTick"], 0);
    took
}

#[test]
fn a_crash_at_any_point_is_recovered_from_within_a_second() {
    let mut slowest = (Duration::ZERO, String::new());
    for args in [&["guard=0"][..], &["guard=1"]] {
        for point in POINTS {
            if point.starts_with("guard.") && args == ["guard=0"] {
                continue;
            }
            for action in ["kill", "abort"] {
                let took = crash(point, action, args);
                if took > slowest.0 {
                    slowest = (took, format!("{point} {args:?}"));
                }
            }
        }
    }
    println!("slowest recovery {:?} at {}", slowest.0, slowest.1);
    assert!(slowest.0 < Duration::from_secs(1), "{slowest:?}");
}

#[test]
fn a_crash_in_the_fallbacks_is_recovered_from_too() {
    // Without unnamed files the candidate has a private name from the start; before it is locked and written it cannot be
    // told from one in the making, so only the later points are free of litter at once.
    for publish in ["publish=rename", "publish=link"] {
        for point in ["acquire.written", "acquire.published", "release.checked", "release.unlinked"] {
            assert!(crash(point, "kill", &[publish]) < Duration::from_secs(1), "{publish} {point}");
        }
        for point in ["reclaim.flocked", "reclaim.checked"] {
            let args = [publish, "reclaim=unlink"];
            assert!(crash(point, "kill", &args) < Duration::from_secs(1), "{publish} {point}");
        }
    }
}
