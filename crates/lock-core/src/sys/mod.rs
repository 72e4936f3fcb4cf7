//! The raw-power room: every system call that can take, judge or remove a lock file.
//!
//! Nothing outside this folder calls `flock`, `fcntl`, `linkat`, `renameat2` or inotify (clippy bans them elsewhere), so
//! the protocol modules read as the protocol. Functions here do one call, name it, and decide nothing. All work is
//! relative to a directory descriptor: the directory cannot be swapped under us by a rename above it.
//!
//! Linux is supported. macOS compiles through the fallbacks (no leases, no exchange, no inotify: the lock reports and
//! never reclaims) and is untested. Other systems do not compile, because a lock that only looks like one is worse.

#![allow(clippy::disallowed_methods, reason = "this is the room that may call them")]

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!(
    "moorline-lock-core supports Linux (and compiles, untested, on macOS): it needs flock, linkat and /proc"
);

pub(crate) mod clock;
pub(crate) mod fork;
pub(crate) mod fs;
#[cfg(target_os = "linux")]
pub(crate) mod inotify;
#[cfg(not(target_os = "linux"))]
#[path = "inotify_absent.rs"]
pub(crate) mod inotify;
#[cfg(target_os = "linux")]
pub(crate) mod kernel;
#[cfg(not(target_os = "linux"))]
#[path = "kernel_absent.rs"]
pub(crate) mod kernel;
pub(crate) mod process;
