//! One binary for the properties of this crate; the driver's run on tokio's paused clock, so no test sleeps.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod budget;
mod driver;
mod schedule;
