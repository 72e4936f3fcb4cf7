//! The port to a model provider.
//!
//! What must stay true: an error carries a code of the taxonomy, since the runner decides by nothing else; only an
//! implementation that really called a provider may give a `provider.*` code.

use std::{error::Error, fmt, time::Duration};

use async_trait::async_trait;
use moorline_failover::CallError;
use moorline_taxonomy::{Code, Mark};
use serde_json::Value;

use super::message::{Message, ToolCall};

/// A model that may be tried.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Candidate {
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// The *name* of the credential, never the secret.
    pub credential: Option<String>,
    /// The context window in tokens, where it is known.
    pub window: Option<u64>,
    /// A provider-side cache that the host made itself; it is used as it is, and none is made beside it.
    pub cached_content: Option<String>,
}

impl Candidate {
    /// A model of a provider, with the provider's only credential.
    #[must_use]
    pub fn new(provider: &str, model: &str) -> Self {
        Self { provider: provider.to_owned(), model: model.to_owned(), ..Self::default() }
    }

    /// The same candidate as the failover chain keeps it.
    pub(super) fn for_chain(&self) -> moorline_failover::Candidate {
        let credential = self.credential.as_deref().unwrap_or_default();
        let candidate = moorline_failover::Candidate::new(&*self.provider, &*self.model, credential);
        match self.window {
            Some(window) => candidate.window_of(window),
            None => candidate,
        }
    }
}

/// A tool as the model is told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    /// The name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// JSON schema of its arguments.
    pub parameters: Value,
}

/// One model call.
#[derive(Clone, Debug)]
pub struct ModelRequest {
    /// The system prompt.
    pub system: String,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// The tools it may call.
    pub tools: Vec<ToolSpec>,
    /// The model that is asked.
    pub candidate: Candidate,
    /// The run, for the provider's logs.
    pub run_id: String,
    /// A provider-side cache entry that holds `system` and `tools`; the provider is asked with it instead of them.
    pub cached_content: Option<String>,
}

/// Why the model stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopReason {
    /// It was done.
    #[default]
    Stop,
    /// It ran into the output limit.
    Length,
    /// It waits for tools.
    ToolUse,
}

impl StopReason {
    /// The word in the transcript.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolUse => "toolUse",
        }
    }
}

/// Tokens used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens sent.
    pub input: u64,
    /// Tokens received.
    pub output: u64,
    /// Tokens read from the provider's cache.
    pub cache_read: u64,
    /// Tokens written to it.
    pub cache_write: u64,
}

/// What a model answered.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelReply {
    /// The text.
    pub text: String,
    /// The tools it wants.
    pub tool_calls: Vec<ToolCall>,
    /// Why it stopped.
    pub stop: StopReason,
    /// Tokens.
    pub usage: Usage,
    /// The content blocks as the transcript shall keep them (with signatures, say); empty: made from text and calls.
    pub content: Vec<Value>,
}

impl ModelReply {
    /// A finished answer of plain text.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

/// A model call failed. What it says is for people; its code decides.
///
/// Whoever calls a provider over HTTP hands on what the failover crate made of the answer
/// ([`moorline_failover::ProviderFailure::received`]); whoever knows the class itself states it.
#[derive(Debug)]
pub struct ModelError {
    message: String,
    mark: Mark,
    /// What the failover crate made of a provider's answer: it knows scope, evidence and rule, too.
    call: Option<Box<CallError>>,
}

impl ModelError {
    /// An error of this class.
    #[must_use]
    pub fn new(code: impl Into<Code>, message: impl Into<String>) -> Self {
        Self::marked(Mark::new(code), message)
    }

    /// An error with a mark of its own: effect, stated delay, cause.
    #[must_use]
    pub fn marked(mark: Mark, message: impl Into<String>) -> Self {
        Self { message: message.into(), mark, call: None }
    }

    /// When another try makes sense, as the provider said it.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.mark = self.mark.retry_after_is(delay);
        self
    }

    /// Keeps the cause.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.mark = self.mark.caused_by(cause);
        self
    }

    /// Code, effect and stated delay.
    #[must_use]
    pub fn mark(&self) -> &Mark {
        &self.mark
    }

    /// The classified call, where there is one.
    pub(super) fn into_call(self) -> Result<CallError, Self> {
        match self.call {
            Some(call) => Ok(*call),
            None => Err(self),
        }
    }
}

impl From<CallError> for ModelError {
    fn from(call: CallError) -> Self {
        let mark = Mark::new(call.code());
        Self { message: call.to_string(), mark, call: Some(Box::new(call)) }
    }
}

impl fmt::Display for ModelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for ModelError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.call {
            Some(call) if Mark::find(&**call).is_some() => call.source(),
            Some(_) | None => Some(&self.mark),
        }
    }
}

/// Where the model's words go while it speaks.
pub trait StreamSink: Send {
    /// More text.
    fn text(&mut self, delta: &str);
}

/// A sink for nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl StreamSink for Nothing {
    fn text(&mut self, _delta: &str) {}
}

/// A model provider.
///
/// The runner holds no lock while it waits for `call`, and drops the future when the run is stopped or its deadline passes:
/// the implementation must be cancel-safe in the sense that a dropped call costs at most its tokens.
#[async_trait]
pub trait Model: Send + Sync {
    /// Asks the model. Text that was given to `sink` counts as seen by the user: after it, the call is not repeated.
    ///
    /// # Errors
    /// With a code of the taxonomy.
    async fn call(&self, request: &ModelRequest, sink: &mut dyn StreamSink)
    -> Result<ModelReply, ModelError>;
}
