//! The conversation as it is told to a model.

use serde_json::Value;

/// A tool the model wants to be called.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolCall {
    /// The call's id, by which its result is matched.
    pub id: String,
    /// The tool.
    pub name: String,
    /// Its arguments.
    pub arguments: Value,
}

/// One message. `raw` is the message object of the transcript, for providers that understand more than the text.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// What the user, another agent or a program said.
    User {
        /// The text.
        text: String,
        /// The object in the transcript.
        raw: Value,
    },
    /// What the model said.
    Assistant {
        /// The text.
        text: String,
        /// The tools it wanted.
        calls: Vec<ToolCall>,
        /// The object in the transcript.
        raw: Value,
    },
    /// What a tool gave back.
    ToolResult {
        /// The call.
        call_id: String,
        /// The tool.
        name: String,
        /// The text.
        text: String,
        /// The tool failed.
        is_error: bool,
        /// The object in the transcript.
        raw: Value,
    },
}

impl Message {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::User { text, .. } | Self::Assistant { text, .. } | Self::ToolResult { text, .. } => text,
        }
    }
}
