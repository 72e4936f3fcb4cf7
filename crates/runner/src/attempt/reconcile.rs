//! The way back: what happened to the transcript while the lock was released, and may the run go on?
//!
//! | the file | verdict |
//! |---|---|
//! | same inode, length, change time | go on; nothing is read |
//! | grown | the added lines decide ([`crate::Transcript::merge`]) |
//! | only metadata changed (a `chmod`, a link made and removed) | contents compared up to 8 MiB: the same, go on. Above that the modification time is taken at its word, since every write moves it |
//! | rewritten in place, or another file in its place | compared up to 8 MiB: the same, or a pure migration, go on in the file that is there now; anything added after it decides as above. Else a takeover |
//! | gone | takeover |
//!
//! What must stay true: this runs with the lock held and before anything is written; when it cannot tell, it is a takeover.

use std::{io, os::unix::fs::FileExt};

use moorline_lock_core::{Change, Held, Journal};

use super::{
    contents::{Contents, read_all},
    error::{AttemptError, TakeoverCause},
    window::{Open, Setup},
};
use crate::transcript::{Forward, Merged};

/// Reading up to this many bytes takes less time than handing the work over.
const INLINE: u64 = 256 * 1024;
/// Bytes of the beginning by which a format knows an old version.
const HEAD: usize = 4096;

/// Checks the fence, merges what may be merged, and moves the fence. Returns the lines that concern the run.
pub(super) async fn reconcile(setup: &Setup, held: &Held, open: &mut Open) -> Result<Vec<String>, AttemptError> {
    let change = open.fence.check()?;
    match change {
        Change::Unchanged => Ok(Vec::new()),
        Change::Missing => Err(setup.takeover(TakeoverCause::Missing)),
        Change::Grown { from, to } => {
            if !ends_with_newline(open.journal.file(), to).map_err(|error| setup.read(error))? {
                // A writer that did not hold the lock died in the middle; opening cuts the torn line off and keeps it.
                open.journal = setup.open(held).await?;
            } else {
                open.journal.accept(to);
            }
            merge(setup, open, from)
        }
        Change::Touched { contents: false } if matches!(open.contents, Contents::Unknown) => {
            open.refence(setup)?;
            Ok(Vec::new())
        }
        Change::Touched { .. } | Change::Rewritten => rewritten(setup, held, open, TakeoverCause::Rewritten).await,
        Change::Replaced => rewritten(setup, held, open, TakeoverCause::Replaced).await,
    }
}

async fn rewritten(
    setup: &Setup,
    held: &Held,
    open: &mut Open,
    otherwise: TakeoverCause,
) -> Result<Vec<String>, AttemptError> {
    let journal = setup.open(held).await?;
    let now = read_all(journal.file(), journal.len()).map_err(|error| setup.read(error))?;
    let Some(now) = now else { return Err(setup.takeover(otherwise)) };
    if let Some(same) = open.contents.same(&now) {
        open.journal = journal;
        return merge(setup, open, same);
    }
    let Some(migrated) = open.contents.kept().and_then(|old| setup.format.migrated(old, &now)) else {
        return Err(setup.takeover(otherwise));
    };
    // The leaf is the same entry, under the name that the migration gave it.
    open.tip = setup.format.tip(journal.file(), migrated).map_err(|error| setup.read(error))?;
    open.contents = Contents::new(setup.format.may_migrate(&now[..now.len().min(HEAD)]));
    open.journal = journal;
    tracing::info!(transcript = %setup.target.path().display(), "the transcript was migrated meanwhile; accepted");
    merge(setup, open, migrated)
}

/// Lets the format judge what was added from `from` on, and moves the fence behind it.
fn merge(setup: &Setup, open: &mut Open, from: u64) -> Result<Vec<String>, AttemptError> {
    let to = open.journal.len();
    let mut added = Forward::new(open.journal.file(), from, to).map(|line| match line {
        Ok(line) if line.too_long => Err(io::Error::new(io::ErrorKind::InvalidData, "an added line is too long to judge")),
        Ok(line) => Ok(line.bytes),
        Err(error) => Err(error),
    });
    let merged = setup.format.merge(setup.tag.run_id(), open.tip.clone(), &mut added);
    match merged.map_err(|error| setup.read(error))? {
        Merged::Takeover { what } => Err(setup.takeover(TakeoverCause::Added { what })),
        Merged::Accepted { tip, news } => {
            open.tip = tip;
            open.refence(setup)?;
            if to > from {
                tracing::debug!(transcript = %setup.target.path().display(), bytes = to - from, "merged what others added");
            }
            Ok(news)
        }
    }
}

fn ends_with_newline(file: &std::fs::File, len: u64) -> io::Result<bool> {
    let mut last = [0];
    file.read_exact_at(&mut last, len.saturating_sub(1))?;
    Ok(last == *b"\n")
}

/// The contents known of a journal that was just opened. This reads up to 8 MiB once for an attempt; what is appended later
/// is taken in as it is written.
pub(super) async fn contents_of(setup: &Setup, journal: &Journal) -> io::Result<Contents> {
    let len = journal.len();
    let mut head = vec![0; usize::try_from(len).unwrap_or(HEAD).min(HEAD)];
    journal.file().read_exact_at(&mut head, 0)?;
    let mut contents = Contents::new(setup.format.may_migrate(&head));
    let file = journal.file().try_clone()?;
    off_thread(len, move || contents.extend(&file, len).map(|()| contents)).await?
}

/// Runs `work` on `bytes` bytes of a file where it does not hold up the caller's thread for long.
pub(crate) async fn off_thread<T: Send + 'static>(
    bytes: u64,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    if bytes <= INLINE {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}
