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

use std::{fs::File, io, os::unix::fs::FileExt};

use moorline_lock_core::{Change, Held, Journal};

use super::{
    contents::{Contents, read_all},
    error::{AttemptError, TakeoverCause},
    open::{Open, Setup},
};
use crate::transcript::{Forward, Merged, Tip, open_to_read};

/// Reading up to this many bytes takes less time than handing the work over.
const INLINE: u64 = 256 * 1024;
/// Bytes of the beginning by which a format knows an old version.
const HEAD: usize = 4096;

/// Checks the fence, merges what may be merged, and moves the fence. Returns the lines that concern the run.
///
/// The verdict comes first, from a look that changes nothing: a torn line is cut, and a file that was replaced is opened
/// for writing, only when the run goes on.
pub(super) async fn reconcile(
    setup: &Setup,
    held: &Held,
    open: &mut Open,
) -> Result<Vec<String>, AttemptError> {
    match open.fence.check()? {
        Change::Unchanged => Ok(Vec::new()),
        Change::Missing => Err(setup.takeover(TakeoverCause::Missing)),
        Change::Grown { from, to } => grown(setup, held, open, from, to).await,
        Change::Touched { contents: false } if matches!(open.contents, Contents::Unknown) => {
            open.refence(setup)?;
            Ok(Vec::new())
        }
        Change::Touched { .. } | Change::Rewritten => {
            rewritten(setup, held, open, TakeoverCause::Rewritten).await
        }
        Change::Replaced => rewritten(setup, held, open, TakeoverCause::Replaced).await,
    }
}

async fn grown(
    setup: &Setup,
    held: &Held,
    open: &mut Open,
    from: u64,
    to: u64,
) -> Result<Vec<String>, AttemptError> {
    let (tip, news) = judge(setup, open.journal.file(), open.tip.clone(), from, to)?;
    if ends_with_newline(open.journal.file(), to).map_err(|error| setup.read(error))? {
        open.journal.accept(to);
        open.tip = tip;
        open.refence(setup)?;
        return Ok(news);
    }
    // A writer that did not hold the lock died in the middle of a line; opening cuts it off and keeps it.
    let before = open.tip.clone();
    go_on(setup, held, open, before, from).await
}

async fn rewritten(
    setup: &Setup,
    held: &Held,
    open: &mut Open,
    otherwise: TakeoverCause,
) -> Result<Vec<String>, AttemptError> {
    let read = |error| setup.read(error);
    let file = match open_to_read(&setup.target.path()) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(setup.takeover(TakeoverCause::Missing));
        }
        Err(error) => return Err(read(error)),
    };
    let len = file.metadata().map_err(read)?.len();
    let Some(now) = read_all(&file, len).map_err(read)? else { return Err(setup.takeover(otherwise)) };
    let (tip, from) = if let Some(same) = open.contents.same(&now) {
        (open.tip.clone(), same)
    } else if let Some(migrated) = open.contents.kept().and_then(|old| setup.format.migrated(old, &now)) {
        tracing::info!(transcript = %setup.target.path().display(), "the transcript was migrated meanwhile; accepted");
        // The leaf is the same entry, under the name that the migration gave it.
        (setup.format.tip(&file, migrated).map_err(read)?, migrated)
    } else {
        return Err(setup.takeover(otherwise));
    };
    judge(setup, &file, tip.clone(), from, len)?;
    go_on(setup, held, open, tip, from).await
}

/// Opens the file that is there now, and judges what it has behind `from`; `tip` is where the run stood there.
async fn go_on(
    setup: &Setup,
    held: &Held,
    open: &mut Open,
    tip: Tip,
    from: u64,
) -> Result<Vec<String>, AttemptError> {
    let journal = setup.open(held).await?;
    let (tip, news) = judge(setup, journal.file(), tip, from, journal.len())?;
    open.contents = contents_of(setup, &journal).await.map_err(|error| setup.read(error))?;
    open.journal = journal;
    open.tip = tip;
    open.refence(setup)?;
    Ok(news)
}

/// Lets the format judge what was added between `from` and `to`.
fn judge(
    setup: &Setup,
    file: &File,
    tip: Tip,
    from: u64,
    to: u64,
) -> Result<(Tip, Vec<String>), AttemptError> {
    let mut added = Forward::new(file, from, to).map(|line| match line {
        Ok(line) if line.too_long => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "an added line is too long to judge"))
        }
        Ok(line) => Ok(line.bytes),
        Err(error) => Err(error),
    });
    match setup.format.merge(setup.tag.run_id(), tip, &mut added).map_err(|error| setup.read(error))? {
        Merged::Takeover { what } => Err(setup.takeover(TakeoverCause::Added { what })),
        Merged::Accepted { tip, news } => Ok((tip, news)),
    }
}

fn ends_with_newline(file: &File, len: u64) -> io::Result<bool> {
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
