//! The lock and the journal in one process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

use std::{path::Path, sync::Arc, time::Duration};

use moorline_lock_core::{
    Change, Durability, Held, Journal, JournalError, LockConfig, LockError, Locks, LostHow, Observer,
    OnHoldExceeded, OnStale, Relation, ReleaseError, Report, RunTag, Target, Wait,
};

fn target(dir: &Path) -> Target {
    Target::sidecar_of(&dir.join("session.jsonl")).unwrap()
}

fn short(ms: u64) -> Wait {
    Wait { timeout: Some(Duration::from_millis(ms)), ..Wait::default() }
}

#[tokio::test]
async fn a_lock_is_a_complete_record_while_held_and_nothing_after() {
    let dir = tempfile::tempdir().unwrap();
    let target = target(dir.path());
    let locks = Locks::new(LockConfig::default());
    let held = locks.acquire(&target, &RunTag::new("r1").in_session("agent:a:b")).await.unwrap();
    let text = std::fs::read_to_string(target.lock_path()).unwrap();
    assert!(text.contains("\"runId\": \"r1\"") && text.ends_with("}\n"), "{text}");
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(target.lock_path()).unwrap().permissions()
        ) & 0o777,
        0o600
    );
    held.verify().unwrap();
    held.release().await.unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn thirty_two_tasks_are_exclusive_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let target = target(dir.path());
    let locks = Locks::new(LockConfig::default());
    let inside = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..32 {
        let (locks, target, inside) = (locks.clone(), target.clone(), Arc::clone(&inside));
        tasks.spawn(async move {
            let tag = RunTag::new(&format!("task-{task}"));
            for _ in 0..1000 {
                let held = locks.acquire(&target, &tag).await.unwrap();
                assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                tokio::task::yield_now().await;
                inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                held.release().await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_same_run_is_told_at_once_and_another_run_times_out() {
    let dir = tempfile::tempdir().unwrap();
    let target = target(dir.path());
    let locks = Locks::new(LockConfig::default());
    let held = locks.acquire(&target, &RunTag::new("r1").in_session("s")).await.unwrap();
    let error = locks.acquire(&target, &RunTag::new("r1")).await.unwrap_err();
    assert!(matches!(error, LockError::SelfContention { .. }), "{error}");
    let error = locks.acquire_within(&target, &RunTag::new("r2"), short(30)).await.unwrap_err();
    let LockError::Timeout { report, .. } = &error else { panic!("{error}") };
    assert_eq!(report.relation, Relation::ThisProcess);
    assert_eq!(report.record.run_id.as_deref(), Some("r1"));
    assert_eq!(report.queue_position, 1);
    let wire = error.wire();
    assert_eq!(wire.owner.unwrap().session_key.as_deref(), Some("s"));
    assert!(wire.waited_ms.unwrap() >= 30);
    drop(held);
    assert!(!target.lock_path().exists());
}

#[tokio::test]
async fn a_lock_removed_under_its_owner_is_lost_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let target = target(dir.path());
    let locks = Locks::new(LockConfig::default());
    let held = locks.acquire(&target, &RunTag::new("r1")).await.unwrap();
    let (mut journal, opened) = Journal::open(&held, Durability::Turn, |_| false).await.unwrap();
    assert!(opened.created);
    journal.append(&held, b"one\n").await.unwrap();
    let (how, ()) = tokio::join!(held.lost(), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        std::fs::remove_file(target.lock_path()).unwrap();
    });
    assert_eq!(how, LostHow::Replaced);
    let error = journal.append(&held, b"two\n").await.unwrap_err();
    assert!(matches!(error, JournalError::Lock(LockError::Lost { .. })), "{error}");
    assert_eq!(std::fs::read_to_string(target.path()).unwrap(), "one\n");
    assert!(matches!(held.release().await, Err(ReleaseError::Lost(_))));
}

#[tokio::test]
async fn a_revoked_guard_writes_nothing_more_and_the_next_waiter_gets_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let target = target(dir.path());
    let locks = Locks::new(LockConfig::default());
    let held = locks.acquire(&target, &RunTag::new("r1")).await.unwrap();
    held.revoke();
    assert_eq!(held.lost().await, LostHow::Revoked);
    assert!(held.verify().is_err());
    let next = locks.acquire_within(&target, &RunTag::new("r2"), short(2000)).await.unwrap();
    drop(held);
    next.verify().unwrap();
    next.release().await.unwrap();
}

#[tokio::test]
async fn the_watchdog_revokes_a_hold_that_lasts_too_long_when_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let target = target(dir.path());
    let config = LockConfig {
        max_hold: Duration::from_millis(50),
        on_hold_exceeded: OnHoldExceeded::Revoke,
        ..LockConfig::default()
    };
    let locks = Locks::new(config);
    let held = locks.acquire(&target, &RunTag::new("r1")).await.unwrap();
    // The runtime is wedged; the watchdog has its own thread.
    std::thread::sleep(Duration::from_millis(200));
    assert!(!target.lock_path().exists());
    assert!(matches!(held.verify(), Err(LockError::Lost { how: LostHow::HoldExceeded, .. })));
}

#[tokio::test]
async fn a_fence_tells_growth_from_replacement() {
    let dir = tempfile::tempdir().unwrap();
    let target = target(dir.path());
    let locks = Locks::new(LockConfig::default());
    let held = locks.acquire(&target, &RunTag::new("r1")).await.unwrap();
    let (mut journal, _) = Journal::open(&held, Durability::None, |_| false).await.unwrap();
    journal.append(&held, b"one\n").await.unwrap();
    let fence = journal.fence().unwrap();
    assert_eq!(fence.check().unwrap(), Change::Unchanged);
    let append = |text: &str| {
        use std::io::Write;
        std::fs::OpenOptions::new()
            .append(true)
            .open(target.path())
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
    };
    append("theirs\n");
    assert_eq!(fence.check().unwrap(), Change::Grown { from: 4, to: 11 });
    let error = journal.append(&held, b"two\n").await.unwrap_err();
    assert!(matches!(error, JournalError::Changed { expected: 4, found: 11, .. }), "{error}");
    std::fs::write(dir.path().join("other"), "one\n").unwrap();
    std::fs::rename(dir.path().join("other"), target.path()).unwrap();
    assert_eq!(fence.check().unwrap(), Change::Replaced);
    let error = journal.append(&held, b"two\n").await.unwrap_err();
    assert!(matches!(error, JournalError::Replaced { .. }), "{error}");
    std::fs::remove_file(target.path()).unwrap();
    assert_eq!(fence.check().unwrap(), Change::Missing);
    held.release().await.unwrap();
}

#[tokio::test]
async fn a_torn_last_line_is_kept_beside_and_a_whole_one_completed() {
    let dir = tempfile::tempdir().unwrap();
    let target = target(dir.path());
    std::fs::write(target.path(), "{\"a\":1}\n{\"b\":").unwrap();
    let locks = Locks::new(LockConfig::default());
    let held = locks.acquire(&target, &RunTag::new("r1")).await.unwrap();
    let is_json = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).is_ok();
    let (mut journal, opened) = Journal::open(&held, Durability::Append, is_json).await.unwrap();
    let kept = opened.torn.unwrap();
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "{\"b\":");
    journal.append(&held, b"{\"c\":3}\n").await.unwrap();
    assert_eq!(std::fs::read_to_string(target.path()).unwrap(), "{\"a\":1}\n{\"c\":3}\n");
    drop(journal);
    std::fs::write(target.path(), "{\"a\":1}").unwrap();
    let (journal, opened) = Journal::open(&held, Durability::Turn, is_json).await.unwrap();
    assert_eq!((opened.torn, journal.len()), (None, 8));
    held.release().await.unwrap();
}

#[tokio::test]
async fn a_journal_replaces_its_transcript_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let target = target(dir.path());
    let locks = Locks::new(LockConfig::default());
    let held = locks.acquire(&target, &RunTag::new("r1")).await.unwrap();
    let (mut journal, _) = Journal::open(&held, Durability::Turn, |_| false).await.unwrap();
    journal.append(&held, b"long\nlong\n").await.unwrap();
    let fence = journal.fence().unwrap();
    journal.replace(&held, |file| std::io::Write::write_all(file, b"short\n")).await.unwrap();
    assert_eq!(fence.check().unwrap(), Change::Replaced);
    journal.append(&held, b"more\n").await.unwrap();
    assert_eq!(std::fs::read_to_string(target.path()).unwrap(), "short\nmore\n");
    held.release().await.unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn symlinks_hard_links_and_directories_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("session.jsonl");
    std::fs::write(&file, "").unwrap();
    std::os::unix::fs::symlink(&file, dir.path().join("soft")).unwrap();
    assert!(Target::sidecar_of(&dir.path().join("soft")).unwrap_err().to_string().contains("symbolic link"));
    std::fs::hard_link(&file, dir.path().join("hard")).unwrap();
    assert!(Target::sidecar_of(&file).unwrap_err().to_string().contains("hard links"));
    assert!(Target::sidecar_of(dir.path()).unwrap_err().to_string().contains("regular file"));
    let error = Target::sidecar_of(&dir.path().join("no/such/dir")).unwrap_err();
    assert!(error.to_string().contains("no/such"), "{error}");
    assert_eq!(error.code().to_string(), "local.config");
}

#[tokio::test]
#[allow(unsafe_code, reason = "fork has no safe wrapper")]
async fn a_forked_copy_of_a_guard_refuses_to_write_and_releases_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let held =
        Locks::new(LockConfig::default()).acquire(&target(dir.path()), &RunTag::new("one")).await.unwrap();
    // SAFETY: the child checks and drops its copy of the guard, which takes no lock in a fork, and ends without unwinding.
    let status = unsafe {
        match libc::fork() {
            0 => {
                let refused = matches!(held.verify(), Err(LockError::Lost { how: LostHow::Forked, .. }));
                drop(held);
                libc::_exit(i32::from(!refused))
            }
            child => {
                let mut status = -1;
                assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
                status
            }
        }
    };
    assert_eq!(status, 0, "the copy took itself for the owner");
    assert!(held.target().lock_path().exists());
    held.verify().unwrap();
    held.release().await.unwrap();
}

/// Writes down whose guard came, after which wait, and went, after which hold.
#[derive(Default)]
struct Watching(std::sync::Mutex<Vec<(&'static str, String, Duration)>>, std::sync::Mutex<Vec<String>>);

impl Watching {
    fn note(&self, what: &'static str, held: &Held, time: Duration) {
        self.0.lock().unwrap().push((what, held.run().run_id().to_owned(), time));
    }
}

impl Observer for Watching {
    fn taken_over(&self, _held: &Held) {}

    fn stale(&self, _report: &Report) {}

    fn acquired(&self, held: &Held, waited: Duration) {
        self.note("acquired", held, waited);
    }

    fn waits(&self, _target: &Target, tag: &RunTag) {
        self.1.lock().unwrap().push(tag.run_id().to_owned());
    }

    fn waits_no_more(&self, _target: &Target, tag: &RunTag) {
        self.1.lock().unwrap().push(format!("{} no more", tag.run_id()));
    }

    fn let_go(&self, held: &Held) {
        self.note("let go", held, held.held_for());
    }
}

#[tokio::test]
async fn an_observer_hears_of_every_wait_and_every_hold_once() {
    let dir = tempfile::tempdir().unwrap();
    let target = target(dir.path());
    let watching = Arc::new(Watching::default());
    let locks = Locks::observed_by(LockConfig::default(), Arc::clone(&watching) as Arc<dyn Observer>);
    let tag = |name: &str| RunTag::new(name);
    let held = locks.acquire(&target, &tag("released")).await.unwrap();
    let (next, patience) = (tag("dropped"), Duration::from_millis(30));
    let mut waiting = std::pin::pin!(locks.acquire(&target, &next));
    assert!(tokio::time::timeout(patience, waiting.as_mut()).await.is_err());
    let waits = || watching.1.lock().unwrap().clone();
    assert_eq!(waits(), ["dropped"]);
    {
        // Two more give up: one by itself, and one whose caller goes away.
        let (early, gone) = (tag("early"), tag("gone"));
        assert!(locks.acquire_within(&target, &early, short(1)).await.is_err());
        let mut leaving = std::pin::pin!(locks.acquire(&target, &gone));
        assert!(tokio::time::timeout(patience, leaving.as_mut()).await.is_err());
        assert_eq!(waits(), ["dropped", "early", "early no more", "gone"]);
    }
    assert_eq!(waits().last().unwrap(), "gone no more");
    held.release().await.unwrap();
    drop(waiting.await.unwrap());
    assert_eq!(waits().last().unwrap(), "dropped no more");
    let held = locks.acquire(&target, &tag("revoked")).await.unwrap();
    held.revoke();
    assert!(held.release().await.is_err());
    assert!(locks.acquire_within(&target, &tag("late"), short(0)).await.is_ok());

    // Who found the lock free did not wait.
    assert_eq!(waits().len(), 6);
    let seen = watching.0.lock().unwrap();
    let runs: Vec<(&str, &str)> = seen.iter().map(|(what, run, _)| (*what, run.as_str())).collect();
    let each = ["released", "dropped", "revoked", "late"];
    assert_eq!(runs, each.map(|run| [("acquired", run), ("let go", run)]).concat());
    // The first was held, and the second waited, for as long as the waiter had patience.
    assert!(seen[1].2 >= patience && seen[2].2 >= patience, "{seen:?}");
}

/// All waiters of a process are woken by one thread, which therefore must not wait for anybody's write, however long that
/// one takes and whatever is to be said about it.
#[tokio::test]
async fn a_write_that_blocks_past_its_hold_keeps_no_other_session_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let locks = Locks::new(LockConfig::default());
    let wait = Wait { max_hold: Some(Duration::from_millis(20)), ..Wait::default() };
    let slow = locks.acquire_within(&target(dir.path()), &RunTag::new("slow"), wait).await.unwrap();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let writing = std::thread::spawn(move || slow.write(|| ended.recv().is_ok()).unwrap());

    let other = Target::sidecar_of(&dir.path().join("other.jsonl")).unwrap();
    let mut theirs = std::fs::File::create_new(other.lock_path()).unwrap();
    std::io::Write::write_all(&mut theirs, b"{\"pid\":1,\"createdAt\":\"2020-01-01T00:00:00Z\"}").unwrap();
    let wait = Wait { on_stale: Some(OnStale::Wait), ..short(60_000) };
    let tag = RunTag::new("waiter");
    let mut waiting = std::pin::pin!(locks.acquire_within(&other, &tag, wait));
    // The hold is exceeded many times over meanwhile.
    assert!(tokio::time::timeout(Duration::from_millis(500), waiting.as_mut()).await.is_err());
    std::fs::remove_file(other.lock_path()).unwrap();
    drop(theirs);
    let woken = tokio::time::timeout(Duration::from_secs(15), waiting).await;
    end.send(()).unwrap();
    assert!(writing.join().unwrap());
    woken.expect("nobody woke the waiter").unwrap().release().await.unwrap();
}
