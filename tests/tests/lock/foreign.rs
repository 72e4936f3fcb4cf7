//! Locks of programs of another kind: four fields, exclusive create, the handle kept open. Live, dead, releasing, stale.

use std::{
    fs::File,
    io::Write,
    path::Path,
    process::{Child, Command},
    time::{Duration, Instant},
};

use moorline_lock_core::{LockConfig, LockError, LockView, Locks, OnStale, RunTag, Target, Wait};

use super::{
    stopped::leave_a_dead_lock,
    support::{LOCK, SESSION, dir, foreign_record, free_pid, iso_in, starttime},
    worker::Worker,
};

/// Another program's lock; the returned handle is what keeps it alive.
fn put(dir: &Path, record: &str) -> File {
    let mut file = File::create_new(dir.join(LOCK)).unwrap();
    file.write_all(record.as_bytes()).unwrap();
    file
}

/// A process that lives as long as the test looks at it.
struct Sleeper(Child);

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sleeper() -> Sleeper {
    Sleeper(Command::new("sleep").arg("600").spawn().unwrap())
}

fn look(dir: &Path) -> LockView {
    Locks::new(LockConfig::default()).inspect(&dir.join(SESSION)).unwrap().remove(0)
}

async fn acquire(dir: &Path, ms: u64, on_stale: OnStale) -> Result<moorline_lock_core::Held, LockError> {
    let wait = Wait { timeout: Some(Duration::from_millis(ms)), on_stale: Some(on_stale), max_hold: None };
    let target = Target::sidecar_of(&dir.join(SESSION)).unwrap();
    Locks::new(LockConfig::default()).acquire_within(&target, &RunTag::anonymous(), wait).await
}

fn words(view: &LockView) -> (String, Vec<String>, bool) {
    let reasons = view.stale_reasons.iter().map(|reason| reason.as_str().to_owned()).collect();
    (view.state.to_owned(), reasons, view.removable)
}

#[tokio::test]
async fn an_open_handle_is_life_whatever_the_record_says() {
    let child = sleeper();
    let (pid, now) = (child.0.id(), iso_in(0));
    let ended = free_pid();
    let records = [
        ("its process lives", foreign_record(pid, &now, Some(starttime(pid)))),
        ("its pid is gone", foreign_record(ended, &now, Some(7))),
        ("its pid is another process now", foreign_record(pid, &now, Some(7))),
        ("nothing is written yet", String::new()),
        ("half is written", "{\n  \"pid\": 12".to_owned()),
        (
            "its host is another",
            now.replace(&now, "{\"pid\":1,\"createdAt\":\"2020-01-01T00:00:00Z\",\"host\":\"far\"}"),
        ),
    ];
    for (what, record) in records {
        let dir = dir();
        let handle = put(dir.path(), &record);
        let view = look(dir.path());
        assert!(matches!(view.state, "live" | "stale") && !view.removable, "{what}: {view:?}");
        let error = acquire(dir.path(), 50, OnStale::Wait).await.unwrap_err();
        assert!(matches!(error, LockError::Timeout { .. } | LockError::Stale { .. }), "{what}: {error}");
        assert_eq!(std::fs::read_to_string(dir.path().join(LOCK)).unwrap(), record, "{what}");
        drop(handle);
    }
}

#[tokio::test]
async fn without_a_handle_the_process_decides() {
    let child = sleeper();
    let pid = child.0.id();
    let mut zombie = Command::new("true").spawn().unwrap();
    let zombie_pid = zombie.id();
    while !std::fs::read_to_string(format!("/proc/{zombie_pid}/stat")).unwrap().contains(") Z ") {
        std::thread::sleep(Duration::from_millis(1));
    }
    let (now, hour_ago) = (iso_in(0), iso_in(-3600));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned();
    let with = |record: String, fields: &str| record.replacen('{', &format!("{{{fields},"), 1);
    let cases = [
        // The process lives and lets go just now, or forgot to remove its file: nobody's to take.
        (foreign_record(pid, &now, Some(starttime(pid))), "live", vec!["foreign-owner"], false),
        (foreign_record(pid, &now, None), "live", vec!["foreign-owner"], false),
        (foreign_record(1, &now, None), "live", vec!["foreign-owner"], false),
        (foreign_record(free_pid(), &now, None), "dead", vec!["dead-pid"], true),
        (foreign_record(pid, &now, Some(7)), "dead", vec!["recycled-pid"], true),
        // No start time in the record, and the process is younger than the lock.
        (foreign_record(pid, &hour_ago, None), "dead", vec!["recycled-pid"], true),
        (foreign_record(zombie_pid, &now, None), "dead", vec!["dead-pid"], true),
        (
            with(foreign_record(free_pid(), &now, None), "\"host\":\"elsewhere\""),
            "unknown",
            vec!["unverifiable-owner"],
            false,
        ),
        (
            with(foreign_record(free_pid(), &now, None), "\"pidNs\":1"),
            "unknown",
            vec!["unverifiable-owner"],
            false,
        ),
        (
            with(foreign_record(free_pid(), &now, None), "\"bootId\":\"earlier\""),
            "unknown",
            vec!["unverifiable-owner"],
            false,
        ),
        (
            with(foreign_record(pid, &now, None), &format!("\"bootId\":\"earlier\",\"host\":\"{host}\"")),
            "dead",
            vec!["dead-pid"],
            true,
        ),
    ];
    for (record, state, reasons, removable) in cases {
        let dir = dir();
        drop(put(dir.path(), &record));
        let view = look(dir.path());
        let reasons: Vec<_> = reasons.into_iter().map(str::to_owned).collect();
        assert_eq!(words(&view), (state.to_owned(), reasons, removable), "{record}");
        let acquired = acquire(dir.path(), 60, OnStale::Report).await;
        assert_eq!(acquired.is_ok(), removable, "{record}: {acquired:?}");
        if !removable {
            assert_eq!(std::fs::read_to_string(dir.path().join(LOCK)).unwrap(), record);
        }
    }
    zombie.wait().unwrap();
}

#[tokio::test]
async fn a_live_foreign_owner_past_its_time_is_reported_and_left() {
    let pid = std::process::id();
    for (age, reasons) in
        [(7200, vec!["too-old", "hold-exceeded"]), (600, vec!["hold-exceeded"]), (60, vec![])]
    {
        let dir = dir();
        // Its process is not this one as the record says it; the handle is what counts.
        let record = foreign_record(free_pid(), &iso_in(-age), None);
        let _handle = put(dir.path(), &record);
        let view = look(dir.path());
        assert_eq!(words(&view).1, reasons, "{view:?}");
        assert_eq!((view.stale, view.removable), (!reasons.is_empty(), false));
        for policy in [OnStale::Report, OnStale::Wait] {
            let error = acquire(dir.path(), 60, policy).await.unwrap_err();
            assert_eq!(matches!(error, LockError::Stale { .. }), !reasons.is_empty(), "{error}");
        }
        let swept = Locks::new(LockConfig::default()).sweep(dir.path(), false).unwrap();
        assert_eq!(swept[0].action, "kept");
        assert_eq!(std::fs::read_to_string(dir.path().join(LOCK)).unwrap(), record);
    }
    assert!(pid > 1);
}

/// A file without a record is somebody's who has not written it yet, until it stayed as it is for the grace.
#[tokio::test]
async fn a_payload_less_lock_is_abandoned_after_its_grace_and_not_before() {
    let dir = dir();
    drop(put(dir.path(), ""));
    let view = look(dir.path());
    let both = vec!["missing-pid".to_owned(), "invalid-createdAt".to_owned()];
    assert_eq!(words(&view), ("unknown".to_owned(), both, false));
    let error = acquire(dir.path(), 300, OnStale::Report).await.unwrap_err();
    assert!(matches!(error, LockError::Timeout { .. }), "{error}");
    // A short budget has the short grace of 5 s; a touch starts it anew.
    let began = Instant::now();
    let touch = std::thread::spawn({
        let path = dir.path().join(LOCK);
        move || {
            std::thread::sleep(Duration::from_secs(2));
            std::fs::write(path, "{").unwrap();
        }
    });
    let held = acquire(dir.path(), 20_000, OnStale::Report).await.unwrap();
    touch.join().unwrap();
    let took = began.elapsed();
    assert!(took > Duration::from_millis(6900) && took < Duration::from_secs(12), "{took:?}");
    held.release().await.unwrap();
}

#[tokio::test]
async fn a_payload_less_lock_with_an_open_handle_is_live_for_ever() {
    let dir = dir();
    let handle = put(dir.path(), "");
    let error = acquire(dir.path(), 6000, OnStale::Report).await.unwrap_err();
    assert!(matches!(error, LockError::Timeout { .. }), "{error}");
    drop(handle);
}

/// The report of a live stale lock is looked at a second time: what happened in between decides.
#[test]
fn a_stale_report_that_is_untrue_by_now_is_retried_within_the_budget() {
    type Swap = fn(&Path) -> Option<File>;
    let gone: Swap = |dir| {
        std::fs::remove_file(dir.join(LOCK)).unwrap();
        None
    };
    let fresh: Swap = |dir| {
        std::fs::remove_file(dir.join(LOCK)).unwrap();
        Some(put(dir, &foreign_record(free_pid(), &iso_in(0), None)))
    };
    let rewritten: Swap = |dir| {
        std::fs::write(dir.join(LOCK), foreign_record(free_pid(), &iso_in(0), None)).unwrap();
        None
    };
    let empty: Swap = |dir| {
        std::fs::remove_file(dir.join(LOCK)).unwrap();
        Some(put(dir, ""))
    };
    let unchanged: Swap = |_| None;
    let cases = [
        ("gone", gone, None),
        ("replaced by a fresh valid lock", fresh, Some("coordination.lock_timeout")),
        ("rewritten in place", rewritten, Some("coordination.lock_timeout")),
        ("replaced by a fresh lock without a record", empty, Some("coordination.lock_timeout")),
        ("still there", unchanged, Some("coordination.lock_stale")),
    ];
    for (what, swap, outcome) in cases {
        let dir = dir();
        let old = put(dir.path(), &foreign_record(free_pid(), &iso_in(-7200), None));
        let mut worker = Worker::serve(dir.path(), &["fail=report.judged:stop"]);
        worker.send("acquire session.jsonl timeout=1500 on_stale=report");
        worker.await_state("T");
        let handle = swap(dir.path());
        worker.resume();
        let answer = worker.answer();
        match (outcome, &answer) {
            (None, Ok(_)) => {}
            (Some(code), Err(error)) => {
                assert_eq!(error["code"], code, "{what}: {error}");
                let waited = error["waitedMs"].as_u64().unwrap();
                assert_eq!(waited >= 1500, code == "coordination.lock_timeout", "{what}: {error}");
                assert!(waited < 10_000, "{what}: {error}");
            }
            (None, Err(_)) | (Some(_), Ok(_)) => panic!("{what}: {answer:?}"),
        }
        drop((old, handle));
    }
}

/// The lock of this very process, stale by its age, is waited for and ends in a timeout, never as stale.
#[tokio::test]
async fn a_stale_lock_of_this_process_times_out() {
    let dir = dir();
    let target = Target::sidecar_of(&dir.path().join(SESSION)).unwrap();
    let config = LockConfig {
        stale: Duration::from_millis(20),
        max_hold: Duration::from_millis(10),
        ..LockConfig::default()
    };
    let locks = Locks::new(config);
    let held = locks.acquire(&target, &RunTag::new("first")).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let wait =
        Wait { timeout: Some(Duration::from_millis(50)), on_stale: Some(OnStale::Report), max_hold: None };
    let error = locks.acquire_within(&target, &RunTag::new("second"), wait).await.unwrap_err();
    assert!(matches!(error, LockError::Timeout { .. }), "{error}");
    held.release().await.unwrap();
    locks.acquire_within(&target, &RunTag::new("second"), wait).await.unwrap().release().await.unwrap();
}

/// Nothing reports the end of an owner that does not keep its file open. At the deadline there is one look more.
#[tokio::test]
async fn an_owner_that_died_unreported_is_taken_over_at_the_deadline() {
    let dir = dir();
    let child = sleeper();
    std::fs::write(dir.path().join(LOCK), foreign_record(child.0.id(), &iso_in(0), None)).unwrap();
    let (acquired, ()) = tokio::join!(acquire(dir.path(), 2000, OnStale::Wait), async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        drop(child);
    });
    assert!(acquired.unwrap().taken_over().is_some());
}

/// An owner of our kind whose `flock` is gone and whose file is still open is about to be gone altogether, and the event that
/// would say so may have come before the waiter watched. It is looked at again, and not for ever.
#[test]
fn an_owner_that_is_closing_is_looked_at_again_a_bounded_number_of_times() {
    let dir = dir();
    leave_a_dead_lock(dir.path());
    let closing = File::options().append(true).open(dir.path().join(LOCK)).unwrap();
    let mut waiter = Worker::serve(dir.path(), &[]);
    let error = waiter.err("acquire session.jsonl timeout=4000");
    assert_eq!(error["code"], "coordination.lock_timeout", "{error}");
    let waited = waiter.json("stats")["waited"].as_u64().unwrap();
    assert!((3..=9).contains(&waited), "{waited} looks");
    drop(closing);
    waiter.ok("acquire session.jsonl timeout=4000");
}
