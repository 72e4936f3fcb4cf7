//! The steps of a scenario that do something.
//!
//! In every text, `{run}` stands for the id of the run: a scenario that is run again against the same gateway needs
//! sessions that nobody has written to.

use std::{fmt, time::Duration};

use serde::Deserialize;

use super::{ExpectStep, millis};

/// How long a send, an agent's turn or a wait may take when the step says nothing else.
const PATIENCE: Duration = Duration::from_secs(30);

/// One step; the smallest unit that is retried.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// `sessions.create`.
    Create(CreateStep),
    /// `sessions.send`.
    Send(SendStep),
    /// `sessions.spawn`.
    Spawn(SpawnStep),
    /// `agent`: a turn of a session as its user would take it.
    Agent(AgentStep),
    /// Waits until something is so.
    Wait(WaitStep),
    /// Checks what the step before did, or what the gateway has.
    Expect(ExpectStep),
    /// Holds a session's lock against the gateway while the next steps run.
    Contention(ContentionStep),
}

/// Creates a session.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateStep {
    /// Its key.
    pub key: String,
}

/// Sends a message to a session.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SendStep {
    /// The sending session; without it, an outside caller.
    #[serde(default)]
    pub from: Option<String>,
    /// The receiving session.
    pub to: String,
    /// The message.
    pub message: String,
    /// How long to wait for the reply.
    #[serde(rename = "timeoutMs", default = "patience", deserialize_with = "millis::one")]
    pub timeout: Duration,
    /// Turns of ping-pong, 0 to 20.
    #[serde(default)]
    pub max_ping_pong: Option<u8>,
}

/// Starts a child run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpawnStep {
    /// The session that gets the result.
    pub requester: String,
    /// The agent that does it.
    #[serde(default)]
    pub agent: Option<String>,
    /// What it is to do.
    pub task: String,
}

/// Takes a turn.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentStep {
    /// The session.
    pub key: String,
    /// The message of its user.
    pub message: String,
    /// How long the turn may take.
    #[serde(rename = "timeoutMs", default = "patience", deserialize_with = "millis::one")]
    pub timeout: Duration,
}

/// What a wait waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WaitFor {
    /// Announces to `requester` are settled.
    Announce,
    /// Session `key` has no turn under way and none waiting.
    Idle,
    /// The run that the last send, spawn or agent step started has ended.
    Run,
}

impl WaitFor {
    /// The word that scenarios use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Announce => "announce",
            Self::Idle => "idle",
            Self::Run => "run",
        }
    }
}

/// Waits.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WaitStep {
    /// What for.
    #[serde(rename = "for")]
    pub what: WaitFor,
    /// With `announce`: the session whose announces count.
    #[serde(default)]
    pub requester: Option<String>,
    /// With `announce`: how many must be settled; 1 if not stated.
    #[serde(default)]
    pub count: Option<u32>,
    /// With `idle`: the session.
    #[serde(default)]
    pub key: Option<String>,
    /// How long at most.
    #[serde(rename = "timeoutMs", default = "patience", deserialize_with = "millis::one")]
    pub timeout: Duration,
}

/// Holds a lock.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContentionStep {
    /// The session.
    pub key: String,
    /// How long, from the moment it is held.
    #[serde(rename = "holdMs", deserialize_with = "millis::one")]
    pub hold: Duration,
}

fn patience() -> Duration {
    PATIENCE
}

impl Step {
    /// The word that scenarios use.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Send(_) => "send",
            Self::Spawn(_) => "spawn",
            Self::Agent(_) => "agent",
            Self::Wait(_) => "wait",
            Self::Expect(_) => "expect",
            Self::Contention(_) => "contention",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create(step) => write!(f, "create {}", step.key),
            Self::Send(step) => write!(f, "send to {}", step.to),
            Self::Spawn(step) => write!(f, "spawn for {}", step.requester),
            Self::Agent(step) => write!(f, "agent {}", step.key),
            Self::Wait(step) => write!(f, "wait for {}", step.what.as_str()),
            Self::Expect(step) => write!(f, "expect {}", step.subjects().join(", ")),
            Self::Contention(step) => write!(f, "contention on {}", step.key),
        }
    }
}
