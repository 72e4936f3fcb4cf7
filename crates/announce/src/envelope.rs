//! What is sent: an address and a body.

use moorline_taxonomy::Wire;
use serde::{Deserialize, Serialize};

use crate::{Key, Record, State};

/// A message as the transport gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Where it goes; a session key or whatever the transport understands. A channel that says "moved" changes it.
    pub to: String,
    /// Whose rate limit it counts towards, such as a channel and account. Empty: nobody's.
    pub channel: String,
    /// What is said.
    pub body: Body,
}

impl Envelope {
    /// A result for `to`, under no channel's rate limit.
    pub fn result(to: impl Into<String>, text: impl Into<String>) -> Self {
        Self { to: to.into(), channel: String::new(), body: Body::Result(text.into()) }
    }

    /// Counts it towards the rate limit of `channel`.
    #[must_use]
    pub fn through(mut self, channel: impl Into<String>) -> Self {
        self.channel = channel.into();
        self
    }
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// A child's result.
    Result(String),
    /// The notice that a result could not be delivered.
    GaveUp(Box<GiveUp>),
}

/// What the requester is told when a result is given up: everything it needs to go on without it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GiveUp {
    /// The announce that was given up.
    pub of: Key,
    /// How it ended: rejected or expired.
    pub state: State,
    /// The last typed cause. Its effect says whether the result may have been seen.
    pub cause: Wire,
    /// Every attempt, in order.
    pub attempts: Vec<Record>,
    /// The result itself, so that it is not lost with its delivery.
    pub result: String,
}
