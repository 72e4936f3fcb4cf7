//! One row of the outbox: an announce and everything that happened to it.
//!
//! A row is a value. Only [`plan`](crate::plan) makes the next version of one, and only an [`Outbox`](crate::Outbox)
//! keeps it. `version` counts its writes; a writer that read an older one loses, so that two writers cannot both send.

use moorline_taxonomy::Wire;
use serde::{Deserialize, Serialize};

use crate::{Body, Envelope, Key, Path, Timestamp};

/// Where an announce stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Kept; nothing is on its way.
    Prepared,
    /// Handed to the transport, whose receipt is not in yet.
    Sending,
    /// It may have been delivered. Looked up by key, never blindly resent.
    Uncertain,
    /// The receiver has it. Terminal.
    Delivered,
    /// Refused for good, or dismissed by an operator. Terminal.
    Rejected,
    /// There was nothing to say. Terminal, and a success.
    Silent,
    /// Given up: time, attempts or certainty ran out. Terminal.
    Expired,
}

impl State {
    /// Every state, in the order of its life.
    pub const ALL: [Self; 7] = [
        Self::Prepared,
        Self::Sending,
        Self::Uncertain,
        Self::Delivered,
        Self::Rejected,
        Self::Silent,
        Self::Expired,
    ];

    /// The word used in tables, in the store and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Sending => "sending",
            Self::Uncertain => "uncertain",
            Self::Delivered => "delivered",
            Self::Rejected => "rejected",
            Self::Silent => "silent",
            Self::Expired => "expired",
        }
    }

    /// The state that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing more happens by itself.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Prepared | Self::Sending | Self::Uncertain => false,
            Self::Delivered | Self::Rejected | Self::Silent | Self::Expired => true,
        }
    }
}

/// Why a row that is not terminal is not being worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Waiting {
    /// For its turn.
    Turn,
    /// For the next delay of the schedule.
    Backoff,
    /// For the pause that the channel asked for.
    Stated,
    /// For the first candidate to leave its cooldown.
    Parked,
    /// For the requester to be idle.
    Busy,
    /// For the receiver to say whether it was delivered.
    Confirmation,
}

impl Waiting {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::Turn, Self::Backoff, Self::Stated, Self::Parked, Self::Busy, Self::Confirmation];

    /// The word used in tables, in the store and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Backoff => "backoff",
            Self::Stated => "stated",
            Self::Parked => "parked",
            Self::Busy => "busy",
            Self::Confirmation => "confirmation",
        }
    }

    /// The reason that `word` names.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|waiting| waiting.as_str() == word)
    }
}

/// One thing that happened to an announce.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happened,
    /// Over which path, where a receipt said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Path>,
    /// The typed cause of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Wire>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// A send was refused before it had an effect.
    Refused,
    /// A send failed and may have had an effect.
    Broke,
    /// A send was not tried again until a stated time, because every candidate cools.
    Parked,
    /// The channel named a new address.
    Moved,
    /// The receiver took it and has yet to deliver it.
    Accepted,
    /// The receiver has it.
    Delivered,
    /// The receiver took it and had nothing to say.
    SaidNothing,
    /// The process ended between sending and the receipt.
    Interrupted,
    /// The receiver never had it and never will have that send.
    Absent,
    /// The receiver cannot say yet.
    NotKnown,
    /// The receiver never can say.
    NotKnowable,
    /// The lookup itself failed.
    LookupFailed,
    /// Time or attempts ran out.
    Expired,
    /// An operator asked for another try.
    Retried,
    /// An operator ended it.
    Dismissed,
}

/// An announce and everything that happened to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its number in the outbox, in order of arrival; 0 until the outbox gave it one.
    pub seq: u64,
    /// Counts its writes.
    pub version: u64,
    /// What it is about.
    pub key: Key,
    /// What is sent.
    pub envelope: Envelope,
    /// Where it stands.
    pub state: State,
    /// What it waits for.
    pub waiting: Waiting,
    /// Whether a send may have been seen and nothing has disproved it since.
    pub doubt: bool,
    /// Whether the target has moved once already.
    pub moved: bool,
    /// Sends begun since it was prepared or retried by an operator.
    pub sends: u32,
    /// Lookups begun since then.
    pub lookups: u32,
    /// When it was prepared.
    pub created_at: Timestamp,
    /// When it was written last.
    pub updated_at: Timestamp,
    /// When it is worked on next.
    pub due_at: Timestamp,
    /// When it is given up, unless it had too few attempts.
    pub expires_at: Timestamp,
    /// When it became terminal.
    pub settled_at: Option<Timestamp>,
    /// What happened, in order.
    pub history: Vec<Record>,
}

impl Row {
    /// The last typed cause.
    #[must_use]
    pub fn last_cause(&self) -> Option<&Wire> {
        self.history.iter().rev().find_map(|record| record.cause.as_ref())
    }

    /// The way that the last receipt named.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        self.history.iter().rev().find_map(|record| record.path)
    }

    /// The text of a result; `None` for a notice.
    #[must_use]
    pub fn result(&self) -> Option<&str> {
        match &self.envelope.body {
            Body::Result(text) => Some(text),
            Body::GaveUp(_) => None,
        }
    }
}
