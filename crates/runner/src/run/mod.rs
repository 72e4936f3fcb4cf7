//! The run: one turn of a session, from the user's message to exactly one outcome.

mod beginning;
mod candidates;
mod done;
mod halt;
mod inbox;
mod known;
mod message;
mod model;
mod outcome;
pub(crate) mod prompt_cache;
mod record;
mod repair;
mod runner;
mod steps;
mod tool;
mod turn;
mod writing;

pub use inbox::Inbox;
pub use message::{Message, ToolCall};
pub use model::{
    Candidate, Model, ModelError, ModelReply, ModelRequest, Nothing, StopReason, StreamSink, ToolSpec, Usage,
};
pub use outcome::{Failure, Reply, RunOutcome, Superseded};
pub use prompt_cache::{CacheError, CacheLedger, PromptCache};
pub use repair::Repair;
pub use runner::Runner;
pub use tool::{ToolContext, ToolEffect, ToolError, ToolHost, ToolResult};
pub use turn::{Incoming, Turn};
