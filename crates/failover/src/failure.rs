//! What a call may fail with, as the chain sees it.
//!
//! [`ProviderFailure`] has one constructor, [`ProviderFailure::received`], which takes what was received from the
//! provider. So a lock error cannot become one: no conversion exists, and a signal that shows no answer hands the
//! class of the error beneath it on instead. [`CallError`] keeps apart what the chain may act on (provider, request)
//! from what ends it without a candidate being consumed (local, coordination, cancelled).
//!
//! ```compile_fail,E0277
//! use moorline_failover::CallError;
//! use moorline_taxonomy::{Coordination, Mark};
//! // A lock error is not a failure of a call: nothing converts it.
//! let error: CallError = Mark::new(Coordination::LockTimeout).into();
//! ```
//!
//! ```compile_fail,E0451
//! use moorline_failover::ProviderFailure;
//! // The fields are private: only `received` makes one.
//! let failure = ProviderFailure { received: todo!() };
//! ```

use std::{error::Error, fmt};

use moorline_taxonomy::{Cancelled, Code, Local, Mark, RemoteError, Wire, foreign};
use serde_json::Value;

use crate::{
    classify::classify,
    explain,
    signal::{Provenance, Signal},
    verdict::{Retry, Stated, Verdict},
};

/// A boxed cause.
pub type Source = Box<dyn Error + Send + Sync>;

/// A provider's answer that was a failure, or the provider's silence.
#[derive(Debug)]
pub struct ProviderFailure {
    // Boxed, because results carry it through every call and most calls succeed.
    received: Box<Received>,
}

#[derive(Debug)]
struct Received {
    verdict: Verdict,
    provider: Option<String>,
    status: Option<u16>,
    beside: Option<Code>,
    mark: Mark,
}

impl ProviderFailure {
    /// What was received. The class decides which kind of call error that is.
    ///
    /// `source` is the client's own error; it is kept beneath. Where the signal shows no answer at all (no status, code,
    /// type, body or transport failure) and an error of ours lies beneath, that error decides, and the result is local.
    /// Where a provider did answer, its answer decides and a coordination error beneath is recorded
    /// [`beside`](Self::beside).
    ///
    /// ```
    /// use moorline_failover::{CallError, ProviderFailure, Signal};
    /// use moorline_taxonomy::{Coordination, Mark};
    /// let lock = || Mark::new(Coordination::LockTimeout);
    /// // Nobody answered: the lock error decides.
    /// assert!(matches!(ProviderFailure::received(&Signal::new(), lock()), CallError::Local(_)));
    /// // A provider answered: it decides.
    /// let answered = ProviderFailure::received(&Signal::status(429).from_provider("openai"), lock());
    /// assert!(matches!(answered, CallError::Provider(_)));
    /// ```
    pub fn received(signal: &Signal<'_>, source: impl Into<Source>) -> CallError {
        let verdict = classify(signal);
        Self::classified(signal, verdict, source.into())
    }

    /// As [`received`](Self::received), with the verdict of a [`Classifier`](crate::Classifier) of one's own.
    pub fn received_as(signal: &Signal<'_>, verdict: Verdict, source: impl Into<Source>) -> CallError {
        Self::classified(signal, verdict, source.into())
    }

    fn classified(signal: &Signal<'_>, verdict: Verdict, source: Source) -> CallError {
        let ours = Mark::find(source.as_ref()).map(Mark::code).filter(|code| !is_of_a_call(*code));
        if let Some(code) = ours.filter(|_| !shows_an_answer(signal)) {
            return CallError::of_code(code, source);
        }
        if !is_of_a_call(verdict.code) {
            return CallError::of_code(verdict.code, source);
        }
        let mut mark = Mark::new(verdict.code);
        if let Some(Stated::After(delay)) = verdict.stated.filter(|_| verdict.retry != Retry::Forbidden) {
            mark = mark.retry_after_is(delay);
        }
        let received = Received {
            provider: signal.provider.map(str::to_owned),
            status: signal.status,
            beside: ours,
            mark: mark.caused_by(source),
            verdict,
        };
        let is_the_requests = matches!(received.verdict.code, Code::Request(_));
        let failure = Self { received: Box::new(received) };
        if is_the_requests { CallError::Request(failure) } else { CallError::Provider(failure) }
    }

    fn with_beside(mut self, met: &[foreign::Found]) -> Self {
        self.received.beside = met.first().map(|found| found.code).or(self.received.beside);
        self
    }

    /// The verdict.
    #[must_use]
    pub fn verdict(&self) -> &Verdict {
        &self.received.verdict
    }

    /// Who was called.
    #[must_use]
    pub fn provider(&self) -> Option<&str> {
        self.received.provider.as_deref()
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.received.status
    }

    /// A coordination, local or cancelled error that was met beneath the answer. It is recorded and does not decide.
    #[must_use]
    pub fn beside(&self) -> Option<Code> {
        self.received.beside
    }
}

impl fmt::Display for ProviderFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Received { verdict, provider, status, .. } = self.received.as_ref();
        f.write_str(provider.as_deref().unwrap_or("the provider"))?;
        match status {
            Some(status) => write!(f, " answered {status}: {}", verdict.code)?,
            None => write!(f, " failed: {}", verdict.code)?,
        }
        write!(f, " (rule {})", verdict.rule)
    }
}

impl Error for ProviderFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.received.mark)
    }
}

/// An error that did not come from a provider call: coordination, local, delivery, or nobody knows.
#[derive(Debug)]
pub struct LocalFault {
    code: Code,
    mark: Box<Mark>,
}

impl LocalFault {
    /// The class.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }
}

impl fmt::Display for LocalFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the fault is not a provider's", self.code)
    }
}

impl Error for LocalFault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.mark.as_ref())
    }
}

/// Why a call failed. The chain acts on the first two and ends on the others.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// A provider's failure.
    #[error("a provider call failed")]
    Provider(#[source] ProviderFailure),
    /// The request's own fault, as a provider reported it.
    #[error("the request was refused")]
    Request(#[source] ProviderFailure),
    /// Not a provider's failure: the chain ends, no candidate is consumed, nothing cools.
    #[error("the call failed on this side")]
    Local(#[source] LocalFault),
    /// Somebody who may ended it.
    #[error("the call was cancelled: {0:?}")]
    Cancelled(Cancelled),
}

impl CallError {
    /// Any error that did not come from a provider call: a lock, a disk, a bug. Its class is read from the mark in its
    /// source chain; without one it is `local.unclassified`.
    pub fn local(source: impl Into<Source>) -> Self {
        let source = source.into();
        let code = Mark::find(source.as_ref()).map_or(Code::Local(Local::Unclassified), Mark::code);
        Self::of_code(code, source)
    }

    /// An error of another program as JSON: a lock error of any wrapping ends the chain, a provider's answer is
    /// classified, and what nobody recognises is local.
    ///
    /// ```
    /// use moorline_failover::CallError;
    /// let foreign = serde_json::json!({"name": "Error", "message": "tool failed", "cause":
    ///     {"name": "SessionWriteLockTimeoutError", "code": "OPENCLAW_SESSION_WRITE_LOCK_TIMEOUT", "message": "busy"}});
    /// assert_eq!(CallError::foreign(&foreign).code().to_string(), "coordination.lock_timeout");
    /// ```
    #[must_use]
    pub fn foreign(value: &Value) -> Self {
        let source = |message: &str| -> Source { message.to_owned().into() };
        match foreign::read(value) {
            foreign::Reading::Ours(found) => {
                let wire = Wire::new(found.code, explain::message_of(value));
                Self::of_code(found.code, RemoteError::from(wire))
            }
            foreign::Reading::Provider { layer, beside } => {
                let parts = explain::Parts::of(layer);
                let call = parts.with_signal(Provenance::ProviderCall, |signal| {
                    ProviderFailure::received(signal, source(&explain::message_of(value)))
                });
                match call {
                    Self::Provider(failure) => Self::Provider(failure.with_beside(&beside)),
                    Self::Request(failure) => Self::Request(failure.with_beside(&beside)),
                    call @ (Self::Local(_) | Self::Cancelled(_)) => call,
                }
            }
            foreign::Reading::Unknown => {
                Self::of_code(Code::Local(Local::Unclassified), source(&explain::message_of(value)))
            }
        }
    }

    /// The class.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Provider(failure) | Self::Request(failure) => failure.received.verdict.code,
            Self::Local(fault) => fault.code,
            Self::Cancelled(code) => Code::Cancelled(*code),
        }
    }

    /// The verdict, where a provider answered.
    #[must_use]
    pub fn verdict(&self) -> Option<&Verdict> {
        match self {
            Self::Provider(failure) | Self::Request(failure) => Some(&failure.received.verdict),
            Self::Local(_) | Self::Cancelled(_) => None,
        }
    }

    /// A class that is no provider's. A provider's class that came without an answer of one stays a local unknown: the
    /// chain must not act on what it cannot check.
    fn of_code(code: Code, source: impl Into<Source>) -> Self {
        match code {
            Code::Cancelled(code) => Self::Cancelled(code),
            Code::Coordination(_)
            | Code::Local(_)
            | Code::Delivery(_)
            | Code::Request(_)
            | Code::Provider(_) => {
                Self::Local(LocalFault { code, mark: Box::new(Mark::new(code).caused_by(source)) })
            }
        }
    }
}

/// Whether a class can be what a provider call failed with.
fn is_of_a_call(code: Code) -> bool {
    match code {
        Code::Provider(_) | Code::Request(_) => true,
        Code::Coordination(_) | Code::Cancelled(_) | Code::Local(_) | Code::Delivery(_) => false,
    }
}

fn shows_an_answer(signal: &Signal<'_>) -> bool {
    signal.status.is_some()
        || signal.code.is_some()
        || signal.kind.is_some()
        || signal.body.is_some()
        || signal.transport.is_some()
}
