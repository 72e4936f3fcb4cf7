//! The same calls where the system has none of them: every probe answers *unknown*, so nothing is ever reclaimed.
//! Untested; it exists so that a runner that embeds the lock still compiles.

use std::{
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
};

use rustix::path::Arg;

use super::fs::{self, FileId, Probe};

pub(crate) fn unnamed_file(_dir: impl AsFd) -> io::Result<File> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn link_unnamed(_file: &File, _dir: impl AsFd, _name: impl Arg) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn id_fd(file: &File) -> io::Result<FileId> {
    Ok(fs::stat_fd(file)?.id)
}

pub(crate) fn exchange(_dir: impl AsFd + Copy, _one: impl Arg, _other: impl Arg) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn rename_noreplace(_dir: impl AsFd + Copy, _from: impl Arg, _to: impl Arg) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn probe_lease(_fd: BorrowedFd<'_>) -> Probe {
    Probe::Unknown
}

pub(crate) fn mark_waiting(_fd: BorrowedFd<'_>) {}

pub(crate) fn others_wait(_fd: BorrowedFd<'_>) -> bool {
    false
}

pub(crate) fn is_network(_dir: impl AsFd) -> io::Result<bool> {
    Ok(true)
}
