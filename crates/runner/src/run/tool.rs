//! The port to the host's tools.

use std::{error::Error, fmt, time::Instant};

use async_trait::async_trait;
use moorline_taxonomy::{Code, Mark};

use super::message::ToolCall;
use crate::{RunWriter, Stop};

/// What a call of a tool leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolEffect {
    /// It only looks. A turn that called nothing else may be run again from the start.
    None,
    /// It may change something outside the transcript.
    Possible,
}

/// What a tool gave back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolResult {
    /// The text for the model.
    pub text: String,
    /// It failed, and the text says how.
    pub is_error: bool,
}

/// A tool could not be called. The model is told, and the run goes on.
#[derive(Debug)]
pub struct ToolError {
    message: String,
    mark: Mark,
}

impl ToolError {
    /// An error of this class, with a text for the model.
    #[must_use]
    pub fn new(code: impl Into<Code>, message: impl Into<String>) -> Self {
        Self { message: message.into(), mark: Mark::new(code) }
    }

    /// The class.
    #[must_use]
    pub fn code(&self) -> Code {
        self.mark.code()
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ToolError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.mark)
    }
}

/// What a tool may use.
#[derive(Clone, Debug)]
pub struct ToolContext {
    /// The run that calls.
    pub run_id: String,
    /// Its session.
    pub session_key: String,
    /// Writes into the session for the run.
    pub writer: RunWriter,
    /// Ends when the run is stopped.
    pub stop: Stop,
    /// When the run must be done.
    pub deadline: Option<Instant>,
    /// How often this turn has asked for the very same before and heard that it was done. With the turn's key and what is asked
    /// for, it names the call: one whose outcome got lost, or that failed, has the same name when the model makes it again.
    pub done_before: usize,
}

/// The host's tools. The lock is not held while a tool works; a tool may take its time, and may send to its own session.
#[async_trait]
pub trait ToolHost: Send + Sync {
    /// Calls a tool. The runner drops the future when the run is stopped or its deadline passes.
    ///
    /// # Errors
    /// The tool could not be called; the model is told.
    async fn call(&self, call: &ToolCall, context: &ToolContext) -> Result<ToolResult, ToolError>;

    /// What a call of the tool leaves behind. When in doubt, [`ToolEffect::Possible`].
    fn effect(&self, name: &str) -> ToolEffect;
}
