//! The codes: one closed enum per domain, and [`Code`] over them.
//!
//! A code is written `domain.name` everywhere outside this crate. The words are stable: programs, dashboards and
//! QA packs match on them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! domain {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every code of this domain, in the order of the policy table.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name without its domain.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
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
        /// The session lock was not had within the acquire budget.
        LockTimeout = "lock_timeout",
        /// A live owner holds the lock longer than it should; reported, never removed.
        LockStale = "lock_stale",
        /// The lock was taken from its owner, replaced or revoked while it was held.
        LockLost = "lock_lost",
        /// Another writer continued the session while the lock was released for a prompt.
        SessionTakeover = "session_takeover",
        /// A newer run owns the session; this one may write no more.
        WriterSuperseded = "writer_superseded",
        /// The session's lane did not get to this turn in time.
        LaneTimeout = "lane_timeout",
        /// The transcript or the store was briefly busy under another writer.
        StorageBusy = "storage_busy",
    }
}
domain! {
    /// Somebody who may do so ended the run.
    Cancelled {
        /// The user or an operator aborted it.
        User = "user",
        /// The caller went away.
        ClientGone = "client_gone",
        /// The process is going down.
        Shutdown = "shutdown",
    }
}
domain! {
    /// This machine, this configuration or this program; no provider is involved.
    Local {
        /// No space or quota left.
        DiskFull = "disk_full",
        /// The operating system refused access, or the file system is read-only.
        Permission = "permission",
        /// A certificate could not be trusted here.
        TlsTrust = "tls_trust",
        /// A configured value is missing or wrong.
        Config = "config",
        /// The file system lacks what the operation needs.
        UnsupportedFilesystem = "unsupported_filesystem",
        /// A defect of the program.
        Bug = "bug",
        /// Nobody recognises it and nothing shows that a provider was called.
        Unclassified = "unclassified",
    }
}
domain! {
    /// This request is at fault, whoever serves it.
    Request {
        /// More tokens than the model's window.
        ContextOverflow = "context_overflow",
        /// More bytes, images or attachments than accepted.
        PayloadTooLarge = "payload_too_large",
        /// The request is malformed for this interface.
        Format = "format",
        /// A replayed signature, encrypted item or previous response id is not accepted.
        ReplayInvalid = "replay_invalid",
        /// Refused for its content.
        ContentPolicy = "content_policy",
        /// One request asks for more than the limit can ever give.
        Unsatisfiable = "unsatisfiable",
    }
}
domain! {
    /// A model provider answered, or failed to.
    Provider {
        /// Too many requests or tokens for now.
        RateLimit = "rate_limit",
        /// The provider's own capacity is short.
        Overloaded = "overloaded",
        /// The provider failed inside.
        ServerError = "server_error",
        /// No answer in time, or the connection broke.
        Timeout = "timeout",
        /// Credit, quota or plan is used up.
        Billing = "billing",
        /// The credential was refused and may be refreshed.
        Auth = "auth",
        /// The credential is revoked, disabled or not entitled.
        AuthPermanent = "auth_permanent",
        /// The model does not exist for this credential.
        ModelNotFound = "model_not_found",
        /// The provider-side session is gone.
        SessionExpired = "session_expired",
        /// A success without content.
        EmptyResponse = "empty_response",
        /// A provider was called, and nobody recognises its answer.
        Unknown = "unknown",
    }
}
domain! {
    /// A channel or requester did not take a message.
    Delivery {
        /// The channel asks for a pause.
        RateLimited = "rate_limited",
        /// A passing fault of the channel or the network, before anything was sent.
        Transient = "transient",
        /// The chat, channel or requester no longer exists.
        TargetGone = "target_gone",
        /// The target has another address now.
        TargetMoved = "target_moved",
        /// The channel refused the sender.
        Auth = "auth",
        /// The channel refused the message itself.
        Payload = "payload",
        /// Not yet: the requester is busy or the channel is starting.
        Pending = "pending",
        /// It may have been delivered.
        Uncertain = "uncertain",
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
        Self::all()
            .find(|code| {
                text.split_once('.')
                    .is_some_and(|(domain, name)| domain == code.domain().as_str() && name == code.name())
            })
            // A code is short; what is longer is not one, and is not kept whole.
            .ok_or_else(|| ParseCodeError { text: text.chars().take(64).collect() })
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
