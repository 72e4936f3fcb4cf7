//! What a delivery failure turned out to be.
//!
//! Three axes instead of one word: the code says what failed, the effect says whether the message may have been seen
//! all the same, the scope says who else has to wait. A flat class would have to choose between "transient" and "may
//! have been delivered" for a timeout, which is both.

use std::time::Duration;

use moorline_taxonomy::{Code, Delivery, Effect};

/// A classified delivery failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryVerdict {
    /// What failed.
    pub code: Delivery,
    /// May the message have been seen?
    pub effect: Effect,
    /// The pause that the channel asked for. Only a code that is retried carries one.
    pub retry_after: Option<Duration>,
    /// Who has to wait, for a rate limit.
    pub scope: Option<Scope>,
    /// The target's new address, where the channel named it.
    pub moved_to: Option<String>,
    /// The channel whose answer it is, where the error names it or has its shape and it has a table.
    pub channel: Option<&'static str>,
    /// The rule that decided; stable, for audits. `none` when no rule did.
    pub rule: &'static str,
    /// What the rule looked at.
    pub evidence: DeliveryEvidence,
    /// How far to trust it.
    pub certainty: Certainty,
}

impl DeliveryVerdict {
    /// The code in the taxonomy.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code.into()
    }
}

/// Who a rate limit applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Messages to this chat.
    Chat,
    /// Everything this bot or account sends.
    Bot,
    /// Everybody; the channel itself is short of capacity.
    Global,
}

impl Scope {
    /// The word used in tables and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Bot => "bot",
            Self::Global => "global",
        }
    }
}

/// What a delivery rule looked at, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DeliveryEvidence {
    /// A code or field that the channel documents.
    Code,
    /// An error code of the operating system or the HTTP client.
    Transport,
    /// The HTTP status alone.
    Status,
    /// Anchored text.
    Text,
    /// Nothing.
    None,
}

impl DeliveryEvidence {
    /// The word used in tables and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Transport => "transport",
            Self::Status => "status",
            Self::Text => "text",
            Self::None => "none",
        }
    }
}

/// How far to trust a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// The channel documents it.
    Certain,
    /// A documented text, or a status whose meaning is general.
    Likely,
    /// A last resort.
    Guess,
}

impl Certainty {
    /// The word used in tables and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
            Self::Guess => "guess",
        }
    }
}
