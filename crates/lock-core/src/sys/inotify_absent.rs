//! No inotify here: creating it fails, and waiting falls back to a timer.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

pub(crate) type WatchId = i32;

pub(crate) struct Inotify {
    never: OwnedFd,
}

pub(crate) enum Event {
    Changed(WatchId),
    Dropped(WatchId),
    Overflow,
}

impl Inotify {
    pub(crate) fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn add(&self, _file: BorrowedFd<'_>) -> io::Result<WatchId> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn remove(&self, _watch: WatchId) {}

    pub(crate) fn drain(&self, _seen: impl FnMut(Event)) {}
}

impl AsFd for Inotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.never.as_fd()
    }
}
