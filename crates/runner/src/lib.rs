//! Embedded attempts: a session's turn, run so that other writers of the same session are survived.
//!
//! A [`Runner`] acquires the session lock, appends the user's message, lets the lock go while the model thinks, comes
//! back, verifies what happened to the transcript meanwhile, and appends. Other people's metadata is merged; another
//! writer's message is a *takeover*, and then nothing more is written and the reply that was paid for is parked. Every
//! run ends with exactly one [`RunOutcome`].
//!
//! Three layers, each usable without the ones above: the lock window ([`Attempt`], for any file of lines through the
//! [`Transcript`] port), the session model ([`Session`], JSON Lines of the OpenClaw generation), and the run.
//!
//! What must stay true: the lock is never held across a model call or a tool; nothing is written after a takeover; a
//! disposed attempt never acquires again. Nothing here reads the environment or spawns a task.
//!
//! Reading order: `attempt/window.rs`, `attempt/reconcile.rs`, `transcript/merge.rs`, `run/runner.rs`.

mod attempt;
mod clock;
#[cfg(feature = "prompt-cache")]
mod gemini;
mod ids;
mod parked;
mod run;
mod stop;
mod transcript;

pub use attempt::{Attempt, AttemptError, Locked, Opening, Released, RunWriter, TakeoverCause};
#[cfg(feature = "prompt-cache")]
pub use gemini::{GeminiCache, Retention};
pub use parked::{Parked, ParkedError, append_parked, dismiss_parked, list_parked, parked_path};
pub use run::{
    CacheError, CacheLedger, Candidate, Failure, Inbox, Incoming, Message, Model, ModelError, ModelReply,
    ModelRequest, Nothing, PromptCache, Repair, Reply, RunOutcome, Runner, StopReason, StreamSink,
    Superseded, ToolCall, ToolContext, ToolEffect, ToolError, ToolHost, ToolResult, ToolSpec, Turn, Usage,
};
pub use stop::Stop;
pub use transcript::{
    Added, Draft, Entry, Jsonl, Kind, Lines, Merged, NewSession, Origin, Provenance, Scan, Session,
    SessionError, SessionHeader, Tip, Transcript, Unfinished, WriteAs, append_entry, create_session,
    fork_session, read_session, scan_session,
};
