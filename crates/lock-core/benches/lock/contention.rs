//! Many who want the same session: tasks of one process, and processes.

use std::{
    io::Read,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use moorline_lock_core::{Durability, Journal, LockConfig, Locks, RunTag, Target};
use tokio::task::JoinSet;

use crate::{
    figures::{Samples, us},
    reference,
};

/// Who is inside now, and how often somebody was inside already.
#[derive(Default)]
struct Inside {
    now: AtomicU64,
    doubles: AtomicU64,
}

/// Lock, append a line, release, until the time is up; the latency of each acquisition.
async fn turns(locks: Locks, target: Target, run: String, end: Instant, inside: Arc<Inside>) -> Samples {
    let tag = RunTag::new(&run);
    let mut waited = Samples::default();
    while Instant::now() < end {
        let began = Instant::now();
        let held = locks.acquire(&target, &tag).await.unwrap();
        waited.push(began.elapsed());
        let before = inside.now.fetch_add(1, Ordering::SeqCst);
        inside.doubles.fetch_add(u64::from(before > 0), Ordering::Relaxed);
        let (mut journal, _) = Journal::open(&held, Durability::None, |_| false).await.unwrap();
        journal
            .append(&held, b"{\"type\":\"message\",\"text\":\"one line of a transcript\"}\n")
            .await
            .unwrap();
        inside.now.fetch_sub(1, Ordering::SeqCst);
        held.release().await.unwrap();
    }
    waited
}

/// The latencies of all, and how many double entries there were.
fn run(dir: &Path, tasks: usize, threads: usize, length: Duration) -> (Samples, u64) {
    let runtime = match threads {
        0 => tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        threads => {
            tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap()
        }
    };
    runtime.block_on(async {
        let target = Target::sidecar_of(&dir.join("session.jsonl")).unwrap();
        let locks = Locks::new(LockConfig::default());
        let (mut set, inside) = (JoinSet::new(), Arc::new(Inside::default()));
        let end = Instant::now() + length;
        for task in 0..tasks {
            let run = format!("{}-{task}", std::process::id());
            set.spawn(turns(locks.clone(), target.clone(), run, end, Arc::clone(&inside)));
        }
        let mut all = Samples::default();
        while let Some(samples) = set.join_next().await {
            all.extend(samples.unwrap());
        }
        (all, inside.doubles.load(Ordering::Relaxed))
    })
}

pub(crate) fn one_process() {
    println!("\n32 tasks of one process: lock + append + release");
    let mut rate: f64 = 0.0;
    for threads in [0, 2] {
        let dir = tempfile::tempdir().unwrap();
        let (began, before) = (Instant::now(), open_files());
        let (mut waited, doubles) = run(dir.path(), 32, threads, Duration::from_secs(3));
        let took = began.elapsed();
        let lines = std::fs::read_to_string(dir.path().join("session.jsonl")).unwrap().lines().count();
        waited.line(&format!(
            "acquire, {} runtime",
            if threads == 0 { "current-thread" } else { "two-thread" }
        ));
        rate = rate.max(lines as f64 / took.as_secs_f64());
        println!(
            "  {:.0} a second (target >= 10,000, p99 <= 20 ms), double entries {doubles}, errors none, descriptors left open {}",
            lines as f64 / took.as_secs_f64(),
            open_files() - before
        );
        assert_eq!(doubles, 0);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "something was left behind");
    }
    for reference in reference::all() {
        reference.crowd(1, 32, Duration::from_secs(3), rate);
    }
}

fn open_files() -> i64 {
    std::fs::read_dir("/proc/self/fd").unwrap().count() as i64
}

/// A child: four tasks from `start` (milliseconds since the epoch) on.
pub(crate) fn contend(dir: &Path, start: u128) {
    let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    while now() < start {
        std::thread::sleep(Duration::from_millis(1));
    }
    let (mut waited, doubles) = run(dir, 4, 0, Duration::from_secs(5));
    assert_eq!(doubles, 0);
    let stats = Locks::stats();
    println!(
        "{} {} {} {} {}",
        stats.acquired,
        us(waited.percentile(50.0)),
        us(waited.percentile(99.0)),
        us(waited.percentile(100.0)),
        stats.safety_tick
    );
}

pub(crate) fn processes() {
    println!("\n8 processes x 4 tasks: lock + append + release, 5 s");
    let dir = tempfile::tempdir().unwrap();
    let start = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() + 500;
    let children: Vec<_> = (0..8)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["child", "contend"])
                .arg(dir.path())
                .arg(start.to_string())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let mut counts = Vec::new();
    let (mut p99, mut ticks) = (0_f64, 0_f64);
    for mut child in children {
        let mut line = String::new();
        child.stdout.take().unwrap().read_to_string(&mut line).unwrap();
        assert!(child.wait().unwrap().success());
        let numbers: Vec<f64> = line.split_whitespace().map(|number| number.parse().unwrap()).collect();
        println!(
            "  {:>7.0} turns   acquire p50 {:>8.0} us   p99 {:>8.0} us   max {:>8.0} us",
            numbers[0], numbers[1], numbers[2], numbers[3]
        );
        counts.push(numbers[0]);
        p99 = p99.max(numbers[2]);
        ticks += numbers[4];
    }
    let sum: f64 = counts.iter().sum();
    let (slowest, fastest) =
        (counts.iter().copied().fold(f64::MAX, f64::min), counts.iter().copied().fold(0.0, f64::max));
    println!(
        "  {:.0} a second in all (target >= 5,000), worst p99 {:.1} ms (<= 50), slowest/fastest {:.2} (>= 0.5), safety ticks {ticks}",
        sum / 5.0,
        p99 / 1000.0,
        slowest / fastest
    );
    for reference in reference::all() {
        reference.crowd(8, 4, Duration::from_secs(5), sum / 5.0);
    }
}
