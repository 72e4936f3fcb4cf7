//! The verdict: what one failed call was, and how we know.
//!
//! Three nouns for three questions. The *class* ([`Code`]) says what it is and alone selects the row of the policy
//! table. The *scope* says what is unwell, because one class needs different recovery: a rate limit of one model must
//! not cool a whole credential. The *retry* word says what the failed side allows for this same request. The option
//! not taken is one flat reason enum, which cannot say any of this; it is still derived for programs that know it.
//!
//! What must stay true: a verdict is a value. It survives serialising, and equal signals give equal verdicts.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use moorline_taxonomy::{Code, Provider, Request};
use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// The word on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What is unwell, from the smallest to the largest.
    Scope {
        /// This request, whoever serves it.
        Request = "request",
        /// This model at this provider for this credential.
        Model = "model",
        /// This credential, for every model.
        Credential = "credential",
        /// The provider, for everybody.
        Provider = "provider",
        /// A provider behind the one that was called. The caller's own credential is healthy.
        Upstream = "upstream",
    }
}

words! {
    /// What the class was read from, strongest first.
    Evidence {
        /// The taxonomy's own word, set at the call site.
        Provenance = "provenance",
        /// A response header.
        Header = "header",
        /// A documented error code.
        Code = "code",
        /// A documented error type or status word.
        Type = "type",
        /// A code or type of a provider behind the one that was called.
        NestedUpstream = "nested_upstream",
        /// The HTTP status.
        Status = "status",
        /// A rule over the message.
        Text = "text",
        /// A transport failure: no answer was received.
        Transport = "transport",
        /// Nothing said anything.
        None = "none",
    }
}

words! {
    /// How sure the class is.
    Certainty {
        /// The provider documents exactly this.
        Certain = "certain",
        /// Documented wording or status; another reading is possible.
        Likely = "likely",
        /// Nothing specific was found.
        Guess = "guess",
    }
}

/// What the failed side allows for the same request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Sending it again cannot help, or the server forbids it.
    Forbidden,
    /// At once.
    Now,
    /// After this delay, as stated.
    After(Duration),
    /// At this time, as stated.
    At(SystemTime),
    /// After a delay of the caller's choosing; none was stated.
    Backoff,
}

impl Retry {
    /// The word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forbidden => "forbidden",
            Self::Now => "now",
            Self::After(_) => "after",
            Self::At(_) => "at",
            Self::Backoff => "backoff",
        }
    }

    /// How long the failed side asked to wait, seen from `now`. `None` where it forbids or states nothing.
    #[must_use]
    pub fn wait(self, now: SystemTime) -> Option<Duration> {
        match self {
            Self::Now => Some(Duration::ZERO),
            Self::After(delay) => Some(delay),
            Self::At(time) => Some(time.duration_since(now).unwrap_or(Duration::ZERO)),
            Self::Forbidden | Self::Backoff => None,
        }
    }
}

/// When the failed side says it will be well again. Kept apart from [`Retry`], because an exhausted budget may state
/// its reset and still forbid a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stated {
    /// After this delay.
    After(Duration),
    /// At this time.
    At(SystemTime),
}

impl Stated {
    /// The instant it names, seen from `now`.
    #[must_use]
    pub fn at(self, now: SystemTime) -> SystemTime {
        match self {
            Self::After(delay) => now.checked_add(delay).unwrap_or(now),
            Self::At(time) => time,
        }
    }
}

/// What one failed call was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The class.
    pub code: Code,
    /// The flat reason that older programs know; `None` for what is not a provider's or a request's failure. The finer
    /// request classes carry the coarse word on which those programs do the same.
    pub reason: Option<Cow<'static, str>>,
    /// What is unwell.
    pub scope: Scope,
    /// What the failed side allows.
    pub retry: Retry,
    /// When it says it will be well again, if it does.
    pub stated: Option<Stated>,
    /// What the class was read from.
    pub evidence: Evidence,
    /// How sure the class is.
    pub certainty: Certainty,
    /// The rule that decided; stable, for audits. `none` when nothing did.
    pub rule: Cow<'static, str>,
    /// Whether the rule says that another model could take this request although the class says stop.
    pub model_specific: bool,
    /// Delays that were stated in a form nobody understands. They are ignored, and this counts them.
    pub unparsable_delays: u8,
}

/// The usual flat reason of a class; see [`Verdict::reason`].
#[must_use]
pub(crate) const fn flat_reason(code: Code) -> Option<&'static str> {
    match code {
        Code::Provider(code) => Some(code.name()),
        // A request with too many bytes is shortened like one with too many tokens; rules about one image say `format`.
        Code::Request(Request::ContextOverflow | Request::PayloadTooLarge) => {
            Some(Request::ContextOverflow.name())
        }
        Code::Request(Request::ContentPolicy) => Some(Request::ContentPolicy.name()),
        Code::Request(Request::Format | Request::ReplayInvalid) => Some(Request::Format.name()),
        Code::Request(Request::Unsatisfiable) => Some(Provider::RateLimit.name()),
        Code::Coordination(_) | Code::Cancelled(_) | Code::Local(_) | Code::Delivery(_) => None,
    }
}

/// The scope of a class where no rule says otherwise.
pub(crate) const fn usual_scope(code: Code) -> Scope {
    match code {
        Code::Provider(
            Provider::RateLimit | Provider::Billing | Provider::Auth | Provider::AuthPermanent,
        ) => Scope::Credential,
        Code::Provider(Provider::Overloaded | Provider::ModelNotFound | Provider::EmptyResponse) => {
            Scope::Model
        }
        Code::Provider(Provider::ServerError | Provider::Timeout | Provider::Unknown) => Scope::Provider,
        Code::Provider(Provider::SessionExpired)
        | Code::Request(_)
        | Code::Coordination(_)
        | Code::Cancelled(_)
        | Code::Local(_)
        | Code::Delivery(_) => Scope::Request,
    }
}

/// Whether sending the same request to the same place again can help at all, whatever headers say.
pub(crate) const fn may_retry(code: Code) -> bool {
    match code {
        Code::Provider(
            Provider::RateLimit
            | Provider::Overloaded
            | Provider::ServerError
            | Provider::Timeout
            | Provider::EmptyResponse
            | Provider::Unknown,
        ) => true,
        Code::Provider(
            Provider::Billing
            | Provider::Auth
            | Provider::AuthPermanent
            | Provider::ModelNotFound
            | Provider::SessionExpired,
        )
        | Code::Request(_)
        | Code::Coordination(_)
        | Code::Cancelled(_)
        | Code::Local(_)
        | Code::Delivery(_) => false,
    }
}
