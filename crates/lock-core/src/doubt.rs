//! How soon a lock that looks alive is looked at again, because it may be on its way out.
//!
//! The kernel reports a close before it drops the `flock` and then the lease, and an unlink before the name is gone.
//! Whoever looks in between sees a live lock, and no further event comes: a waiter that was woken, or one that began to
//! watch only after the report. The decision: a few looks in growing steps, then the lock is believed. The option not
//! taken is to look until it is gone; a lock file that somebody else keeps open would be polled for as long.

use std::time::Duration;

use crate::{obstacle::Obstacle, sys::fs::FileId};

/// The end itself takes microseconds, but an owner that is ending can be kept from running in the midst of it; the last
/// steps cover that.
const FOR_REASON: &[Duration] = &[
    Duration::from_millis(1),
    Duration::from_millis(3),
    Duration::from_millis(8),
    Duration::from_millis(20),
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_secs(1),
];
/// For one that shows no sign of its end.
const ANYWAY: &[Duration] = &[Duration::from_millis(100)];

/// The doubt about the lock that a waiter sleeps on.
#[derive(Default)]
pub(crate) struct Doubt(Option<About>);

struct About {
    id: FileId,
    /// It showed a sign of its end: a change, or a `flock` that is free already.
    for_reason: bool,
    /// The looks that are left.
    left: &'static [Duration],
}

impl Doubt {
    /// A change of this file woke the waiter.
    pub(crate) fn woken(&mut self, id: Option<FileId>) {
        self.0 = id.map(|id| About { id, for_reason: true, left: FOR_REASON });
    }

    /// The longest that may be slept on this file now; `None` when it is believed.
    pub(crate) fn soon(&mut self, id: Option<FileId>, seen: &Obstacle) -> Option<Duration> {
        self.next(id?, seen.is_open(), seen.is_ending())
    }

    fn next(&mut self, id: FileId, open: bool, ending: bool) -> Option<Duration> {
        let known = self.0.as_ref().is_some_and(|about| about.id == id && (about.for_reason || !ending));
        if !known && open {
            self.0 = Some(About { id, for_reason: ending, left: if ending { FOR_REASON } else { ANYWAY } });
        }
        let about = self.0.as_mut().filter(|about| about.id == id)?;
        let (soon, left) = about.left.split_first()?;
        about.left = left;
        Some(*soon)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_open_lock_is_doubted_and_in_the_end_believed() {
        let looks = |doubt: &mut Doubt, ino, open, ending| {
            std::iter::from_fn(|| doubt.next(FileId { dev: 1, ino }, open, ending)).count()
        };
        let mut doubt = Doubt::default();
        assert_eq!(looks(&mut doubt, 1, false, false), 0, "its end is not reported in any case");
        assert_eq!(looks(&mut doubt, 1, true, false), 1);
        assert_eq!(looks(&mut doubt, 1, true, true), FOR_REASON.len(), "now there is a sign");
        assert_eq!(looks(&mut doubt, 1, true, true), 0);
        doubt.woken(Some(FileId { dev: 1, ino: 1 }));
        assert_eq!(looks(&mut doubt, 1, true, false), FOR_REASON.len());
        assert_eq!(looks(&mut doubt, 2, true, false), 1, "another lock");
    }
}
