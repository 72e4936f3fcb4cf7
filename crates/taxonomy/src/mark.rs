//! The marker that keeps a code findable under any wrapping.
//!
//! Downcasting an error type fails under `thiserror`'s `transparent`, `io::Error::other` and boxed wrappers. So every
//! error of ours has a [`Mark`] as its *source*, with the real cause beneath it; walking `source()` finds it. The option
//! not taken is a trait with a `code()` method: a boxed `dyn Error` cannot be asked for a trait it was not boxed as.
//!
//! What must stay true: a mark is the *source* of a typed error, never the target of `#[error(transparent)]`, which would
//! forward `source()` past it; the outermost mark wins, since an outer layer that set a code has looked at the inner one.

use std::{error::Error, fmt, time::Duration};

use crate::{Code, Effect, Owner, chain};

/// Code, effect and stated delay of an error, as one link of its source chain.
///
/// ```
/// use moorline_taxonomy::{Code, Coordination, Mark};
/// #[derive(Debug, thiserror::Error)]
/// #[error("the session is busy")]
/// struct Busy(#[source] Mark);
///
/// let wrapped = std::io::Error::other(Busy(Mark::new(Coordination::LockTimeout)));
/// let mark = Mark::find(&wrapped).expect("the mark survives");
/// assert_eq!(mark.code(), Code::Coordination(Coordination::LockTimeout));
/// ```
#[derive(Debug)]
pub struct Mark {
    code: Code,
    effect: Effect,
    retry_after: Option<Duration>,
    // Boxed, since only lock errors have it and a mark sits in every error of ours.
    lock: Option<Box<LockFacts>>,
    source: Option<Box<dyn Error + Send + Sync>>,
}

/// What a lock error knows of the lock; [`crate::Wire::of`] puts it on the wire whatever wraps the error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LockFacts {
    /// Who owns the lock.
    pub owner: Option<Owner>,
    /// Where the lock is.
    pub lock_path: Option<String>,
    /// Why it is called stale.
    pub stale_reasons: Vec<String>,
    /// How long the caller waited.
    pub waited: Option<Duration>,
}

impl Mark {
    /// A mark with effect *none* and no cause.
    pub fn new(code: impl Into<Code>) -> Self {
        Self { code: code.into(), effect: Effect::None, retry_after: None, lock: None, source: None }
    }

    /// States the effect.
    #[must_use]
    pub fn effect_is(mut self, effect: Effect) -> Self {
        self.effect = effect;
        self
    }

    /// States when another try makes sense, as the failed side said it.
    #[must_use]
    pub fn retry_after_is(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Keeps what is known of the lock.
    #[must_use]
    pub fn lock_is(mut self, lock: LockFacts) -> Self {
        self.lock = Some(Box::new(lock));
        self
    }

    /// Keeps the cause beneath the mark.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// May the failed call have had an effect?
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// The delay the failed side stated, if it did.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What is known of the lock, for lock errors.
    #[must_use]
    pub fn lock(&self) -> Option<&LockFacts> {
        self.lock.as_deref()
    }

    /// The outermost mark in the chain of `error`, whatever wraps it.
    ///
    /// Found under `thiserror` wrappers (transparent ones too), `io::Error::other`, `Box`, `Arc` and `Box<dyn Error>`.
    /// Looks at no more than 4096 links, so an endless chain ends.
    #[must_use]
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        chain::find(error)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.code.fmt(f)
    }
}

impl Error for Mark {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn Error + 'static))
    }
}
