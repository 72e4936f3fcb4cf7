//! One binary for this crate.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]
#![allow(clippy::print_stdout, reason = "scores and measurements are printed")]

mod backlog;
mod corpus;
mod delivery;
mod driver;
mod kill;
mod machine;
mod outboxes;
mod page;
mod plan_table;
mod receiver;
