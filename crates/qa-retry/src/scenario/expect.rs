//! What a scenario expects.
//!
//! `reply`, `send`, `outcome`, `error` and `attempts` look at the step before; `history`, `toolCall` and `announce` ask the
//! gateway. Whatever is not as expected is a failure of the scenario and is never asked again: a check that passes at the
//! second look has found a race, and a `wait` step is how a scenario says that something takes time.

use moorline_taxonomy::Code;
use serde::Deserialize;

/// Checks; all that are stated must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExpectStep {
    /// The reply of the last send, agent or `wait for: run` step.
    pub reply: Option<TextMatch>,
    /// The separate facts of the last send.
    pub send: Option<SendFacts>,
    /// The outcome word of the last run.
    pub outcome: Option<String>,
    /// The error of the step before, which then does not fail the scenario.
    pub error: Option<ErrorMatch>,
    /// How often the step before was tried.
    pub attempts: Option<AttemptsMatch>,
    /// Messages of a transcript.
    pub history: Option<HistoryMatch>,
    /// Calls of a tool in a transcript.
    pub tool_call: Option<ToolCallMatch>,
    /// Rows of the announce outbox.
    pub announce: Option<AnnounceMatch>,
}

impl ExpectStep {
    /// The fields that are stated, as scenarios write them.
    #[must_use]
    pub fn subjects(&self) -> Vec<&'static str> {
        // Taken apart, so that a new field is not forgotten here.
        let Self { reply, send, outcome, error, attempts, history, tool_call, announce } = self;
        let stated = [
            (reply.is_some(), "reply"),
            (send.is_some(), "send"),
            (outcome.is_some(), "outcome"),
            (error.is_some(), "error"),
            (attempts.is_some(), "attempts"),
            (history.is_some(), "history"),
            (tool_call.is_some(), "toolCall"),
            (announce.is_some(), "announce"),
        ];
        stated.into_iter().filter_map(|(stated, name)| stated.then_some(name)).collect()
    }
}

/// A text that is this, or has this in it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum TextMatch {
    /// The whole text.
    Equals(String),
    /// A part of it, to the letter.
    Contains(String),
}

/// What became of a send. Facts that are not stated are not checked.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SendFacts {
    /// The gateway took it.
    pub accepted: Option<bool>,
    /// It is in the receiver's transcript.
    pub delivered: Option<bool>,
    /// The receiver's reply came within the time.
    pub replied: Option<bool>,
}

/// An error, by its code. Its text is never looked at.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ErrorMatch {
    /// The code, `domain.name`.
    pub code: Code,
}

/// Attempts of the step before, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AttemptsMatch {
    /// At least.
    pub min: Option<u32>,
    /// At most.
    pub max: Option<u32>,
}

/// Messages of a transcript: those with the role and the text are counted.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HistoryMatch {
    /// The session; `{child}` is the session of the last spawn.
    pub key: String,
    /// Only messages of this role.
    #[serde(default)]
    pub role: Option<String>,
    /// Only messages with this text in them.
    #[serde(default)]
    pub contains: Option<String>,
    /// Exactly so many; at least one if not stated.
    #[serde(default)]
    pub count: Option<usize>,
}

/// Calls of a tool in a transcript.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ToolCallMatch {
    /// The session; `{child}` is the session of the last spawn.
    pub key: String,
    /// The tool.
    pub name: String,
    /// Exactly so many; at least one if not stated.
    #[serde(default)]
    pub count: Option<usize>,
}

/// Rows of the announce outbox: those with requester and state are counted.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AnnounceMatch {
    /// The session that gets the result.
    pub requester: String,
    /// Only rows in this state, such as `delivered`.
    #[serde(default)]
    pub state: Option<String>,
    /// Exactly so many; at least one if not stated.
    #[serde(default)]
    pub count: Option<usize>,
}
