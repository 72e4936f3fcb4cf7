//! What a host may want to write down or count as it happens: how long locks were waited for and held, whose lock was taken
//! over, and which live lock was reported.
//!
//! Called from inside an acquisition before it returns, and from the drop of its guard, whoever acquires; an observer must
//! not block.

use std::time::Duration;

use crate::{error::Report, held::Held, tag::RunTag, target::Target};

/// Hears of what the locks meet.
pub trait Observer: Send + Sync {
    /// A lock was taken over: the owner that [`Held::taken_over`] names died holding it, so its run did not end by itself.
    fn taken_over(&self, held: &Held);

    /// A live stale lock is about to be reported to a caller; it stays in place.
    fn stale(&self, report: &Report);

    /// An acquisition begins to wait for somebody else. Called at most once for each, and followed by one call of
    /// [`waits_no_more`](Self::waits_no_more), however the wait ends.
    fn waits(&self, _target: &Target, _tag: &RunTag) {}

    /// The wait is over: the lock is acquired, or it was not had, or the caller went away.
    fn waits_no_more(&self, _target: &Target, _tag: &RunTag) {}

    /// A lock was acquired, this long after it was asked for.
    fn acquired(&self, _held: &Held, _waited: Duration) {}

    /// A guard is gone, and its lock with it unless somebody else has it; [`Held::held_for`] says how long it was there.
    fn let_go(&self, _held: &Held) {}
}

/// The wait of one acquisition, which is observed from its beginning until this goes.
pub(crate) struct Waiting<'a> {
    observer: Option<&'a dyn Observer>,
    target: &'a Target,
    tag: &'a RunTag,
    begun: bool,
}

impl<'a> Waiting<'a> {
    pub(crate) fn new(observer: Option<&'a dyn Observer>, target: &'a Target, tag: &'a RunTag) -> Self {
        Self { observer, target, tag, begun: false }
    }

    /// It begins, unless it has.
    pub(crate) fn begin(&mut self) {
        if let Some(observer) = self.observer
            && !std::mem::replace(&mut self.begun, true)
        {
            observer.waits(self.target, self.tag);
        }
    }

    /// It is over, if it ever began.
    pub(crate) fn end(&mut self) {
        if let Some(observer) = self.observer
            && std::mem::take(&mut self.begun)
        {
            observer.waits_no_more(self.target, self.tag);
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.end();
    }
}
