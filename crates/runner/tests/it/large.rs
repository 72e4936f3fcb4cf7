//! Transcripts that are larger than anybody wants to read.

use std::{io::Write, os::unix::fs::FileExt, path::Path, time::SystemTime};

use moorline_runner::{Jsonl, NewSession, Opening, RunOutcome, fork_session, read_session, scan_session};

use crate::{
    child::{Child, say},
    support::{Scripted, Site},
};

const GIB: u64 = 1024 * 1024 * 1024;

/// A header, a hole, then 40 MiB of conversation, in `len` bytes. The hole is one line that nobody can read.
fn large(path: &Path, len: u64) {
    let mut file = std::fs::File::create(path).unwrap();
    writeln!(file, r#"{{"type":"session","version":3,"id":"s1","timestamp":"t","cwd":"/"}}"#).unwrap();
    let text = "x".repeat(1000);
    let mut tail = String::from("\n");
    let mut n = 0;
    while tail.len() < 40 * 1024 * 1024 {
        let parent = if n == 0 { "null".into() } else { format!("\"e{}\"", n - 1) };
        let role = if n % 2 == 0 { "user" } else { "assistant" };
        tail.push_str(&format!(
            "{{\"type\":\"message\",\"id\":\"e{n}\",\"parentId\":{parent},\"message\":{{\"role\":\"{role}\",\"content\":\"{text}\"}}}}\n"
        ));
        n += 1;
    }
    file.write_all_at(tail.as_bytes(), len - tail.len() as u64).unwrap();
    assert_eq!(file.metadata().unwrap().len(), len);
}

fn gibibyte(path: &Path) {
    large(path, GIB);
}

#[tokio::test]
async fn a_fork_of_a_large_session_begins_with_what_its_model_would_see() {
    let site = Site::new();
    large(&site.path, 41 * 1024 * 1024);
    let before = read_session(&site.path).unwrap();
    assert!(before.is_cut());
    let child = Site::new();
    let new = NewSession {
        id: "s1".into(),
        session_key: "agent:main:subagent:c".into(),
        cwd: "/".into(),
        parent_session: None,
    };
    fork_session(&child.locks, &site.path, &child.path, &new, SystemTime::now()).await.unwrap();
    let after = read_session(&child.path).unwrap();
    assert!(!after.is_cut() && after.len() <= 33 * 1024 * 1024, "{} bytes", after.len());
    let ids = |session: &moorline_runner::Session| {
        session.branch().map(|entry| entry.id().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&after), ids(&before));
    assert_eq!(after.branch().next().unwrap().parent_id(), None);
    assert!(matches!(
        child.run(&child.turn("r1", "hi"), &Scripted::says("ok")).await,
        RunOutcome::Replied(_)
    ));
}

#[tokio::test]
async fn a_leaf_that_was_moved_to_before_the_window_is_gone_on_from() {
    let site = Site::new();
    let line = |id: &str, parent: &str| {
        format!(
            "{{\"type\":\"message\",\"id\":\"{id}\",\"parentId\":{parent},\"message\":{{\"role\":\"user\",\"content\":\"{id}\"}}}}\n"
        )
    };
    std::fs::write(&site.path, format!("{}{}", line("1", "null"), line("2", "\"1\""))).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&site.path).unwrap();
    for mib in [20, 40] {
        file.write_all_at(b"\n", mib * 1024 * 1024).unwrap();
    }
    crate::support::foreign(
        &site.path,
        &serde_json::json!({"type": "leaf", "id": "l", "parentId": "2", "targetId": "1"}),
    );
    assert_eq!(read_session(&site.path).unwrap().leaf(), Some("1"));
    assert!(matches!(site.run(&site.turn("r1", "hi"), &Scripted::says("ok")).await, RunOutcome::Replied(_)));
    let user = site.entries().into_iter().rev().nth(1).unwrap();
    assert_eq!((user.text().as_str(), user.parent_id()), ("hi", Some("1")));
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// The child: opens, runs a turn, and says how much memory that took.
pub fn child(path: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let session = read_session(Path::new(path)).unwrap();
    assert!(session.is_cut());
    let entries = session.entries().len();
    drop(session);
    let opened = runtime.block_on(async {
        let locks = moorline_lock_core::Locks::new(moorline_lock_core::LockConfig::default());
        let tag = moorline_lock_core::RunTag::new("r1");
        let opening = Opening::new(&locks, path.into(), tag, std::sync::Arc::new(Jsonl));
        let attempt = moorline_runner::Attempt::acquire(opening).await.unwrap();
        let (attempt, _) =
            attempt.release_for_prompt().await.unwrap().reacquire_after_prompt().await.unwrap();
        attempt.finish().await
    });
    opened.unwrap();
    say(&format!("{entries} {}", peak_mib()));
}

#[test]
fn a_gibibyte_is_opened_in_bounded_memory() {
    let site = Site::new();
    gibibyte(&site.path);
    let mut child = Child::start("large", site.path.to_str().unwrap());
    let said = child.says().expect("the child ends well");
    let (entries, peak) = said.split_once(' ').unwrap();
    let peak: u64 = peak.parse().unwrap();
    println!("entries in the window {entries}, peak memory {peak} MiB");
    assert!(peak < 200, "peak memory {peak} MiB");
    child.end();
}

#[tokio::test]
#[ignore = "reads a gibibyte line by line, which takes a while without optimisation"]
async fn a_gibibyte_is_run_and_scanned() {
    let site = Site::new();
    gibibyte(&site.path);
    let outcome = site.run(&site.turn("r1", "hi"), &Scripted::says("ok")).await;
    assert!(matches!(outcome, RunOutcome::Replied(_)), "{outcome:?}");
    let last = scan_session(&site.path).unwrap().last().unwrap().unwrap();
    assert_eq!(last.text(), "ok");
}
