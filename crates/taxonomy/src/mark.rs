//! The marker that keeps a code findable under any wrapping.
//!
//! Downcasting an error type fails under `thiserror`'s `transparent`, `io::Error::other` and boxed wrappers. So every
//! error of ours has a [`Mark`] as its *source*, with the real cause beneath it; walking `source()` finds it.

use std::{error::Error, fmt, time::Duration};

use crate::{Code, Effect};

/// How many `source()` steps are followed. Real chains are short; a chain longer than this is hostile or cyclic.
const MAX_DEPTH: usize = 4096;

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
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Mark {
    /// A mark with effect *none* and no cause.
    pub fn new(code: impl Into<Code>) -> Self {
        Self { code: code.into(), effect: Effect::None, retry_after: None, source: None }
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

    /// The outermost mark in the chain of `error`, whatever wraps it.
    ///
    /// Outermost, because an outer layer that set a code of its own has looked at the inner one.
    #[must_use]
    pub fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a Self> {
        let mut next = Some(error);
        for _ in 0..MAX_DEPTH {
            let error = next?;
            if let Some(mark) = error.downcast_ref::<Self>() {
                return Some(mark);
            }
            // `io::Error::source` skips the error it carries, so a mark carried directly would be missed.
            if let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
                if let Some(mark) = (inner as &(dyn Error + 'static)).downcast_ref::<Self>() {
                    return Some(mark);
                }
            }
            next = error.source();
        }
        None
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
