//! File-system calls of the protocol, relative to a directory descriptor.

use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    path::Path,
};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::path::Arg;

/// The largest lock file that is read. Ours is under 1 KiB; what is larger is not a lock file.
pub(crate) const MAX_RECORD: u64 = 64 * 1024;

const OWNER_ONLY: Mode = Mode::from_raw_mode(0o600);

/// What identifies a file while a descriptor keeps its inode from being reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    pub(crate) dev: u64,
    pub(crate) ino: u64,
}

/// The facts of a file that the protocol looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) id: FileId,
    pub(crate) len: u64,
    pub(crate) nlink: u64,
    pub(crate) uid: u32,
    pub(crate) kind: Kind,
    pub(crate) mtime_ns: i128,
    pub(crate) ctime_ns: i128,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Regular,
    Symlink,
    Directory,
    Special,
}

// The widths of `stat` fields differ between systems; on Linux x86-64 some of these conversions are identities.
#[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "field widths differ between systems")]
fn stat_of(raw: &rustix::fs::Stat) -> Stat {
    let kind = match rustix::fs::FileType::from_raw_mode(raw.st_mode) {
        rustix::fs::FileType::RegularFile => Kind::Regular,
        rustix::fs::FileType::Symlink => Kind::Symlink,
        rustix::fs::FileType::Directory => Kind::Directory,
        rustix::fs::FileType::Fifo
        | rustix::fs::FileType::Socket
        | rustix::fs::FileType::CharacterDevice
        | rustix::fs::FileType::BlockDevice
        | rustix::fs::FileType::Unknown => Kind::Special,
    };
    let ns = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    Stat {
        id: FileId { dev: raw.st_dev as u64, ino: raw.st_ino as u64 },
        len: u64::try_from(raw.st_size).unwrap_or(0),
        nlink: raw.st_nlink as u64,
        uid: raw.st_uid,
        kind,
        mtime_ns: ns(raw.st_mtime as i64, raw.st_mtime_nsec as i64),
        ctime_ns: ns(raw.st_ctime as i64, raw.st_ctime_nsec as i64),
    }
}

pub(crate) fn open_dir(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?)
}

pub(crate) fn stat_fd(fd: impl AsFd) -> io::Result<Stat> {
    Ok(stat_of(&rustix::fs::fstat(fd)?))
}

/// `lstat` of a name; `None` when nothing is there.
pub(crate) fn stat_at(dir: impl AsFd, name: impl Arg) -> io::Result<Option<Stat>> {
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(raw) => Ok(Some(stat_of(&raw))),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Opens a name for judging: read-only (a judge never looks like a writer), not through a symlink, not blocking on a
/// FIFO. `None` when nothing is there.
pub(crate) fn open_to_judge(dir: impl AsFd, name: impl Arg + Copy) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    loop {
        match rustix::fs::openat(&dir, name, flags, Mode::empty()) {
            Ok(fd) => return Ok(Some(File::from(fd))),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Opens a name read-write, creating it with mode 0600 if it is absent; not through a symlink.
pub(crate) fn open_to_append(dir: impl AsFd, name: impl Arg) -> io::Result<File> {
    let flags = OFlags::RDWR
        | OFlags::APPEND
        | OFlags::CREATE
        | OFlags::NOFOLLOW
        | OFlags::NONBLOCK
        | OFlags::CLOEXEC
        | OFlags::NOCTTY;
    Ok(File::from(rustix::fs::openat(dir, name, flags, OWNER_ONLY)?))
}

/// Creates a name that must not exist, mode 0600.
pub(crate) fn create_new(dir: impl AsFd, name: impl Arg) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(dir, name, flags, OWNER_ONLY)?))
}

/// Reads at most [`MAX_RECORD`] bytes and one more, so that the caller can tell a longer file.
pub(crate) fn read_bounded(file: &File) -> io::Result<Vec<u8>> {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; 1024];
    let mut filled = 0;
    loop {
        match file.read_at(&mut bytes[filled..], filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        if filled as u64 > MAX_RECORD {
            break;
        }
        if filled == bytes.len() {
            bytes.resize((filled * 4).min(MAX_RECORD as usize + 1), 0);
        }
    }
    bytes.truncate(filled);
    Ok(bytes)
}

pub(crate) fn unlink_at(dir: impl AsFd, name: impl Arg) -> io::Result<()> {
    Ok(rustix::fs::unlinkat(dir, name, AtFlags::empty())?)
}

pub(crate) fn remove_dir_at(dir: impl AsFd, name: impl Arg) -> io::Result<()> {
    Ok(rustix::fs::unlinkat(dir, name, AtFlags::REMOVEDIR)?)
}

pub(crate) fn make_dir_at(dir: impl AsFd, name: impl Arg) -> io::Result<()> {
    Ok(rustix::fs::mkdirat(dir, name, Mode::from_raw_mode(0o700))?)
}

pub(crate) fn link_at(dir: impl AsFd + Copy, from: impl Arg, to: impl Arg) -> io::Result<()> {
    Ok(rustix::fs::linkat(dir, from, dir, to, AtFlags::empty())?)
}

pub(crate) fn rename_at(dir: impl AsFd + Copy, from: impl Arg, to: impl Arg) -> io::Result<()> {
    Ok(rustix::fs::renameat(dir, from, dir, to)?)
}

pub(crate) fn sync_dir(dir: impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::fsync(dir)?)
}

/// Outcome of asking the kernel about another holder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Probe {
    /// Nobody has it.
    Free,
    /// Somebody has it.
    Held,
    /// The kernel would not say (no permission, no such feature, a network file system).
    Unknown,
}

/// Takes the exclusive `flock` if it is free. The lock dies with the last descriptor; it is never unlocked by call,
/// because a forked child's `LOCK_UN` would release the parent's.
pub(crate) fn try_flock_exclusive(fd: impl AsFd) -> Probe {
    flock(fd, FlockOperation::NonBlockingLockExclusive)
}

/// Asks whether somebody holds the exclusive `flock`. Shared, so that judges do not look like owners to each other.
pub(crate) fn probe_flock(fd: impl AsFd) -> Probe {
    let probe = flock(&fd, FlockOperation::NonBlockingLockShared);
    if probe == Probe::Free {
        // The descriptor was opened by this judgement and is shared with nobody, so this unlock is ours alone.
        let _ = rustix::fs::flock(&fd, FlockOperation::Unlock);
    }
    probe
}

/// Gives an exclusive `flock` back that was taken through a descriptor this judgement opened itself.
pub(crate) fn unlock_own(fd: impl AsFd) {
    let _ = rustix::fs::flock(fd, FlockOperation::Unlock);
}

fn flock(fd: impl AsFd, operation: FlockOperation) -> Probe {
    loop {
        match rustix::fs::flock(&fd, operation) {
            Ok(()) => return Probe::Free,
            Err(rustix::io::Errno::WOULDBLOCK) => return Probe::Held,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Probe::Unknown,
        }
    }
}

/// Reads a small file by path (`/proc`); never more than 64 KiB.
pub(crate) fn read_small(path: &str) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_RECORD).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether every writing end of a pipe is closed. Asks, never waits.
pub(crate) fn is_closed(pipe: impl AsFd) -> bool {
    let mut fds = [PollFd::new(&pipe, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    loop {
        match rustix::event::poll(&mut fds, Some(&now)) {
            Ok(_) => return fds[0].revents().contains(PollFlags::HUP),
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}
