//! What passes between processes: a killed owner's lock, a released one, and nothing at all while nothing changes.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use moorline_lock_core::{LockConfig, Locks, RunTag, Target};
use rustix::time::{ClockId, clock_gettime};

use crate::figures::Samples;

fn target(dir: &Path) -> Target {
    Target::sidecar_of(&dir.join("session.jsonl")).unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn child(kind: &str, dir: &Path) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", kind])
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

fn line(output: &mut impl BufRead) -> String {
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    line.trim().to_owned()
}

/// The same clock in every process.
fn now() -> Duration {
    let time = clock_gettime(ClockId::Monotonic);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

/// A child that owns the lock until it is killed.
pub(crate) fn own(dir: &Path) {
    runtime().block_on(async {
        let held =
            Locks::new(LockConfig::default()).acquire(&target(dir), &RunTag::anonymous()).await.unwrap();
        println!("held");
        std::io::stdin().read_line(&mut String::new()).unwrap();
        drop(held);
    });
}

/// A child that waits for the lock once and says when it had it.
pub(crate) fn wait(dir: &Path) {
    runtime().block_on(async {
        println!("waiting");
        let held =
            Locks::new(LockConfig::default()).acquire(&target(dir), &RunTag::anonymous()).await.unwrap();
        println!("{}", now().as_nanos());
        drop(held);
    });
}

/// A child that acquires each time it is told to and says when it had the lock.
pub(crate) fn take(dir: &Path) {
    runtime().block_on(async {
        let (locks, target) = (Locks::new(LockConfig::default()), target(dir));
        while std::io::stdin().read_line(&mut String::new()).unwrap() > 0 {
            let held = locks.acquire(&target, &RunTag::anonymous()).await.unwrap();
            println!("{}", now().as_nanos());
            held.release().await.unwrap();
        }
    });
}

/// Waits until a child has gone to sleep: its main thread's state is S for a while.
fn settle() {
    std::thread::sleep(Duration::from_millis(25));
}

pub(crate) fn run() {
    println!("\ntakeover of a killed owner's lock");
    let mut samples = Samples::default();
    for _ in 0..200 {
        let dir = tempfile::tempdir().unwrap();
        let (mut owner, mut said) = child("own", dir.path());
        assert_eq!(line(&mut said), "held");
        let (mut waiter, mut had) = child("wait", dir.path());
        assert_eq!(line(&mut had), "waiting");
        settle();
        let killed = now();
        owner.kill().unwrap();
        let took: u64 = line(&mut had).parse().unwrap();
        samples.push(Duration::from_nanos(took).saturating_sub(killed));
        owner.wait().unwrap();
        waiter.wait().unwrap();
    }
    samples.line("SIGKILL to acquired (target p99 <= 20 ms)");
}

pub(crate) fn handover() {
    println!("\nrelease to acquire, another process");
    let dir = tempfile::tempdir().unwrap();
    let (mut waiter, mut had) = child("take", dir.path());
    let mut input = waiter.stdin.take().unwrap();
    let mut samples = Samples::default();
    let (locks, target) = (Locks::new(LockConfig::default()), target(dir.path()));
    let runtime = runtime();
    for _ in 0..500 {
        let held = runtime.block_on(locks.acquire(&target, &RunTag::anonymous())).unwrap();
        writeln!(input).unwrap();
        std::thread::sleep(Duration::from_millis(3));
        let released = now();
        runtime.block_on(held.release()).unwrap();
        let took: u64 = line(&mut had).parse().unwrap();
        samples.push(Duration::from_nanos(took).saturating_sub(released));
    }
    drop(input);
    waiter.wait().unwrap();
    samples.line("release to acquired");
}

pub(crate) fn idle() {
    println!("\nidle wake-ups while contended");
    let dir = tempfile::tempdir().unwrap();
    let (mut owner, mut said) = child("own", dir.path());
    assert_eq!(line(&mut said), "held");
    let (mut waiter, mut had) = child("wait", dir.path());
    assert_eq!(line(&mut had), "waiting");
    std::thread::sleep(Duration::from_secs(1));
    let (began, before) = (Instant::now(), [switches(owner.id()), switches(waiter.id())]);
    std::thread::sleep(Duration::from_secs(31));
    let after = [switches(owner.id()), switches(waiter.id())];
    println!(
        "  in {:.0} s: owner {}, waiter {} (target <= 1 in 30 s)",
        began.elapsed().as_secs_f64(),
        after[0] - before[0],
        after[1] - before[1]
    );
    owner.kill().unwrap();
    owner.wait().unwrap();
    line(&mut had);
    waiter.wait().unwrap();
}

/// Voluntary context switches of all threads of a process.
fn switches(pid: u32) -> u64 {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |thread: std::fs::DirEntry| {
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap_or_default();
        let count =
            status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:").map(str::to_owned));
        count.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0)
    };
    threads.map(|thread| of(thread.unwrap())).sum()
}
