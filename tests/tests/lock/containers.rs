//! Containers as the kernel makes them: other pid, user and time namespaces, and overlay mounts, over one directory.

use rustix::process::{Pid, Signal, kill_process};

use super::{
    support::{LOCK, dir},
    worker::Worker,
};

/// A pid namespace of its own; the worker is pid 1 in it, with its own /proc.
const CONTAINER: &[&str] = &["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
const NOBODY: &[&str] = &["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];

/// The worker behind `unshare --fork`, as this namespace numbers it.
fn inner(worker: &Worker) -> Pid {
    let path = format!("/proc/{0}/task/{0}/children", worker.pid());
    let children = std::fs::read_to_string(path).unwrap();
    Pid::from_raw(children.trim().parse().unwrap()).unwrap()
}

fn live(judge: &mut Worker, what: &str) {
    let view = &judge.json("inspect session.jsonl")[0];
    assert_eq!((&view["state"], &view["removable"]), (&"live".into(), &false.into()), "{what}: {view}");
    assert_eq!(
        judge.err("acquire session.jsonl timeout=120 run=judge")["code"],
        "coordination.lock_timeout",
        "{what}"
    );
    assert_eq!(judge.json("sweep")[0]["action"], "kept", "{what}");
}

fn dead(judge: &mut Worker, what: &str) {
    let view = &judge.json("inspect session.jsonl")[0];
    assert_eq!((&view["state"], &view["removable"]), (&"dead".into(), &true.into()), "{what}: {view}");
    judge.ok("acquire session.jsonl timeout=1000 run=judge");
    judge.ok("release session.jsonl");
}

/// Every pair of places: the holder reads as live, then, killed, as dead, and the judge goes on at once.
#[test]
#[ignore = "needs root and namespaces"]
fn the_living_and_the_dead_are_told_apart_across_namespaces() {
    let shifted =
        [&["unshare", "--time", "--boottime", "100000", "--fork", "--kill-child"][..], &[]].concat();
    let places: [(&str, &[&str]); 3] =
        [("the host", &[]), ("a pid namespace", CONTAINER), ("a time namespace", &shifted)];
    for (held_in, before) in places {
        for (judged_in, judge_before) in places {
            let what = format!("held in {held_in}, judged in {judged_in}");
            let dir = dir();
            let mut owner = Worker::serve_with(before, dir.path(), &[]);
            let mut judge = Worker::serve_with(judge_before, dir.path(), &[]);
            owner.ok("acquire session.jsonl");
            live(&mut judge, &what);
            let pid = if before.is_empty() { Pid::from_raw(owner.pid()).unwrap() } else { inner(&owner) };
            kill_process(pid, Signal::STOP).unwrap();
            live(&mut judge, &format!("{what}, stopped"));
            kill_process(pid, Signal::KILL).unwrap();
            // `unshare` waits for its child, so after it the child is gone.
            owner.wait();
            dead(&mut judge, &what);
        }
    }
}

/// Both are pid 1 on one host name: the restarted container is not its predecessor.
#[test]
#[ignore = "needs root and namespaces"]
fn a_restarted_container_with_the_same_pid_takes_over_at_once() {
    let dir = dir();
    let mut first = Worker::serve_with(CONTAINER, dir.path(), &[]);
    first.ok("acquire session.jsonl");
    let record = std::fs::read_to_string(dir.path().join(LOCK)).unwrap();
    assert!(record.contains("\"pid\": 1,"), "{record}");
    kill_process(inner(&first), Signal::KILL).unwrap();
    first.wait();
    let mut second = Worker::serve_with(CONTAINER, dir.path(), &[]);
    second.ok("acquire session.jsonl timeout=1000");
    assert_eq!(second.json("stats")["reclaimed"], 1);
    let mut third = Worker::serve_with(CONTAINER, dir.path(), &[]);
    live(&mut third, "another container, both pid 1");
}

#[test]
#[ignore = "needs root and another uid"]
fn another_user_sees_a_live_lock_as_unprovable_and_never_removes_it() {
    let dir = dir();
    let mut owner = Worker::serve(dir.path(), &[]);
    let mut nobody = Worker::serve_with(NOBODY, dir.path(), &[]);
    owner.ok("acquire session.jsonl");
    let view = &nobody.json("inspect session.jsonl")[0];
    assert_eq!((&view["state"], &view["removable"]), (&"unknown".into(), &false.into()), "{view}");
    let error = nobody.err("acquire session.jsonl timeout=150");
    assert_eq!(error["code"], "coordination.lock_timeout", "{error}");
    assert_eq!(error["staleReasons"][0], "unverifiable-owner", "{error}");
    owner.kill();
    // Even dead: what cannot be looked at is not removed.
    assert_eq!(nobody.err("acquire session.jsonl timeout=150")["code"], "coordination.lock_timeout");
    assert_eq!(nobody.json("sweep")[0]["action"], "kept");
    // Root may look at everybody's.
    let dir = super::support::dir();
    let mut nobody = Worker::serve_with(NOBODY, dir.path(), &[]);
    let mut root = Worker::serve(dir.path(), &[]);
    nobody.ok("acquire session.jsonl");
    live(&mut root, "of another user");
    nobody.kill();
    dead(&mut root, "of another user");
}

/// A record without our marker whose pid belongs to another user: EPERM means alive, even where /proc hides it.
#[test]
#[ignore = "needs root and another uid"]
fn a_pid_that_may_not_be_signalled_is_alive() {
    let hidden = "mount -t proc -o hidepid=2 none /proc && exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"";
    let hiding: &[&str] = &["unshare", "--mount", "sh", "-c", hidden, "sh"];
    for (before, pid) in [(NOBODY, "alive"), (hiding, "not-permitted")] {
        let dir = dir();
        let record = super::support::foreign_record(1, &super::support::iso_in(0), None);
        std::fs::write(dir.path().join(LOCK), record).unwrap();
        // Owned by the judge, so that the lease can be asked and is free; what is left is the pid.
        std::os::unix::fs::chown(dir.path().join(LOCK), Some(65534), Some(65534)).unwrap();
        let mut nobody = Worker::serve_with(before, dir.path(), &[]);
        let view = &nobody.json("inspect session.jsonl")[0];
        assert_eq!((&view["state"], &view["evidence"]["lease"]), (&"live".into(), &"free".into()), "{view}");
        assert_eq!(view["evidence"]["pid"], pid, "{view}");
        assert_eq!(nobody.err("acquire session.jsonl timeout=100")["code"], "coordination.lock_timeout");
    }
}

/// The owner works in the upper directory, the judge looks through the overlay: the kernel says "free" about a live lock,
/// and the device number in the record is what gives it away.
#[test]
#[ignore = "needs root and mounts"]
fn a_lock_seen_through_an_overlay_is_unknown_and_stays() {
    let dir = dir();
    for name in ["lower", "upper", "work", "merged"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
    }
    let merged = dir.path().join("merged");
    let mount = format!(
        "cd {} && mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged && exec \"$@\"",
        dir.path().display()
    );
    let through: &[&str] = &["unshare", "--mount", "sh", "-c", &mount, "sh"];
    let mut owner = Worker::serve(&dir.path().join("upper"), &[]);
    owner.ok("acquire session.jsonl");
    let mut judge = Worker::serve_with(through, &merged, &[]);
    let view = &judge.json("inspect session.jsonl")[0];
    assert_eq!((&view["state"], &view["removable"]), (&"unknown".into(), &false.into()), "{view}");
    assert_eq!(view["staleReasons"][0], "unverifiable-owner");
    assert_eq!(view["evidence"]["flock"], "free", "otherwise this test proves nothing: {view}");
    assert_eq!(judge.json("sweep")[0]["action"], "kept");
    assert_eq!(judge.err("acquire session.jsonl timeout=150")["code"], "coordination.lock_timeout");
    owner.ok("append session.jsonl mine");
    owner.ok("release session.jsonl");
    // Both through one overlay: as good as any file system.
    drop(judge);
    let mut both = Worker::serve_with(through, &merged, &[]);
    both.ok("acquire session.jsonl timeout=1000");
    both.ok("append session.jsonl through the overlay");
    let view = &both.json("inspect session.jsonl")[0];
    assert_eq!(view["state"], "live", "{view}");
    both.ok("abandon session.jsonl");
    let view = &both.json("inspect session.jsonl")[0];
    assert_eq!((&view["state"], &view["removable"]), (&"dead".into(), &true.into()), "{view}");
    both.ok("acquire session.jsonl timeout=1000");
}
