//! inotify on pinned inodes. One descriptor per process: the limit of instances is 128 per user by default.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

/// Identifies a watch of this process's inotify descriptor. Two watches of one inode share one.
pub(crate) type WatchId = i32;

pub(crate) struct Inotify {
    fd: OwnedFd,
}

/// One event: which watch, and whether the kernel dropped the watch with it. An overflow has no watch: everybody looks.
pub(crate) enum Event {
    Changed(WatchId),
    Dropped(WatchId),
    Overflow,
}

impl Inotify {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { fd: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)? })
    }

    /// Watches exactly the open file: its release (close of the last write descriptor), unlink, rename and exchange.
    pub(crate) fn add(&self, file: BorrowedFd<'_>) -> io::Result<WatchId> {
        // One mask everywhere, because adding an inode again replaces its mask for all watchers.
        let mask =
            WatchFlags::CLOSE_WRITE | WatchFlags::ATTRIB | WatchFlags::MOVE_SELF | WatchFlags::DELETE_SELF;
        Ok(inotify::add_watch(&self.fd, super::kernel::descriptor_path(file), mask)?)
    }

    pub(crate) fn remove(&self, watch: WatchId) {
        // EINVAL: the kernel already dropped it with its inode.
        let _ = inotify::remove_watch(&self.fd, watch);
    }

    /// Reads what is there without blocking.
    pub(crate) fn drain(&self, mut seen: impl FnMut(Event)) {
        let mut buffer = [MaybeUninit::<u8>::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.fd, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => seen(Event::Overflow),
                Ok(event) if event.events().contains(ReadFlags::IGNORED) => seen(Event::Dropped(event.wd())),
                Ok(event) => seen(Event::Changed(event.wd())),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }
}

impl AsFd for Inotify {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
