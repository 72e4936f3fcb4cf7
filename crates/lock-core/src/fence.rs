//! The fence: what a run remembers of the transcript when it lets the lock go for a prompt, checked when it comes back.
//!
//! The decision: the fence keeps the file open. While it is open its inode number cannot be given to another file, so
//! "same inode" means the same file, and a replaced file's old contents can still be read. The option not taken is to
//! remember numbers alone; ext4 gives a freed inode number to the very next file.
//!
//! Checking an unchanged transcript reads nothing and costs the same for any size.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use crate::{
    error::LockError,
    sys::fs::{self, FileId, Stat},
    target::Target,
};

/// Bytes before the end that are remembered, to tell a file that only grew from one that was rewritten longer.
const TAIL: u64 = 1024;

/// Whether fence, length and guard go unchecked: in the one build that a stress run must find at fault, never in a product.
/// A compiler flag and not a Cargo feature, because `--all-features` or a dependant turns every feature on.
pub(crate) const BROKEN: bool = cfg!(moorline_broken_fence);

/// A remembered state of a transcript.
#[derive(Clone, Debug)]
pub struct Fence {
    target: Target,
    file: Arc<File>,
    id: FileId,
    len: u64,
    ctime_ns: i128,
    mtime_ns: i128,
    tail: Vec<u8>,
}

/// How a transcript differs from its fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Same file, length and change time.
    Unchanged,
    /// Same file, longer; what was there before is still its beginning, as far as the bytes before the old end tell.
    Grown {
        /// The old end: where the new bytes begin.
        from: u64,
        /// The new end.
        to: u64,
    },
    /// Same file and length, but touched: only metadata when `contents` is false, else rewritten in place.
    Touched {
        /// Whether the modification time changed too.
        contents: bool,
    },
    /// Same file, but shorter, or longer with another end before the old one.
    Rewritten,
    /// Another file is at the path.
    Replaced,
    /// Nothing is at the path.
    Missing,
}

impl Fence {
    pub(crate) fn of(target: &Target, file: Arc<File>, stat: &Stat) -> io::Result<Self> {
        let tail = read_tail(&file, stat.len)?;
        Ok(Self {
            target: target.clone(),
            file,
            id: stat.id,
            len: stat.len,
            ctime_ns: stat.ctime_ns,
            mtime_ns: stat.mtime_ns,
            tail,
        })
    }

    /// The length at the fence.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the transcript was empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The file as it was, still readable after it was replaced.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Compares the transcript at the path with the fence. Reads at most 1 KiB, and only when the file grew.
    ///
    /// # Errors
    /// [`LockError::Unavailable`] when the path cannot be looked at; that is *unknown*, not *missing*.
    pub fn check(&self) -> Result<Change, LockError> {
        if BROKEN {
            return Ok(Change::Unchanged);
        }
        let unavailable = |source| LockError::unavailable(&self.target.path(), "check", source);
        let Some(now) = fs::stat_at(self.target.dir(), self.target.name()).map_err(unavailable)? else {
            return Ok(Change::Missing);
        };
        if now.id != self.id {
            return Ok(Change::Replaced);
        }
        if now.len == self.len {
            return Ok(if now.ctime_ns == self.ctime_ns {
                Change::Unchanged
            } else {
                Change::Touched { contents: now.mtime_ns != self.mtime_ns }
            });
        }
        if now.len > self.len && read_tail(&self.file, self.len).map_err(unavailable)? == self.tail {
            return Ok(Change::Grown { from: self.len, to: now.len });
        }
        Ok(Change::Rewritten)
    }
}

fn read_tail(file: &File, end: u64) -> io::Result<Vec<u8>> {
    let from = end.saturating_sub(TAIL);
    let mut tail = vec![0; usize::try_from(end - from).unwrap_or(0)];
    match file.read_exact_at(&mut tail, from) {
        Ok(()) => Ok(tail),
        // Shorter than it was a moment ago: no tail equals this one.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
