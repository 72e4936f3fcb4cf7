//! A forked copy that goes on by itself. One test, in a program of its own: a copy is made of one thread, and no other one
//! may be in the midst of anything then.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "tests")]

use std::time::{Duration, Instant};

use moorline_lock_core::{LockConfig, Locks, RunTag, Target, Wait};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// It has no background thread, and shares its parent's inotify descriptor: an event about the file it waits for would be read
/// by its parent.
#[test]
#[allow(unsafe_code, reason = "fork has no safe wrapper")]
fn a_forked_copy_that_waits_for_its_parents_lock_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    let target = Target::sidecar_of(&dir.path().join("session.jsonl")).unwrap();
    let locks = Locks::new(LockConfig::default());
    let held = runtime().block_on(locks.acquire(&target, &RunTag::new("parent"))).unwrap();
    // SAFETY: this program's other threads sleep in the kernel and own no lock; the child ends without unwinding.
    let child = match unsafe { libc::fork() } {
        0 => {
            drop(held);
            let began = Instant::now();
            let wait = Wait { timeout: Some(Duration::from_secs(20)), ..Wait::default() };
            let had = runtime().block_on(locks.acquire_within(&target, &RunTag::new("child"), wait));
            let released = had.is_ok_and(|held| runtime().block_on(held.release()).is_ok());
            // At its deadline it looks once more, and then it would have it, too.
            let woken = began.elapsed() < Duration::from_secs(15);
            // SAFETY: it ends the child at once.
            unsafe { libc::_exit(i32::from(!released) + 2 * i32::from(!woken)) }
        }
        child => child,
    };
    // Past the looks that a waiter takes in any case; from then on only an event or a timer helps it.
    std::thread::sleep(Duration::from_millis(500));
    held.verify().expect("the copy released it");
    runtime().block_on(held.release()).unwrap();
    let mut status = -1;
    // SAFETY: `status` outlives the call.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0, "1: the copy could not acquire or release, 2: it waited until its deadline");
}
