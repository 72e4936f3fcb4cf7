//! The codes: one closed enum per domain, and [`Code`] over them.
//!
//! A code is written `domain.name` everywhere outside this crate. The decision: one enum per domain, so that a function
//! can ask for a [`Coordination`] and get nothing else. The option not taken is one flat enum of 42, where every consumer
//! would have to remember which codes belong together.
//!
//! What must stay true: the words never change once published, since programs, dashboards and QA packs match on them;
//! every code reads back from its own words; the meaning is one sentence, the same in rustdoc and in docs/taxonomy.md.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! domain {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $word:literal, $meaning:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $(#[doc = $meaning] $variant),+ }

        impl $name {
            /// Every code of this domain, in the order of the policy table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name without its domain.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// What the code says, in one sentence; docs/taxonomy.md prints it.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning),+ }
            }
        }

        impl From<$name> for Code {
            fn from(code: $name) -> Self { Self::$name(code) }
        }
    };
}

domain! {
    /// A local who-may-write problem; never a model's fault.
    Coordination {
        LockTimeout = "lock_timeout", "The session lock was not had within the acquire budget.";
        LockStale = "lock_stale", "A live owner holds the lock longer than it should; reported, never removed.";
        LockLost = "lock_lost", "The lock was taken from its owner, replaced or revoked while it was held.";
        SessionTakeover = "session_takeover", "Another writer continued the session while the lock was released for a prompt.";
        WriterSuperseded = "writer_superseded", "A newer run owns the session; this one may write no more.";
        LaneTimeout = "lane_timeout", "The session's lane did not get to this turn in time.";
        StorageBusy = "storage_busy", "The transcript or the store was briefly busy under another writer.";
    }
}
domain! {
    /// Somebody who may do so ended the run.
    Cancelled {
        User = "user", "The user or an operator aborted it.";
        ClientGone = "client_gone", "The caller went away.";
        Shutdown = "shutdown", "The process is going down.";
    }
}
domain! {
    /// This machine, this configuration or this program; no provider is involved.
    Local {
        DiskFull = "disk_full", "No space or quota left.";
        Permission = "permission", "The operating system refused access, or the file system is read-only.";
        TlsTrust = "tls_trust", "A certificate could not be trusted here.";
        Config = "config", "A configured value is missing or wrong.";
        UnsupportedFilesystem = "unsupported_filesystem", "The file system lacks what the operation needs.";
        Bug = "bug", "A defect of the program.";
        Unclassified = "unclassified", "Nobody recognises it and nothing shows that a provider was called.";
    }
}
domain! {
    /// This request is at fault, whoever serves it.
    Request {
        ContextOverflow = "context_overflow", "More tokens than the model's window.";
        PayloadTooLarge = "payload_too_large", "More bytes, images or attachments than accepted.";
        Format = "format", "The request is malformed for this interface.";
        ReplayInvalid = "replay_invalid", "A replayed signature, encrypted item or previous response id is not accepted.";
        ContentPolicy = "content_policy", "Refused for its content.";
        Unsatisfiable = "unsatisfiable", "One request asks for more than the limit can ever give.";
    }
}
domain! {
    /// A model provider answered, or failed to.
    Provider {
        RateLimit = "rate_limit", "Too many requests or tokens for now.";
        Overloaded = "overloaded", "The provider's own capacity is short.";
        ServerError = "server_error", "The provider failed inside.";
        Timeout = "timeout", "No answer in time, or the connection broke.";
        Billing = "billing", "Credit, quota or plan is used up.";
        Auth = "auth", "The credential was refused and may be refreshed.";
        AuthPermanent = "auth_permanent", "The credential is revoked, disabled or not entitled.";
        ModelNotFound = "model_not_found", "The model does not exist for this credential.";
        SessionExpired = "session_expired", "The provider-side session is gone.";
        EmptyResponse = "empty_response", "A success without content.";
        Unknown = "unknown", "A provider was called, and nobody recognises its answer.";
    }
}
domain! {
    /// A channel or requester did not take a message.
    Delivery {
        RateLimited = "rate_limited", "The channel asks for a pause.";
        Transient = "transient", "A passing fault of the channel or the network, before anything was sent.";
        TargetGone = "target_gone", "The chat, channel or requester no longer exists.";
        TargetMoved = "target_moved", "The target has another address now.";
        Auth = "auth", "The channel refused the sender.";
        Payload = "payload", "The channel refused the message itself.";
        Pending = "pending", "Not yet: the requester is busy or the channel is starting.";
        Uncertain = "uncertain", "It may have been delivered.";
    }
}

/// The domain of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Domain {
    /// See [`Coordination`].
    Coordination,
    /// See [`Cancelled`].
    Cancelled,
    /// See [`Local`].
    Local,
    /// See [`Request`].
    Request,
    /// See [`Provider`].
    Provider,
    /// See [`Delivery`].
    Delivery,
}

impl Domain {
    /// Every domain, in the order of the policy table.
    pub const ALL: [Self; 6] =
        [Self::Coordination, Self::Cancelled, Self::Local, Self::Request, Self::Provider, Self::Delivery];

    /// The word before the dot.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Coordination => "coordination",
            Self::Cancelled => "cancelled",
            Self::Local => "local",
            Self::Request => "request",
            Self::Provider => "provider",
            Self::Delivery => "delivery",
        }
    }
}

/// The stable class of an error.
///
/// ```
/// use moorline_taxonomy::{Code, Coordination};
/// let code: Code = "coordination.lock_stale".parse()?;
/// assert_eq!(code, Code::Coordination(Coordination::LockStale));
/// assert_eq!(code.to_string(), "coordination.lock_stale");
/// # Ok::<(), moorline_taxonomy::ParseCodeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// A local who-may-write problem.
    Coordination(Coordination),
    /// Ended by somebody who may.
    Cancelled(Cancelled),
    /// This machine or program.
    Local(Local),
    /// This request.
    Request(Request),
    /// A model provider.
    Provider(Provider),
    /// A channel or requester.
    Delivery(Delivery),
}

impl Code {
    /// Every code, domain by domain.
    pub fn all() -> impl Iterator<Item = Self> {
        let coordination = Coordination::ALL.iter().copied().map(Self::from);
        let cancelled = Cancelled::ALL.iter().copied().map(Self::from);
        let local = Local::ALL.iter().copied().map(Self::from);
        let request = Request::ALL.iter().copied().map(Self::from);
        let provider = Provider::ALL.iter().copied().map(Self::from);
        let delivery = Delivery::ALL.iter().copied().map(Self::from);
        coordination.chain(cancelled).chain(local).chain(request).chain(provider).chain(delivery)
    }

    /// The code that `text` is, if it is one. Reading foreign errors asks this of many words, so a no costs nothing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        fn named<C: Copy + Into<Code>>(all: &[C], is: impl Fn(C) -> bool) -> Option<Code> {
            all.iter().copied().find(|code| is(*code)).map(Into::into)
        }
        let (domain, name) = text.split_once('.')?;
        match Domain::ALL.into_iter().find(|known| known.as_str() == domain)? {
            Domain::Coordination => named(Coordination::ALL, |code| code.name() == name),
            Domain::Cancelled => named(Cancelled::ALL, |code| code.name() == name),
            Domain::Local => named(Local::ALL, |code| code.name() == name),
            Domain::Request => named(Request::ALL, |code| code.name() == name),
            Domain::Provider => named(Provider::ALL, |code| code.name() == name),
            Domain::Delivery => named(Delivery::ALL, |code| code.name() == name),
        }
    }

    /// The domain.
    #[must_use]
    pub const fn domain(self) -> Domain {
        match self {
            Self::Coordination(_) => Domain::Coordination,
            Self::Cancelled(_) => Domain::Cancelled,
            Self::Local(_) => Domain::Local,
            Self::Request(_) => Domain::Request,
            Self::Provider(_) => Domain::Provider,
            Self::Delivery(_) => Domain::Delivery,
        }
    }

    /// The name without its domain.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Coordination(code) => code.name(),
            Self::Cancelled(code) => code.name(),
            Self::Local(code) => code.name(),
            Self::Request(code) => code.name(),
            Self::Provider(code) => code.name(),
            Self::Delivery(code) => code.name(),
        }
    }

    /// What the code says, in one sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Coordination(code) => code.meaning(),
            Self::Cancelled(code) => code.meaning(),
            Self::Local(code) => code.meaning(),
            Self::Request(code) => code.meaning(),
            Self::Provider(code) => code.meaning(),
            Self::Delivery(code) => code.meaning(),
        }
    }

    /// The code that programs of the OpenClaw generation know for the same thing; only the two lock codes have one.
    #[must_use]
    pub const fn legacy(self) -> Option<&'static str> {
        match self {
            Self::Coordination(Coordination::LockTimeout) => Some("OPENCLAW_SESSION_WRITE_LOCK_TIMEOUT"),
            Self::Coordination(Coordination::LockStale) => Some("OPENCLAW_SESSION_WRITE_LOCK_STALE"),
            Self::Coordination(
                Coordination::LockLost
                | Coordination::SessionTakeover
                | Coordination::WriterSuperseded
                | Coordination::LaneTimeout
                | Coordination::StorageBusy,
            )
            | Self::Cancelled(_)
            | Self::Local(_)
            | Self::Request(_)
            | Self::Provider(_)
            | Self::Delivery(_) => None,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.domain().as_str(), self.name())
    }
}

/// The text is not a code of this version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a Moorline code; codes are written domain.name, as in coordination.lock_stale")]
pub struct ParseCodeError {
    text: String,
}

impl FromStr for Code {
    type Err = ParseCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A code is short; what is longer is not one, and is not kept whole.
        Self::parse(text).ok_or_else(|| ParseCodeError { text: text.chars().take(64).collect() })
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back() {
        assert_eq!(Code::all().count(), 42);
        for code in Code::all() {
            assert_eq!(code.to_string().parse(), Ok(code));
        }
    }

    #[test]
    fn what_is_not_a_code_is_named_and_cut() {
        let error = Code::from_str(&"x".repeat(1000)).unwrap_err();
        assert!(error.to_string().len() < 200);
        assert!(Code::from_str("lock_stale").is_err());
        assert!(Code::from_str("provider.lock_stale").is_err());
    }
}
