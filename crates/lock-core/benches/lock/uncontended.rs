//! Acquire and release with nobody else about, beside the system calls that publishing a file takes.

use std::{
    os::fd::{AsRawFd, OwnedFd},
    path::Path,
    time::{Duration, Instant},
};

use moorline_lock_core::{LockConfig, Locks, RunTag, Target};
use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, StatxFlags};
use tokio::runtime::Runtime;

use crate::{
    figures::{Samples, Spread, us},
    reference,
};

/// A round is a batch of each thing, one after the other: what disturbs the machine for longer disturbs all of them.
const ROUNDS: usize = 800;
const IN_A_BATCH: usize = 25;

/// What is measured. The first is the floor that the target names.
const WHAT: [&str; 5] = [
    "floor: O_TMPFILE + linkat + unlink",
    "the same, linked by descriptor",
    "floor with the 334 bytes of a record written",
    "all system calls of the protocol, bare",
    "acquire + release",
];
const FLOOR: usize = 0;
const LOCK: usize = WHAT.len() - 1;

pub(crate) struct Place {
    dir: OwnedFd,
    runtime: Runtime,
    target: Target,
    locks: Locks,
    tag: RunTag,
}

impl Place {
    fn new(dir: &Path) -> Self {
        Self {
            dir: rustix::fs::open(dir, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap(),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            target: Target::sidecar_of(&dir.join("session.jsonl")).unwrap(),
            locks: Locks::new(LockConfig::default()),
            tag: RunTag::new("bench").in_session("agent:bench:one"),
        }
    }

    /// A batch of one thing; each single time.
    fn batch(&self, what: usize) -> Vec<Duration> {
        let repeat = |work: &dyn Fn()| {
            let timed = |_| {
                let began = Instant::now();
                work();
                began.elapsed()
            };
            (0..IN_A_BATCH).map(timed).collect()
        };
        match what {
            0 => repeat(&|| publish(&self.dir, &[], Link::ByPath)),
            1 => repeat(&|| publish(&self.dir, &[], Link::ByDescriptor)),
            2 => repeat(&|| publish(&self.dir, &[b' '; 334], Link::ByPath)),
            3 => repeat(&|| protocol(&self.dir, &[b' '; 334])),
            _ => self.cycles(IN_A_BATCH),
        }
    }

    /// So many acquires and releases; each single time.
    pub(crate) fn cycles(&self, count: usize) -> Vec<Duration> {
        self.runtime.block_on(async {
            let mut times = Vec::with_capacity(count);
            for _ in 0..count {
                let began = Instant::now();
                let held = self.locks.acquire(&self.target, &self.tag).await.unwrap();
                held.release().await.unwrap();
                times.push(began.elapsed());
            }
            times
        })
    }
}

pub(crate) fn run(dir: &Path) {
    println!("\nuncontended acquire + release");
    let place = Place::new(dir);
    let mut samples: [Samples; WHAT.len()] = Default::default();
    let mut ratios = Spread::default();
    for round in 0..ROUNDS {
        let mut medians = [0.0; WHAT.len()];
        for turn in 0..WHAT.len() {
            // There and back, so that nothing always follows the same one.
            let what = if round % 2 == 0 { turn } else { WHAT.len() - 1 - turn };
            let mut batch = Samples::from(place.batch(what));
            medians[what] = us(batch.percentile(50.0));
            samples[what].extend(batch);
        }
        ratios.push(medians[LOCK] / medians[FLOOR]);
    }
    for (what, samples) in WHAT.iter().zip(&mut samples) {
        samples.line(what);
    }
    println!("  to the floor: {} (target <= 1.6)", ratios.line(ROUNDS));
    for reference in reference::all() {
        reference.uncontended(dir, &place);
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Link {
    ByPath,
    ByDescriptor,
}

fn link(file: &OwnedFd, dir: &OwnedFd, how: Link) {
    let name = "floor.lock";
    match how {
        Link::ByPath => {
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            rustix::fs::linkat(CWD, path.as_str(), dir, name, AtFlags::SYMLINK_FOLLOW).unwrap();
        }
        // Where the kernel refuses it the path is what there is.
        Link::ByDescriptor => rustix::fs::linkat(file, "", dir, name, AtFlags::EMPTY_PATH)
            .unwrap_or_else(|_| link(file, dir, Link::ByPath)),
    }
}

/// What any lock file that appears whole needs.
fn publish(dir: &OwnedFd, bytes: &[u8], how: Link) {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::openat(dir, ".", flags, Mode::from_raw_mode(0o600)).unwrap();
    if !bytes.is_empty() {
        rustix::io::pwrite(&file, bytes, 0).unwrap();
    }
    link(&file, dir, how);
    rustix::fs::unlinkat(dir, "floor.lock", AtFlags::empty()).unwrap();
}

/// The calls of every acquire and release and nothing else, in their order.
fn protocol(dir: &OwnedFd, bytes: &[u8]) {
    let stat = |name: &str| rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW);
    assert!(stat("floor.lock.reclaim").is_err());
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = rustix::fs::openat(dir, ".", flags, Mode::from_raw_mode(0o600)).unwrap();
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    let id = rustix::fs::statx(&file, "", AtFlags::EMPTY_PATH, StatxFlags::INO).unwrap().stx_ino;
    rustix::io::pwrite(&file, bytes, 0).unwrap();
    link(&file, dir, Link::ByDescriptor);
    assert_eq!(stat("floor.lock").unwrap().st_ino, id);
    rustix::fs::unlinkat(dir, "floor.lock", AtFlags::empty()).unwrap();
}

/// Only acquire and release, so many times.
pub(crate) fn cycles(count: usize) {
    let dir = tempfile::tempdir().unwrap();
    Place::new(dir.path()).cycles(count);
}
