//! What only Linux has: anonymous files that can be linked in, exchange, leases, open-file-description locks, and file
//! system types.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::{
    fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, StatxFlags},
    io::Errno,
    path::Arg,
};

use super::fs::{self, FileId, Probe};

/// `fcntl` command 10 on every Linux architecture (uapi/asm-generic/fcntl.h); the libc crate does not name it.
const F_SETSIG: libc::c_int = 10;

/// An unnamed file in `dir`, mode 0600. It leaves nothing behind when its process is killed before it is linked.
pub(crate) fn unnamed_file(dir: impl AsFd) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(dir, c".", flags, Mode::from_raw_mode(0o600))?))
}

/// Gives an unnamed file its name; fails with `AlreadyExists` when the name is taken. Works once per file: the kernel
/// refuses to link a file again whose last name was removed.
pub(crate) fn link_unnamed(file: &File, dir: impl AsFd, name: impl Arg + Copy) -> io::Result<()> {
    // By the descriptor alone, which costs half of the way through `/proc`. Before Linux 6.10 that takes
    // CAP_DAC_READ_SEARCH, and since then the credentials that opened the file; `/proc` takes neither.
    static REFUSED: AtomicBool = AtomicBool::new(false);
    if !REFUSED.load(Ordering::Relaxed) {
        match rustix::fs::linkat(file, c"", &dir, name, AtFlags::EMPTY_PATH) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => return Err(Errno::EXIST.into()),
            Err(_) => {}
        }
    }
    let path = descriptor_path(file.as_fd());
    let linked = rustix::fs::linkat(CWD, path.as_str(), dir, name, AtFlags::SYMLINK_FOLLOW);
    if matches!(linked, Ok(()) | Err(Errno::EXIST)) {
        REFUSED.store(true, Ordering::Relaxed);
    }
    Ok(linked?)
}

/// What identifies a file of our own making. Asked without its times: a kernel that was asked for them owes the file a finer
/// time at its next change, and a candidate is written right after this. Not for a file at a path: on a network file system
/// the number alone may come from memory, without a look at what is there now.
pub(crate) fn id_fd(file: &File) -> io::Result<FileId> {
    match rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::INO) {
        Ok(stat) => {
            Ok(FileId { dev: rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor), ino: stat.stx_ino })
        }
        // Some sandboxes refuse the newer call.
        Err(_) => Ok(fs::stat_fd(file)?.id),
    }
}

/// Swaps two names atomically; neither is ever absent.
pub(crate) fn exchange(dir: impl AsFd + Copy, one: impl Arg, other: impl Arg) -> io::Result<()> {
    Ok(rustix::fs::renameat_with(dir, one, dir, other, RenameFlags::EXCHANGE)?)
}

/// Renames unless the new name is taken (`AlreadyExists`).
pub(crate) fn rename_noreplace(dir: impl AsFd + Copy, from: impl Arg, to: impl Arg) -> io::Result<()> {
    Ok(rustix::fs::renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE)?)
}

/// `/proc/self/fd/N`: a path that means exactly this open file, whatever its name is now.
pub(crate) fn descriptor_path(fd: BorrowedFd<'_>) -> String {
    format!("/proc/self/fd/{}", fd.as_raw_fd())
}

/// Asks whether any process has the file open for writing, by taking a read lease and dropping it at once.
///
/// It tells live, stopped and killed foreign holders apart, across pid namespaces. `fd` must be read-only, and nobody may
/// reopen a lock file for writing: a lease left by a stopped prober would block that open for up to 45 s.
#[allow(unsafe_code, reason = "leases have no safe wrapper")]
pub(crate) fn probe_lease(fd: BorrowedFd<'_>) -> Probe {
    let raw = fd.as_raw_fd();
    // SAFETY: `fcntl` with these commands takes integers only and `raw` is a valid descriptor for the whole call. The
    // signal is set first: without it an open-for-write that races the lease would end this process by SIGIO; SIGURG is
    // ignored by default.
    unsafe {
        if libc::fcntl(raw, F_SETSIG, libc::SIGURG) == -1 {
            return Probe::Unknown;
        }
        if libc::fcntl(raw, libc::F_SETLEASE, libc::F_RDLCK) == 0 {
            libc::fcntl(raw, libc::F_SETLEASE, libc::F_UNLCK);
            return Probe::Free;
        }
    }
    match io::Error::last_os_error().raw_os_error() {
        Some(libc::EAGAIN) => Probe::Held,
        _ => Probe::Unknown,
    }
}

/// Leaves a shared byte-range lock on the judged file while its descriptor is open, which tells the owner that another
/// process waits. It is invisible to `flock` and to leases.
#[allow(unsafe_code, reason = "open-file-description locks have no safe wrapper")]
pub(crate) fn mark_waiting(fd: BorrowedFd<'_>) {
    let lock = first_byte(libc::F_RDLCK);
    // SAFETY: `lock` is a valid `struct flock` that outlives the call. A failure only costs fairness.
    unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
}

/// Whether another process left its waiting mark on our lock file.
#[allow(unsafe_code, reason = "open-file-description locks have no safe wrapper")]
pub(crate) fn others_wait(fd: BorrowedFd<'_>) -> bool {
    let mut lock = first_byte(libc::F_WRLCK);
    // SAFETY: `lock` is a valid `struct flock` that the kernel may write for the length of the call.
    let answer = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_GETLK, &raw mut lock) };
    answer == 0 && lock.l_type != libc::F_UNLCK as libc::c_short
}

#[allow(unsafe_code, reason = "a C struct with padding")]
fn first_byte(kind: libc::c_int) -> libc::flock {
    // SAFETY: `struct flock` is plain data for which all zeroes is a valid value; `l_pid` must be zero for OFD locks.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_len = 1;
    lock
}

/// Whether the file system of `dir` is reached over a network or through a user-space server, where `flock` may hang or
/// mean nothing, leases are refused and inotify misses remote changes.
pub(crate) fn is_network(dir: impl AsFd) -> io::Result<bool> {
    // linux/magic.h, and the magics that CIFS, SMB2, Ceph and FUSE define in their own sources.
    const NETWORK: [u64; 10] = [
        0x6969,      // NFS
        0x517B,      // SMB
        0xFE53_4D42, // SMB2
        0xFF53_4D42, // CIFS
        0x0102_1997, // 9p
        0x6573_5546, // FUSE, virtiofs
        0x5346_414F, // AFS
        0x7375_7245, // Coda
        0x00C3_6400, // Ceph
        0x0BD0_0BD0, // Lustre
    ];
    let magic = rustix::fs::fstatfs(dir)?.f_type as u64 & 0xFFFF_FFFF;
    Ok(NETWORK.contains(&magic))
}
