//! Full disks, read-only mounts, used-up descriptors, refused access: typed errors, and no lock left behind.

use std::path::Path;

use super::{
    support::{LOCK, SESSION, dir, names},
    worker::Worker,
};

/// A worker with a small tmpfs of its own at `DIR/small`.
fn on_small_disk(dir: &Path, options: &str) -> Worker {
    let small = dir.join("small");
    std::fs::create_dir(&small).unwrap();
    let mount = format!("mount -t tmpfs -o {options} none {} && exec \"$@\"", small.display());
    Worker::serve_with(&["unshare", "--mount", "sh", "-c", &mount, "sh"], &small, &[])
}

#[test]
#[ignore = "needs root and mounts"]
fn a_full_disk_leaves_no_lock_and_says_so() {
    let dir = dir();
    let mut worker = on_small_disk(dir.path(), "size=64k");
    worker.ok("shell dd if=/dev/zero of=filler bs=4096 2>/dev/null || true");
    let error = worker.err("acquire session.jsonl timeout=1000");
    assert_eq!(error["code"], "local.disk_full", "{error}");
    assert_eq!(worker.ok("shell ls -A"), "filler");
    worker.ok("shell rm filler");
    worker.ok("acquire session.jsonl timeout=1000");
    worker.ok("append session.jsonl whole");
    // Room for part of the line only: what was written of it is cut off again.
    worker.ok("shell dd if=/dev/zero of=filler bs=4096 2>/dev/null || true");
    let long = "x".repeat(30_000);
    let error = worker.err(&format!("append session.jsonl {long}"));
    assert_eq!(error["code"], "local.disk_full", "{error}");
    worker.ok("shell truncate -s 20480 filler");
    worker.ok("shell dd if=/dev/zero of=filler2 bs=4096 count=6 2>/dev/null || true");
    let error = worker.err(&format!("append session.jsonl {long}"));
    assert_eq!(error["code"], "local.disk_full", "{error}");
    assert_eq!(worker.ok("shell cat session.jsonl"), "whole");
    worker.ok("shell rm filler filler2");
    worker.ok(&format!("append session.jsonl {long}"));
    worker.ok("verify session.jsonl");
    worker.ok("release session.jsonl");
}

#[test]
#[ignore = "needs root and mounts"]
fn no_inodes_left_is_a_full_disk_too() {
    let dir = dir();
    let mut worker = on_small_disk(dir.path(), "size=1m,nr_inodes=4");
    worker.ok("shell touch a b c 2>/dev/null || true");
    let error = worker.err("acquire session.jsonl timeout=1000");
    assert_eq!(error["code"], "local.disk_full", "{error}");
    worker.ok("shell rm c");
    worker.ok("acquire session.jsonl timeout=1000");
    worker.ok("release session.jsonl");
    assert_eq!(worker.ok("shell ls -A"), "a b");
}

#[test]
#[ignore = "needs root and mounts"]
fn a_read_only_mount_is_a_typed_refusal() {
    let dir = dir();
    let mut worker = on_small_disk(dir.path(), "size=64k");
    worker.ok("acquire other.jsonl");
    worker.ok("shell mount -o remount,ro \"$PWD\" 2>&1 || true");
    worker.ok("abandon other.jsonl");
    worker.ok("shell mount -o remount,ro \"$PWD\"");
    let error = worker.err("acquire session.jsonl timeout=1000");
    assert_eq!(error["code"], "local.permission", "{error}");
    assert!(error["message"].as_str().unwrap().contains("read-only"), "{error}");
    // A dead lock there cannot be taken over, and says why.
    let error = worker.err("acquire other.jsonl timeout=1000");
    assert_eq!(error["code"], "local.permission", "{error}");
    worker.ok("inspect other.jsonl");
    worker.ok("sweep");
    assert_eq!(worker.ok("shell ls -A"), "other.jsonl.lock");
}

#[test]
#[ignore = "needs root and another uid"]
fn a_directory_that_may_not_be_written_is_a_typed_refusal() {
    let dir = dir();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let before = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let mut worker = Worker::serve_with(&before, dir.path(), &[]);
    let error = worker.err("acquire session.jsonl timeout=1000");
    assert_eq!(error["code"], "local.permission", "{error}");
    assert_eq!(names(dir.path()), Vec::<String>::new());
}

/// With every number of descriptors left: it works, or it says that they are used up, and nothing stays behind.
#[test]
fn used_up_descriptors_are_a_typed_refusal_and_leave_nothing() {
    let (mut refused, mut had) = (0, 0);
    for left in 0..10 {
        let dir = dir();
        let mut worker = Worker::serve(dir.path(), &[]);
        // The threads and descriptors that a process has for good are there from the first acquisition on.
        worker.ok("acquire warm.jsonl");
        worker.ok("release warm.jsonl");
        worker.ok(&format!("files {left}"));
        match worker.ask("acquire session.jsonl timeout=300") {
            Ok(_) => {
                had += 1;
                worker.ok("release session.jsonl");
            }
            Err(error) => {
                refused += 1;
                assert_eq!(error["code"], "local.config", "{left} left: {error}");
                assert!(error["message"].as_str().unwrap().contains("ulimit"), "{error}");
            }
        }
        assert_eq!(names(dir.path()), Vec::<String>::new(), "{left} left");
    }
    assert!(refused > 0 && had > 0, "{refused} refused, {had} had");
}

/// The same while a dead lock has to be taken over.
#[test]
fn used_up_descriptors_during_a_reclaim_leave_the_dead_lock_or_none() {
    for left in 0..10 {
        let dir = dir();
        super::stopped::leave_a_dead_lock(dir.path());
        let mut worker = Worker::serve(dir.path(), &["guard=1"]);
        worker.ok("acquire warm.jsonl");
        worker.ok("release warm.jsonl");
        worker.ok(&format!("files {left}"));
        let answer = worker.ask("acquire session.jsonl timeout=300");
        if let Err(error) = &answer {
            assert_eq!(error["code"], "local.config", "{left} left: {error}");
            assert_eq!(names(dir.path()), [LOCK], "{left} left");
        } else {
            worker.ok("release session.jsonl");
            assert_eq!(names(dir.path()), Vec::<String>::new(), "{left} left");
        }
        drop(worker);
        let mut next = Worker::serve(dir.path(), &[]);
        next.ok("acquire session.jsonl timeout=1000");
        next.ok("append session.jsonl x");
        next.ok("release session.jsonl");
        assert_eq!(names(dir.path()), [SESSION]);
    }
}
