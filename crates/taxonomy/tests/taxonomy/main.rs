//! The taxonomy, seen from outside. One binary, one module per question.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a test's helper fails the test; clippy's own exemption covers only the test functions themselves"
)]

mod corpus;
mod docs;
mod hostile;
mod policy_table;
mod properties;
mod reading;
mod shapes;
mod typed;
mod wire;
mod wrappings;
