//! The transport port: how a message gets to its receiver, and how the receiver is asked about it.

use std::{error::Error, fmt, time::Duration, time::Instant};

use async_trait::async_trait;
use moorline_taxonomy::{Code, Delivery, Effect, Mark, Wire};
use serde::{Deserialize, Serialize};

use crate::{DeliveryVerdict, Envelope, Key, Scope, Timestamp};

/// Delivers envelopes. The host implements it: it knows sessions and channels, this crate does not.
///
/// An implementation picks the path: steer the requester's active run; else start a requester turn; else queue until
/// the session is idle. The receipt says which it was and how far it got. It never re-runs the child's model.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends `envelope`. `key` is the idempotency key: a receiver that knows it already has the message and must say
    /// [`Progress::Delivered`] or [`Progress::Accepted`] and do nothing.
    ///
    /// It should end by `deadline`, an instant of the announcer's clock; it is dropped a second later, and a send that
    /// is dropped counts as one that may have had an effect.
    ///
    /// # Errors
    /// A [`SendError`] whose effect says whether the receiver can have seen the message. *None* means refused before
    /// it was accepted; only then is it sent again.
    async fn send(&self, envelope: &Envelope, key: &Key, deadline: Instant) -> Result<Receipt, SendError>;

    /// Asks the receiver what became of `key`.
    ///
    /// # Errors
    /// The question could not be asked; it is asked again later.
    async fn lookup(&self, key: &Key) -> Result<Lookup, SendError>;
}

/// How a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Path {
    /// Into the requester's active run.
    Steer,
    /// As a turn of the requester.
    Turn,
    /// Into the queue of a busy session.
    Queue,
    /// Straight to a channel.
    Direct,
}

/// What a receiver says when it did not refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// How it went.
    pub path: Path,
    /// How far it got.
    pub progress: Progress,
}

/// How far a message got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The receiver has it durably; nothing can lose it any more.
    Delivered,
    /// The receiver took responsibility and is not done, or could still lose it. It is asked again later.
    Accepted,
    /// The receiver is done and had nothing to say.
    SaidNothing,
}

/// What a receiver knows of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It has the message durably.
    Delivered,
    /// It is done with it and had nothing to say.
    SaidNothing,
    /// It took the message and is not done.
    Accepted,
    /// It does not have the message **and will not accept any send that is already on its way**. The announce is sent
    /// again after this answer, so a receiver that cannot promise it answers [`Lookup::NotKnown`] until it can.
    Absent,
    /// It cannot say now.
    NotKnown,
    /// It keeps no record and never can say. The announce is given up, and the requester told that it may have been
    /// seen.
    NotKnowable,
}

/// A failed send or lookup.
///
/// Code, effect and stated delay come from the [`Mark`] in the error's chain. An error without one is taken for
/// `delivery.uncertain` with effect *possible*, since nobody said that it is safe to send again.
#[derive(Debug)]
pub struct SendError {
    // Boxed, so that the result of a send stays small.
    failure: Box<Failure>,
    source: Box<dyn Error + Send + Sync>,
}

/// The facts of a [`SendError`], as the plan sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The class.
    pub code: Code,
    /// May the receiver have seen the message?
    pub effect: Effect,
    /// The pause it asked for.
    pub retry_after: Option<Duration>,
    /// Who has to pause.
    pub scope: Option<Scope>,
    /// The target's new address.
    pub moved_to: Option<String>,
    /// Every candidate of the requester's turn cools until then.
    pub parked_until: Option<Timestamp>,
    /// The requester is compacting its transcript, which takes seconds.
    pub compacting: bool,
    /// The error with its causes, as it is kept and shown.
    pub cause: Wire,
}

impl SendError {
    /// From an error of ours, or any error.
    pub fn new(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let source = error.into();
        let mark = Mark::find(source.as_ref());
        let unmarked = (Code::from(Delivery::Uncertain), Effect::Possible);
        let (code, effect) = mark.map_or(unmarked, |mark| (mark.code(), mark.effect()));
        let mut cause = Wire::of(source.as_ref());
        if mark.is_none() {
            cause = Wire { effect, ..Wire::new(code, cause.message) };
        }
        let retry_after = mark.and_then(Mark::retry_after);
        let failure = Box::new(Failure {
            code,
            effect,
            retry_after,
            scope: None,
            moved_to: None,
            parked_until: None,
            compacting: false,
            cause,
        });
        Self { failure, source }
    }

    /// From a channel's error that [`classify_delivery`](crate::classify_delivery) read; `error` is what the channel
    /// said, for people.
    pub fn classified(verdict: DeliveryVerdict, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let mark = Mark::new(verdict.code).effect_is(verdict.effect).caused_by(error);
        let mark = match verdict.retry_after {
            Some(delay) => mark.retry_after_is(delay),
            None => mark,
        };
        let mut error = Self::new(Refused { rule: verdict.rule, source: mark });
        error.failure.scope = verdict.scope;
        error.failure.moved_to = verdict.moved_to;
        error
    }

    /// The requester's candidates all cool until `until`; the announce is parked, which costs none of its time.
    #[must_use]
    pub fn parked_until(mut self, until: Timestamp) -> Self {
        self.failure.parked_until = Some(until);
        self
    }

    /// The requester is compacting: the short delays apply.
    #[must_use]
    pub fn compacting(mut self) -> Self {
        self.failure.compacting = true;
        self
    }

    /// The target has a new address.
    #[must_use]
    pub fn moved_to(mut self, address: impl Into<String>) -> Self {
        self.failure.moved_to = Some(address.into());
        self
    }

    /// The facts that the plan decides by.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.failure
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the receiver did not take the announce ({})", self.failure.code)
    }
}

impl Error for SendError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}

/// A channel's refusal with the rule that read it.
#[derive(Debug, thiserror::Error)]
#[error("the channel refused it (rule {rule})")]
struct Refused {
    rule: &'static str,
    source: Mark,
}
