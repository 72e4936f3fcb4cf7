//! Things at the lock's path that nobody should put there: a typed error or a report, never a panic, never a removal.

use std::{
    os::unix::{
        fs::{FileTypeExt, PermissionsExt, symlink},
        net::UnixListener,
    },
    path::Path,
    process::Command,
};

use super::{
    support::{GUARD, LOCK, SESSION, dir, names},
    worker::Worker,
};

/// Tries everything a contender can do; the lock must not be had, and what is there must stay.
fn stays(dir: &Path, worker: &mut Worker, what: &str) -> String {
    let there =
        |name: &str| std::fs::symlink_metadata(dir.join(name)).map(|meta| (meta.file_type(), meta.len()));
    let before = there(LOCK).unwrap();
    let error = worker.err("acquire session.jsonl timeout=150 on_stale=report");
    assert_eq!(error["code"], "coordination.lock_timeout", "{what}: {error}");
    let view = &worker.json("inspect session.jsonl")[0];
    assert_eq!((&view["state"], &view["removable"]), (&"unknown".into(), &false.into()), "{what}: {view}");
    assert!(view["evidence"]["lease"].is_string(), "{what}: {view}");
    assert_eq!(worker.json("inspect .").as_array().unwrap().len(), 1, "{what}");
    let swept = worker.json("sweep");
    assert_eq!(swept[0]["action"], "kept", "{what}: {swept}");
    assert_eq!(there(LOCK).unwrap(), before, "{what}");
    error["message"].as_str().unwrap().to_owned()
}

#[test]
fn hostile_files_at_the_locks_path_are_reported_and_stay() {
    let contents = [
        ("more than 64 KiB", vec![b' '; 70_000]),
        ("a valid record behind 64 KiB of space", [vec![b' '; 66_000], b"{\"pid\":1}".to_vec()].concat()),
        ("deep JSON", b"[".repeat(60_000)),
        ("deep objects", b"{\"a\":".repeat(12_000)),
        ("NUL", vec![0; 512]),
        ("not UTF-8", vec![0xff; 512]),
        ("wrong types", b"{\"pid\":\"1\",\"createdAt\":1,\"flock\":\"1\"}".to_vec()),
        (
            "numbers out of range",
            b"{\"pid\":4294967297,\"createdAt\":\"9999999-01-01T00:00:00Z\",\"maxHoldMs\":-1}".to_vec(),
        ),
        (
            "lines and commands",
            br#"{"runId":"r\nERROR all is lost","sessionKey":"s\u001b[2J","pid":0}"#.to_vec(),
        ),
        ("a duplicate key", b"{\"pid\":1,\"pid\":\"x\",\"createdAt\":\"now\"}".to_vec()),
    ];
    for (what, bytes) in contents {
        let dir = dir();
        std::fs::write(dir.path().join(LOCK), &bytes).unwrap();
        let message = stays(dir.path(), &mut Worker::serve(dir.path(), &[]), what);
        assert_eq!(message.contains("larger than any lock"), bytes.len() > 65_536, "{what}: {message}");
        assert!(!message.contains(char::is_control), "{what}: {message:?}");
        assert_eq!(message.contains("all is lost"), what == "lines and commands", "{what}: {message}");
        assert_eq!(std::fs::read(dir.path().join(LOCK)).unwrap(), bytes, "{what}");
    }
}

#[test]
fn things_that_are_no_files_are_reported_and_stay() {
    type Make = fn(&Path);
    let things: [(&str, &str, Make); 6] = [
        ("a dangling symlink", "a symbolic link", |path| symlink("/nowhere/at/all", path).unwrap()),
        ("a symlink to a file", "a symbolic link", |path| {
            std::fs::write(path.with_file_name("victim"), "precious").unwrap();
            symlink("victim", path).unwrap();
        }),
        ("a symlink to itself", "a symbolic link", |path| symlink(LOCK, path).unwrap()),
        ("a directory", "a directory", |path| std::fs::create_dir(path).unwrap()),
        ("a FIFO", "a FIFO", |path| {
            assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
        }),
        ("a socket", "a FIFO, socket", |path| drop(UnixListener::bind(path).unwrap())),
    ];
    for (what, said, make) in things {
        let dir = dir();
        make(&dir.path().join(LOCK));
        let message = stays(dir.path(), &mut Worker::serve(dir.path(), &[]), what);
        assert!(message.contains(said), "{what}: {message}");
        if let Ok(victim) = std::fs::read_to_string(dir.path().join("victim")) {
            assert_eq!(victim, "precious");
        }
        let kind = std::fs::symlink_metadata(dir.path().join(LOCK)).unwrap().file_type();
        assert!(kind.is_symlink() || kind.is_dir() || kind.is_fifo() || kind.is_socket());
    }
}

#[test]
fn hostile_guards_are_named_and_stay() {
    let dir = dir();
    let guard = dir.path().join(GUARD);
    let mut worker = Worker::serve(dir.path(), &["guard=1"]);
    symlink("/nowhere", &guard).unwrap();
    let error = worker.err("acquire session.jsonl timeout=100");
    assert_eq!(error["code"], "local.config", "{error}");
    assert!(error["message"].as_str().unwrap().contains("reclaim guard"), "{error}");
    std::fs::remove_file(&guard).unwrap();
    std::fs::write(&guard, vec![b'x'; 100_000]).unwrap();
    let error = worker.err("acquire session.jsonl timeout=100");
    assert_eq!(error["code"], "coordination.lock_timeout", "{error}");
    assert!(error["message"].as_str().unwrap().len() < 1000, "{error}");
    std::fs::remove_file(&guard).unwrap();
    // It claims to be ours, but is not locked and holds more than ours does.
    std::fs::create_dir(&guard).unwrap();
    std::fs::create_dir(guard.join("owner.json")).unwrap();
    let error = worker.err("acquire session.jsonl timeout=100");
    assert!(
        error["code"].as_str().unwrap().starts_with("local.") || error["code"] == "coordination.lock_timeout",
        "{error}"
    );
    assert!(guard.join("owner.json").is_dir());
}

#[test]
fn names_that_look_like_ours_are_not_swept_by_their_look() {
    let dir = dir();
    let nonce = "0".repeat(32);
    // Not of our form, in one way each.
    let innocent = [
        format!(".a.{}.x", &nonce[1..]),
        format!("a.{nonce}.x"),
        format!(".a.{nonce}.y"),
        ".a.g.x".to_owned(),
    ];
    for name in &innocent {
        std::fs::write(dir.path().join(name), "mine").unwrap();
    }
    let kept = dir.path().join(format!(".a.{nonce}.x"));
    // Of our form, but somebody writes to it.
    let _writer = std::fs::File::create(&kept).unwrap();
    std::fs::write(&kept, "being written").unwrap();
    let mut worker = Worker::serve(dir.path(), &[]);
    worker.ok("sweep");
    assert!(kept.exists());
    assert!(innocent.iter().all(|name| dir.path().join(name).exists()), "{:?}", names(dir.path()));
}

#[test]
fn paths_that_cannot_be_locked_are_refused_typed() {
    let dir = dir();
    let mut worker = Worker::serve(dir.path(), &[]);
    symlink("elsewhere", dir.path().join(SESSION)).unwrap();
    for name in ["session.jsonl", "no/such/directory/a.jsonl", "..", &"n".repeat(230)] {
        let answer = worker.ask(&format!("acquire {name} timeout=100"));
        assert!(answer.is_err(), "{name}: {answer:?}");
    }
}

#[test]
#[ignore = "needs root and another uid"]
fn an_unreadable_lock_of_another_owner_is_reported_and_stays() {
    let dir = dir();
    let lock = dir.path().join(LOCK);
    std::fs::write(&lock, "").unwrap();
    std::fs::set_permissions(&lock, std::fs::Permissions::from_mode(0o600)).unwrap();
    let before = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let mut worker = Worker::serve_with(&before, dir.path(), &[]);
    let message = stays(dir.path(), &mut worker, "unreadable");
    assert!(message.contains("a file that this user may not read"), "{message}");
    // Readable, but not theirs: the lease is refused for want of permission, which proves nothing.
    std::fs::set_permissions(&lock, std::fs::Permissions::from_mode(0o644)).unwrap();
    stays(dir.path(), &mut worker, "readable, of another owner");
}
