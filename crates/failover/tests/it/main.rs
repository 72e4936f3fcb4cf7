//! The tests of the crate, one binary. Each module is one question.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that meets something unexpected ends there"
)]

mod chain;
mod corpus;
mod differential;
mod explain;
mod hostile;
mod litellm;
mod loopback;
mod properties;
mod statuses;
mod store;
mod support;
mod suppression;
mod traps;
