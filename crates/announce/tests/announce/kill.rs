//! A real process, killed with SIGKILL at every boundary between the outbox and the receiver.
//!
//! The parent runs itself again as the child, with the boundary to die at; then it runs the child to its end and audits
//! the two files: what the receiver got, and what the outbox says.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use moorline_announce::{
    Announcer, Busy, Envelope, Filter, Key, Limits, Lookup, Outbox, OutboxError, Prepared, Receipt, Row,
    SendError, SqliteOutbox, State, Timestamp, Transport,
};
use moorline_retry::SystemClock;
use rustix::process::{Signal, getpid, kill_process};

use crate::receiver::FileReceiver;

const FOLDER: &str = "MOORLINE_TEST_KILL_FOLDER";
const BOUNDARY: &str = "MOORLINE_TEST_KILL_BOUNDARY";
const RUNS: usize = 3;

/// Counts boundaries, and ends the process at one of them.
#[derive(Clone)]
struct Reaper {
    passed: Arc<AtomicUsize>,
    dies_at: usize,
}

impl Reaper {
    fn boundary(&self) {
        if self.passed.fetch_add(1, Ordering::SeqCst) + 1 == self.dies_at {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
    }
}

struct Mortal<T> {
    inner: T,
    reaper: Reaper,
}

impl<T> Mortal<T> {
    /// One call has a boundary before it and one after it.
    async fn around<A>(&self, call: impl Future<Output = A>) -> A {
        self.reaper.boundary();
        let answer = call.await;
        self.reaper.boundary();
        answer
    }
}

#[async_trait]
impl Outbox for Mortal<SqliteOutbox> {
    async fn prepare(&self, row: &Row) -> Result<Prepared, OutboxError> {
        self.around(self.inner.prepare(row)).await
    }
    async fn compare_and_set(&self, next: &Row, notice: Option<&Row>) -> Result<bool, OutboxError> {
        self.around(self.inner.compare_and_set(next, notice)).await
    }
    async fn get(&self, seq: u64) -> Result<Option<Row>, OutboxError> {
        self.inner.get(seq).await
    }
    async fn find(&self, key: &Key) -> Result<Option<Row>, OutboxError> {
        self.inner.find(key).await
    }
    async fn due(&self, now: Timestamp, busy: &Busy, limit: usize) -> Result<Vec<Row>, OutboxError> {
        self.inner.due(now, busy, limit).await
    }
    async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, OutboxError> {
        self.inner.next_due(now).await
    }
    async fn list(&self, filter: &Filter) -> Result<Vec<Row>, OutboxError> {
        self.inner.list(filter).await
    }
    async fn counts(&self) -> Result<BTreeMap<State, u64>, OutboxError> {
        self.inner.counts().await
    }
    async fn forget(&self, before: Timestamp) -> Result<u64, OutboxError> {
        self.inner.forget(before).await
    }
}

#[async_trait]
impl Transport for Mortal<FileReceiver> {
    async fn send(&self, envelope: &Envelope, key: &Key, deadline: Instant) -> Result<Receipt, SendError> {
        self.around(self.inner.send(envelope, key, deadline)).await
    }
    async fn lookup(&self, key: &Key) -> Result<Lookup, SendError> {
        self.around(self.inner.lookup(key)).await
    }
}

/// Submits the results and drives until all have ended.
async fn run(folder: &Path, dies_at: usize) {
    let reaper = Reaper { passed: Arc::default(), dies_at };
    let sqlite = SqliteOutbox::open(folder.join("announce.sqlite")).await.unwrap();
    let outbox = Arc::new(Mortal { inner: sqlite, reaper: reaper.clone() });
    let receiver = Arc::new(Mortal { inner: FileReceiver(folder.join("received")), reaper });
    let limits = Limits { start_every: Duration::ZERO, ..Limits::standard().unwrap() };
    let announcer = Announcer::new(outbox, receiver, Arc::new(SystemClock), limits);
    let submitted = async {
        for run in 0..RUNS {
            let key = Key::completion("agent:main:main", format!("run{run}")).unwrap();
            announcer.submit(key, Envelope::result("agent:main:main", "the result")).await.unwrap();
        }
        loop {
            let rows = announcer.list(&Filter::default()).await.unwrap();
            if rows.iter().all(|row| row.state.is_terminal()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    announcer.drive(submitted).await.unwrap();
}

/// Not a test by itself: what the parent runs, with its own name and two variables.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the parent can tell its child nothing but through the environment"
)]
fn child() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let dies_at = std::env::var(BOUNDARY).unwrap().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(run(Path::new(&folder), dies_at));
}

fn spawn(folder: &Path, dies_at: usize) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["kill::child", "--exact", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(BOUNDARY, dies_at.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn died(status: ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    match status.signal() {
        Some(signal) => signal == Signal::KILL.as_raw(),
        None => {
            assert!(status.success(), "the child failed: {status}");
            false
        }
    }
}

/// What the files say, and nothing else.
fn audit(folder: &Path, what: &str) {
    let received = FileReceiver(folder.join("received")).received();
    assert_eq!(received.len(), RUNS, "{what}: lost: {received:?}");
    assert!(received.values().all(|times| *times == 1), "{what}: delivered twice: {received:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let rows = runtime.block_on(async {
        let outbox = SqliteOutbox::open(folder.join("announce.sqlite")).await.unwrap();
        outbox.list(&Filter::default()).await.unwrap()
    });
    assert_eq!(rows.len(), RUNS, "{what}: {rows:#?}");
    assert!(rows.iter().all(|row| row.state == State::Delivered), "{what}: {rows:#?}");
}

#[test]
fn killed_at_every_boundary_nothing_is_lost_or_doubled() {
    let mut killed = 0;
    for first in 1.. {
        let folder = tempfile::tempdir().unwrap();
        if !died(spawn(folder.path(), first).wait().unwrap()) {
            break;
        }
        killed += 1;
        // The restart dies too, somewhere else each time; the third one lives.
        killed += usize::from(died(spawn(folder.path(), first % 7 + 1).wait().unwrap()));
        assert!(!died(spawn(folder.path(), 0).wait().unwrap()));
        audit(folder.path(), &format!("boundary {first}"));
    }
    println!("{killed} processes killed, 0 lost, 0 doubled");
    assert!(killed >= 2 * 6 * RUNS, "{killed} is too few: each result alone has more boundaries");
}

#[test]
fn killed_at_any_moment_nothing_is_lost_or_doubled() {
    let mut killed = 0;
    for round in 0..40_u64 {
        let folder = tempfile::tempdir().unwrap();
        for attempt in 0..4 {
            let mut child = spawn(folder.path(), 0);
            // Spread over the life of a child: its start, its writes, its end.
            wait_a_little(Duration::from_micros(500 + (round * 7919 + attempt * 3571) % 40_000));
            child.kill().unwrap();
            killed += usize::from(died(child.wait().unwrap()));
        }
        assert!(!died(spawn(folder.path(), 0).wait().unwrap()));
        audit(folder.path(), &format!("round {round}"));
    }
    println!("{killed} processes killed, 0 lost, 0 doubled");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the moment of the kill is the input of this test, and not a wait for luck"
)]
fn wait_a_little(time: Duration) {
    std::thread::sleep(time);
}
