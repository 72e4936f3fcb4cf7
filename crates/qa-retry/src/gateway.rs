//! The port to the gateway: one call, one answer or one typed error.
//!
//! The decision: a method name and JSON, so that any transport and any gateway with these methods can stand behind it.
//! The option not taken is one Rust method for each RPC: the harness would have to change with every client, and a
//! scenario could not be run against somebody else's gateway.

use std::time::Duration;

use async_trait::async_trait;
use moorline_taxonomy::Wire;
use serde_json::Value;

/// Calls methods of a live gateway. The host implements it; docs/qa.md lists the methods with parameters and answers.
///
/// What a retry relies on: a call that was *refused* is not remembered under its idempotency key, and a call that was
/// *accepted* is, so that the same key gives its outcome and does nothing twice.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// Calls `method`. It should end within `deadline`; it is dropped a second later, which counts as no answer.
    ///
    /// # Errors
    /// The gateway's error in wire form; [`read_error`](crate::read_error) makes it from an error object. A failure of
    /// the transport is an error that is not local contention, such as `local.unclassified`.
    async fn call(&self, method: &str, params: Value, deadline: Duration) -> Result<Value, Wire>;
}
