//! The tests of the crate, one binary. Each module is one question.

mod chain;
mod corpus;
mod differential;
mod explain;
mod hostile;
mod loopback;
mod properties;
mod statuses;
mod store;
mod support;
mod suppression;
mod traps;
