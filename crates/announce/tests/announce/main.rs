//! One binary for this crate.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod corpus;
