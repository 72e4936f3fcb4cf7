//! Storms together with the other program's own lock library, from its registry: killed processes of both kinds, one lock.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    support::{dir, names, violations},
    worker::Worker,
};

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

fn node(package: &str, dir: &Path, id: usize) -> Worker {
    let modules = peers().join("node_modules");
    assert!(modules.exists(), "run `npm ci --prefix tests/peers` first, as .ci/run does");
    let script = peers().join("peer.mjs");
    let dir = dir.display().to_string();
    Worker::command(&["node", &script.display().to_string(), package, &dir, &format!("n{id}"), "600000"])
}

fn rust(dir: &Path, id: usize) -> Worker {
    let id = format!("id=r{id}");
    Worker::start("cycle", dir, &[id.as_str(), "guard=1", "section=1", "hold_us=500", "timeout=120000"])
}

/// Two processes of each kind, one of them killed every 80 ms; what each kind entered.
fn storm(package: &str, dir: &Path, length: Duration) -> (usize, usize, usize) {
    let start = |slot: usize, id: usize| if slot < 2 { node(package, dir, id) } else { rust(dir, id) };
    let mut workers: Vec<_> = (0..4).map(|slot| start(slot, slot)).collect();
    let (end, mut kills, mut acknowledged) = (Instant::now() + length, 0, Vec::new());
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(if kills < 4 { 700 } else { 80 }));
        // A Node process takes some 100 ms to start, so it is killed more rarely.
        let slot = if kills % 7 == 0 { kills / 7 % 2 } else { 2 + kills % 2 };
        workers[slot].kill();
        kills += 1;
        let fresh = start(slot, 4 + kills);
        acknowledged.extend(std::mem::replace(&mut workers[slot], fresh).rest());
    }
    for mut worker in workers {
        worker.kill();
        acknowledged.extend(worker.rest());
    }
    let of = |kind: &str| acknowledged.iter().filter(|line| line.starts_with(kind)).count();
    (of("ack n"), of("ack r"), kills)
}

#[test]
#[ignore = "needs node and the npm registry"]
fn a_mixed_storm_with_guarded_peers_doubles_and_loses_nothing() {
    let dir = dir();
    let (theirs, ours, kills) = storm("fs-safe-guarded", dir.path(), Duration::from_secs(20));
    println!("{theirs} entries of theirs, {ours} of ours, {kills} kills");
    assert!(theirs > 20 && ours > 100, "{theirs} and {ours}");
    assert_eq!(violations(dir.path()), Vec::<String>::new());
    let mut last = Worker::serve(dir.path(), &["guard=1"]);
    last.ok("acquire session.jsonl timeout=15000");
    last.ok("release session.jsonl");
    last.ok("sweep");
    let left: Vec<_> =
        names(dir.path()).into_iter().filter(|name| !name.contains(".torn-") && name != "section").collect();
    assert_eq!(left, ["session.jsonl"]);
}

/// Older ones delete by path without a guard. Nobody can keep them from it; what they take is noticed before the next write.
#[test]
#[ignore = "needs node and the npm registry"]
fn a_live_lock_of_ours_is_respected_by_both_generations_of_peers() {
    for package in ["fs-safe-guarded", "fs-safe-unguarded"] {
        let dir = dir();
        let mut ours = Worker::serve(dir.path(), &["guard=1"]);
        ours.ok("acquire session.jsonl");
        let mut peer = node(package, dir.path(), 0);
        assert_eq!(peer.line_within(Duration::from_secs(2)), None, "{package} went past a live lock");
        ours.ok("append session.jsonl mine");
        ours.ok("release session.jsonl");
        assert!(peer.line().starts_with("ack n0"), "{package}");
        // And the other way round, stopped: still theirs.
        peer.stop();
        peer.kill();
        ours.ok("acquire session.jsonl timeout=15000");
    }
}
