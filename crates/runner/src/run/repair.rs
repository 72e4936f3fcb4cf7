//! The port through which a host makes a request fit again.
//!
//! The policy calls some failures repairable, once: a conversation that is too long for every candidate, a replayed item that
//! is not accepted any more, a provider-side session that is gone. Only the host knows how: it compacts with a model of its
//! choice, drops what cannot be replayed, or begins a new provider session. Without this port such a failure is surfaced.

use async_trait::async_trait;
use moorline_taxonomy::Code;

use super::{message::Message, model::ModelRequest};
use crate::RunWriter;

/// Makes a request fit again.
#[async_trait]
pub trait Repair: Send + Sync {
    /// The conversation to ask with instead; `None` when nothing can be done. Called at most once in a turn, without the lock.
    ///
    /// What the session shall remember of it is written through `writer`: a [`crate::Draft::compaction`] written as
    /// [`crate::WriteAs::Turn`] becomes the next step of the branch, and later turns begin at what it kept.
    async fn repair(&self, code: Code, request: &ModelRequest, writer: &RunWriter) -> Option<Vec<Message>>;
}
