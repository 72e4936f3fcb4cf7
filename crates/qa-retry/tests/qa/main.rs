//! The harness against gateways that are made up: what is retried, what is shown, what is refused.
//!
//! Time is tokio's paused clock: a test that takes nine seconds of it takes none. `fake` is a small gateway with sessions,
//! locks, children and announces; `scripted` answers what a test tells it to.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(clippy::result_large_err, reason = "the port says what an error is")]

mod bounds;
mod errors;
mod fake;
mod files;
mod loopback;
mod pack;
mod ports;
mod reports;
mod retries;
mod scripted;
