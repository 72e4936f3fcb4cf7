//! The one policy table: what five consumers do about a code, given its effect.
//!
//! The decision: a function, total and exhaustive; every arm names its codes, so that a new code does not compile until
//! somebody decided what the runner, failover, prompt cache, announce and QA do about it. The option not taken is a method
//! on each consumer, which five people would keep in step by hand.
//!
//! What must stay true: the consumers never look at anything else than the code and the effect; docs/taxonomy.md is
//! rendered from this function by a test, and another test compares it with a table written by hand.

use serde::{Deserialize, Serialize};

use crate::{Code, Coordination, Delivery, Effect, Local, Provider, Request};

macro_rules! verdict {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// The word used in tables and on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

verdict! {
    /// What the embedded run does on the same candidate.
    RunnerVerdict {
        /// End the turn and tell the user.
        Surface = "surface",
        /// Another writer has the session: write nothing more, requeue or park.
        Takeover = "takeover",
        /// End quietly.
        Stop = "stop",
        /// Wait if the stated time is short.
        Wait = "wait",
        /// Change the request or the provider session, once.
        Repair = "repair",
        /// Try again, once or twice, if nothing was streamed.
        Retry = "retry",
    }
}
verdict! {
    /// What the candidate chain does.
    FailoverVerdict {
        /// The chain ends; no candidate is consumed, nothing cools.
        Stop = "stop",
        /// The next candidate; the failed scope cools as the class says.
        Next = "next",
        /// The same candidate again.
        Retry = "retry",
        /// Only a candidate that fits better.
        Repair = "repair",
    }
}
verdict! {
    /// What storing a prompt-cache entry does about the error.
    PromptCacheVerdict {
        /// The turn must know.
        Propagate = "propagate",
        /// Log it and go on without a cache.
        Ignore = "ignore",
    }
}
verdict! {
    /// What the announce outbox does.
    AnnounceVerdict {
        /// Send again later.
        Retry = "retry",
        /// Settle as rejected and wake the requester.
        Permanent = "permanent",
        /// Ask the receiver by key before anything is sent again.
        Reconcile = "reconcile",
        /// End without a verdict on the message.
        Stop = "stop",
        /// Neither retried nor settled by this error.
        None = "none",
    }
}
verdict! {
    /// What a QA run does.
    QaVerdict {
        /// Local contention: retry the smallest unit.
        Retry = "retry",
        /// The scenario failed.
        Fail = "fail",
    }
}

/// The verdicts of all five consumers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdicts {
    /// The embedded run.
    pub runner: RunnerVerdict,
    /// The candidate chain.
    pub failover: FailoverVerdict,
    /// The prompt cache.
    pub prompt_cache: PromptCacheVerdict,
    /// The announce outbox.
    pub announce: AnnounceVerdict,
    /// The QA harness.
    pub qa: QaVerdict,
}

/// What each consumer does about `code` when the failed call had `effect`.
///
/// ```
/// use moorline_taxonomy::{Coordination, Effect, FailoverVerdict, QaVerdict, policy};
/// let verdicts = policy(Coordination::LockStale.into(), Effect::None);
/// assert_eq!(verdicts.failover, FailoverVerdict::Stop);
/// assert_eq!(verdicts.qa, QaVerdict::Retry);
/// ```
#[must_use]
pub const fn policy(code: Code, effect: Effect) -> Verdicts {
    let row = row(code);
    Verdicts { announce: with_effect(row.announce, effect), ..row }
}

/// The effect override: announce may resend only what provably had no effect.
const fn with_effect(announce: AnnounceVerdict, effect: Effect) -> AnnounceVerdict {
    match (announce, effect) {
        (AnnounceVerdict::Retry, Effect::Possible | Effect::Done) => AnnounceVerdict::Reconcile,
        (AnnounceVerdict::Retry, Effect::None) => AnnounceVerdict::Retry,
        (
            AnnounceVerdict::Permanent
            | AnnounceVerdict::Reconcile
            | AnnounceVerdict::Stop
            | AnnounceVerdict::None,
            Effect::None | Effect::Possible | Effect::Done,
        ) => announce,
    }
}

const fn row(code: Code) -> Verdicts {
    use AnnounceVerdict as A;
    use FailoverVerdict as F;
    use PromptCacheVerdict::{Ignore, Propagate};
    use QaVerdict::{Fail, Retry};
    use RunnerVerdict as R;
    match code {
        Code::Coordination(
            Coordination::LockTimeout
            | Coordination::LockStale
            | Coordination::StorageBusy
            | Coordination::LaneTimeout,
        ) => verdicts(R::Surface, F::Stop, Propagate, A::Retry, Retry),
        Code::Coordination(
            Coordination::SessionTakeover | Coordination::WriterSuperseded | Coordination::LockLost,
        ) => verdicts(R::Takeover, F::Stop, Propagate, A::Reconcile, Fail),
        Code::Cancelled(_) => verdicts(R::Stop, F::Stop, Propagate, A::Stop, Fail),
        Code::Local(
            Local::DiskFull
            | Local::Permission
            | Local::TlsTrust
            | Local::Config
            | Local::UnsupportedFilesystem
            | Local::Bug
            | Local::Unclassified,
        ) => verdicts(R::Surface, F::Stop, Ignore, A::Permanent, Fail),
        Code::Request(
            Request::ContextOverflow
            | Request::PayloadTooLarge
            | Request::ReplayInvalid
            | Request::Unsatisfiable,
        ) => verdicts(R::Repair, F::Repair, Ignore, A::Permanent, Fail),
        Code::Request(Request::Format | Request::ContentPolicy) => {
            verdicts(R::Surface, F::Stop, Ignore, A::Permanent, Fail)
        }
        Code::Provider(Provider::RateLimit) => verdicts(R::Wait, F::Next, Ignore, A::Retry, Fail),
        Code::Provider(
            Provider::Overloaded | Provider::ServerError | Provider::Timeout | Provider::EmptyResponse,
        ) => verdicts(R::Retry, F::Next, Ignore, A::Retry, Fail),
        Code::Provider(
            Provider::Billing | Provider::Auth | Provider::AuthPermanent | Provider::ModelNotFound,
        ) => verdicts(R::Surface, F::Next, Ignore, A::Permanent, Fail),
        Code::Provider(Provider::SessionExpired) => verdicts(R::Repair, F::Next, Ignore, A::Permanent, Fail),
        Code::Provider(Provider::Unknown) => verdicts(R::Retry, F::Next, Ignore, A::None, Fail),
        Code::Delivery(Delivery::RateLimited | Delivery::Transient | Delivery::Pending) => {
            verdicts(R::Stop, F::Stop, Ignore, A::Retry, Fail)
        }
        Code::Delivery(Delivery::TargetGone | Delivery::Auth | Delivery::Payload) => {
            verdicts(R::Stop, F::Stop, Ignore, A::Permanent, Fail)
        }
        Code::Delivery(Delivery::Uncertain | Delivery::TargetMoved) => {
            verdicts(R::Stop, F::Stop, Ignore, A::Reconcile, Fail)
        }
    }
}

const fn verdicts(
    runner: RunnerVerdict,
    failover: FailoverVerdict,
    prompt_cache: PromptCacheVerdict,
    announce: AnnounceVerdict,
    qa: QaVerdict,
) -> Verdicts {
    Verdicts { runner, failover, prompt_cache, announce, qa }
}
