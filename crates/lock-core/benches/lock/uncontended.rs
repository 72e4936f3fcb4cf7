//! Acquire and release with nobody else about, beside the system calls that publishing a file takes.

use std::{
    os::fd::{AsFd, AsRawFd},
    path::Path,
    time::Instant,
};

use moorline_lock_core::{LockConfig, Locks, RunTag, Target};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};

use crate::figures::{Samples, us};

const ROUNDS: usize = 200;
const IN_A_ROUND: usize = 100;

pub(crate) fn run(dir: &Path) {
    println!("\nuncontended acquire + release");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let target = Target::sidecar_of(&dir.join("session.jsonl")).unwrap();
    let locks = Locks::new(LockConfig::default());
    let tag = RunTag::new("bench").in_session("agent:bench:one");
    let open = rustix::fs::open(dir, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let (mut floor, mut written, mut bare, mut lock) =
        (Samples::default(), Samples::default(), Samples::default(), Samples::default());
    runtime.block_on(async {
        // In turns, so that a noisy neighbour hits all alike.
        for _ in 0..ROUNDS {
            for _ in 0..IN_A_ROUND {
                let began = Instant::now();
                publish(&open, &[]);
                floor.push(began.elapsed());
            }
            for _ in 0..IN_A_ROUND {
                let began = Instant::now();
                publish(&open, &[b' '; 400]);
                written.push(began.elapsed());
            }
            for _ in 0..IN_A_ROUND {
                let began = Instant::now();
                protocol(&open, &[b' '; 400]);
                bare.push(began.elapsed());
            }
            for _ in 0..IN_A_ROUND {
                let began = Instant::now();
                let held = locks.acquire(&target, &tag).await.unwrap();
                held.release().await.unwrap();
                lock.push(began.elapsed());
            }
        }
    });
    floor.line("floor: O_TMPFILE + linkat + unlink");
    written.line("the same with 400 bytes written");
    bare.line("all system calls of the protocol");
    lock.line("acquire + release");
    let mut ratio = |percent| us(lock.percentile(percent)) / us(floor.percentile(percent));
    let (p50, p99) = (ratio(50.0), ratio(99.0));
    println!("  ratio to the floor: p50 {p50:.2}, p99 {p99:.2} (target <= 1.6)");
}

/// What any lock file that appears whole needs.
fn publish(dir: impl AsFd, bytes: &[u8]) {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&dir, ".", flags, Mode::from_raw_mode(0o600)).unwrap();
    if !bytes.is_empty() {
        rustix::io::pwrite(&file, bytes, 0).unwrap();
    }
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, path.as_str(), &dir, "floor.lock", AtFlags::SYMLINK_FOLLOW).unwrap();
    rustix::fs::unlinkat(&dir, "floor.lock", AtFlags::empty()).unwrap();
}

/// The calls of an acquire and a release and nothing else: guard absent, publish under `flock`, both looks at one's own file.
fn protocol(dir: impl AsFd, bytes: &[u8]) {
    let stat = |name: &str| rustix::fs::statat(&dir, name, AtFlags::SYMLINK_NOFOLLOW);
    assert!(stat("floor.lock.reclaim").is_err());
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&dir, ".", flags, Mode::from_raw_mode(0o600)).unwrap();
    rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    let id = rustix::fs::fstat(&file).unwrap().st_ino;
    rustix::io::pwrite(&file, bytes, 0).unwrap();
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    rustix::fs::linkat(CWD, path.as_str(), &dir, "floor.lock", AtFlags::SYMLINK_FOLLOW).unwrap();
    assert_eq!(stat("floor.lock").unwrap().st_ino, id);
    rustix::fs::unlinkat(&dir, "floor.lock", AtFlags::empty()).unwrap();
}
