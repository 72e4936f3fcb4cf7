//! Ten thousand announces at once, measured on this machine. Not a timed test: it prints, and runs when asked.
//!
//! `cargo test -p moorline-announce --release --test announce backlog -- --ignored --nocapture`

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use moorline_announce::{
    Announcer, Envelope, Key, Limits, Lookup, Outbox as _, Path, Progress, Receipt, SendError, SqliteOutbox,
    State, Timestamp, Transport, prepare,
};
use moorline_retry::{Clock as _, SystemClock};

const ROWS: u64 = 10_000;

struct Counting {
    started: Instant,
    at: Mutex<Vec<(Duration, u64)>>,
    seen: AtomicU64,
}

#[async_trait]
impl Transport for Counting {
    async fn send(&self, _: &Envelope, key: &Key, _: Instant) -> Result<Receipt, SendError> {
        let run = key.child_run().parse().unwrap();
        self.at.lock().unwrap().push((SystemClock.now() - self.started, run));
        self.seen.fetch_add(1, Ordering::Relaxed);
        Ok(Receipt { path: Path::Turn, progress: Progress::Delivered })
    }

    async fn lookup(&self, _: &Key) -> Result<Lookup, SendError> {
        Ok(Lookup::Absent)
    }
}

/// Resident memory in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "a measurement, about two minutes"]
async fn ten_thousand_pending_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("announce.sqlite");
    let limits = Limits::standard().unwrap();
    let filled = SystemClock.now();
    {
        let outbox = SqliteOutbox::open(&path).await.unwrap();
        let now = Timestamp::from(SystemClock.wall());
        for run in 0..ROWS {
            let key = Key::completion(format!("agent:main:{}", run % 500), run.to_string()).unwrap();
            let mut row = prepare(key, Envelope::result("somewhere", "x".repeat(2000)), now, &limits);
            // A crash in mid-flight left some in each state.
            row.state = match run % 10 {
                0 => State::Uncertain,
                1 if run < 100 => State::Sending,
                _ => State::Prepared,
            };
            outbox.prepare(&row).await.unwrap();
        }
    }
    println!("filled: {ROWS} durable rows in {:?}", SystemClock.now() - filled);

    let before = resident();
    let started = SystemClock.now();
    let outbox = Arc::new(SqliteOutbox::open(&path).await.unwrap());
    let opened = SystemClock.now() - started;
    let wire = Arc::new(Counting { started, at: Mutex::default(), seen: AtomicU64::new(0) });
    let announcer = Announcer::new(outbox, Arc::clone(&wire) as _, Arc::new(SystemClock), limits);
    let mut most = before;
    let done = async {
        while wire.seen.load(Ordering::Relaxed) < ROWS {
            tokio::time::sleep(Duration::from_millis(200)).await;
            most = most.max(resident());
        }
    };
    announcer.drive(done).await.unwrap();

    let at = wire.at.lock().unwrap();
    let per_second = |second: u64| at.iter().filter(|(at, _)| at.as_secs() == second).count();
    let busiest = (0..=at.last().unwrap().0.as_secs()).map(per_second).max().unwrap();
    let prepared: Vec<_> = at.iter().map(|(_, run)| *run).filter(|run| run % 10 > 1).collect();
    let out_of_order = prepared.windows(2).filter(|pair| pair[0] > pair[1]).count();
    println!("open {opened:?}, first delivery after {:?}, all after {:?}", at[0].0, at.last().unwrap().0);
    println!("busiest second: {busiest} starts; out of order: {out_of_order} of {}", prepared.len());
    println!("resident memory: {before} KiB before, {most} KiB at most");
}
