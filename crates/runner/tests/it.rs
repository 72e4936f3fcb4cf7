//! One binary for the crate's tests with real files.
#![allow(clippy::disallowed_methods, reason = "tests play the other writers, which keep no rule of ours")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test ends where what it expects is not so"
)]
#![allow(unreachable_pub, reason = "one binary, and its modules are its only readers")]

#[path = "it/support.rs"]
mod support;

#[path = "it/attempt.rs"]
mod attempt;
#[path = "it/cache_port.rs"]
mod cache_port;
#[path = "it/child.rs"]
mod child;
#[path = "it/compaction.rs"]
mod compaction;
#[path = "it/crash.rs"]
mod crash;
#[path = "it/fence.rs"]
mod fence;
#[path = "it/first.rs"]
mod first;
#[path = "it/fork.rs"]
mod fork;
#[path = "it/inbox.rs"]
mod inbox;
#[path = "it/keys.rs"]
mod keys;
#[path = "it/large.rs"]
mod large;
#[path = "it/machine.rs"]
mod machine;
#[path = "it/parked.rs"]
mod parked;
#[path = "it/processes.rs"]
mod processes;
#[path = "it/prompt_cache.rs"]
mod prompt_cache;
#[path = "it/repeated.rs"]
mod repeated;
#[path = "it/transcripts.rs"]
mod transcripts;
#[path = "it/turns.rs"]
mod turns;
