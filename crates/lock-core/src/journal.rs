//! The journal: the only code that opens a transcript for append.
//!
//! Three owners, three mechanisms: the session lock says whose *turn* it is; this file keeps each single append whole.
//! Every append takes an exclusive `flock` on the transcript itself, checks that the open file is the one at the path and
//! has no other links, that the guard still verifies, that the length is the expected one, and writes whole lines in one
//! call. What does not fit is cut off again before anybody else can read it.
//!
//! Must stay true: nothing is written through a lost guard or into a file that was replaced; a torn last line of a crash
//! is kept beside the transcript, never lost; after a failed `fdatasync` nothing is written until the file was reopened.

use std::{
    fs::File,
    io::{self, Write},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use moorline_taxonomy::{Coordination, Local, Mark};
use tokio::time::Instant;

use crate::{
    error::{LockError, local},
    fence::{BROKEN, Fence},
    held::Held,
    journal_error::JournalError,
    nonce::Nonce,
    record::iso,
    sys::{
        clock::WallMs,
        fs::{self, Kind, Stat},
    },
    target::Target,
};

/// The longest wait for the transcript's own `flock`. Appends take microseconds; a holder this slow is stuck.
pub(crate) const APPEND_DEADLINE: Duration = Duration::from_secs(5);
/// Bytes read at once when looking for the last line's beginning.
const BLOCK: u64 = 64 * 1024;

/// When appended lines reach the disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Never by our doing; the system writes back when it likes.
    None,
    /// When [`Journal::sync`] is called, at the end of a turn.
    #[default]
    Turn,
    /// After each append.
    Append,
}

/// What opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// The file was created.
    pub created: bool,
    /// A torn last line was cut off and kept here.
    pub torn: Option<PathBuf>,
}

/// A transcript open for append, under a session lock.
#[derive(Debug)]
pub struct Journal {
    target: Target,
    file: Arc<File>,
    stat: Stat,
    len: u64,
    durability: Durability,
    unsynced: bool,
    poisoned: bool,
}

impl Journal {
    /// Opens the file that `held` locks, creating it with mode 0600; cuts a torn last line off and keeps it beside.
    ///
    /// `is_whole` says whether a last line without its newline is a complete record after all (for a JSON transcript:
    /// whether it parses); then the newline is added instead.
    ///
    /// Cancel-safe: the only wait is for the file's own lock.
    ///
    /// # Errors
    /// The lock is lost, the file is a symlink, has other links or is not regular, is busy, or the file system refuses.
    pub async fn open(
        held: &Held,
        durability: Durability,
        is_whole: impl Fn(&[u8]) -> bool,
    ) -> Result<(Self, Opened), JournalError> {
        let target = held.target().clone();
        let io = |operation, source| io_error(&target, operation, source);
        held.verify()?;
        let created =
            fs::stat_at(target.dir(), target.name()).map_err(|source| io("inspect", source))?.is_none();
        let file = fs::open_to_append(target.dir(), target.name()).map_err(|source| io("open", source))?;
        let file = Arc::new(file);
        let mut opened = Opened { created, torn: None };
        let stat = {
            let _flock = FileLock::take(&target, &file).await?;
            let mut stat = checked_stat(&target, &file)?;
            let end = whole_lines(&file, stat.len).map_err(|source| io("read", source))?;
            if end < stat.len {
                opened.torn = held
                    .write(|| repair(&target, &file, end, stat.len, &is_whole))?
                    .map_err(|source| io("repair", source))?;
                stat = fs::stat_fd(&file).map_err(|source| io("inspect", source))?;
            }
            stat
        };
        if created {
            fs::sync_dir(target.dir()).map_err(|source| io("sync directory of", source))?;
        }
        if let Some(torn) = &opened.torn {
            tracing::warn!(transcript = %target.path().display(), kept = %torn.display(), "a torn last line was cut off and kept");
        }
        Ok((Self { len: stat.len, target, file, stat, durability, unsynced: false, poisoned: false }, opened))
    }

    /// Appends whole lines and returns the new length.
    ///
    /// Cancel-safe: the only wait before the write is for the file's own lock; the write itself is one call. With
    /// [`Durability::Append`] a cancelled caller's lines are written, and may not be on disk yet.
    ///
    /// # Errors
    /// See [`JournalError`]; in every case nothing of `lines` is in the file, except that a failed `fdatasync` leaves them
    /// there and poisons the journal.
    pub async fn append(&mut self, held: &Held, lines: &[u8]) -> Result<u64, JournalError> {
        if lines.is_empty() {
            return Ok(self.len);
        }
        if lines.last() != Some(&b'\n') {
            return Err(JournalError::NotLines { path: self.target.path(), mark: Mark::new(Local::Bug) });
        }
        if self.poisoned {
            return Err(self.poisoned_error(None));
        }
        self.check_guard(held)?;
        {
            let _flock = FileLock::take(&self.target, &self.file).await?;
            self.check_same_file()?;
            // The guard's gate is held around the write, so a revoke waits for it.
            let written = held.write(|| self.write_at_end(lines))??;
            self.len = written;
        }
        self.unsynced = true;
        if self.durability == Durability::Append {
            self.sync().await?;
        }
        Ok(self.len)
    }

    /// Brings what was appended to the disk, unless the durability is [`Durability::None`].
    ///
    /// Cancel-safe: a sync under way finishes in the background.
    ///
    /// # Errors
    /// A failed `fdatasync` poisons the journal, because the system may have dropped the pages: reopen and verify.
    pub async fn sync(&mut self) -> Result<(), JournalError> {
        if !self.unsynced || self.durability == Durability::None {
            return Ok(());
        }
        let file = Arc::clone(&self.file);
        let synced = tokio::task::spawn_blocking(move || file.sync_data()).await;
        match synced {
            Ok(Ok(())) => {
                self.unsynced = false;
                Ok(())
            }
            Ok(Err(source)) => {
                self.poisoned = true;
                Err(self.poisoned_error(Some(source)))
            }
            // The runtime is going down; nothing is known.
            Err(join) => {
                self.poisoned = true;
                Err(self.poisoned_error(Some(io::Error::other(join))))
            }
        }
    }

    /// The length this journal knows.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the transcript is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The open file, for reading.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// What to remember before the lock is let go. Take it while the lock is held.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn fence(&self) -> Result<Fence, JournalError> {
        let io = |source| io_error(&self.target, "fence", source);
        let stat = fs::stat_fd(&self.file).map_err(io)?;
        if stat.len != self.len && !BROKEN {
            return Err(self.changed(stat.len));
        }
        Fence::of(&self.target, Arc::clone(&self.file), &stat).map_err(io)
    }

    /// Accepts what others appended up to `to`, after it was looked at and merged.
    pub fn accept(&mut self, to: u64) {
        self.len = to;
    }

    /// Replaces the transcript by what `write` puts into a new file, as a compaction does: under the session lock, with the
    /// exclusive `flock` on the old and the new file, and the directory synced after the rename.
    ///
    /// # Errors
    /// As [`Journal::append`]; then the old transcript is in place, unchanged.
    pub async fn replace(
        &mut self,
        held: &Held,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<u64, JournalError> {
        self.check_guard(held)?;
        let target = self.target.clone();
        let io = |operation, source| io_error(&target, operation, source);
        let private = target.aside_name(&Nonce::fresh());
        let old = Arc::clone(&self.file);
        let _old_flock = FileLock::take(&target, &old).await?;
        self.check_same_file()?;
        let new = fs::create_new(target.dir(), &private).map_err(|source| io("create beside", source))?;
        let new_flock = FileLock::take(&target, &Arc::new(new)).await;
        let replaced = match new_flock {
            Ok(new_flock) => held
                .write(|| {
                    let mut file: &File = &new_flock.0;
                    let mut owned = file.try_clone()?;
                    write(&mut owned)?;
                    file.flush()?;
                    file.sync_data()?;
                    fs::rename_at(target.dir(), &private, target.name())?;
                    fs::sync_dir(target.dir())
                })
                .map_err(JournalError::from)
                .and_then(|done| done.map_err(|source| io("replace", source))),
            Err(error) => Err(error),
        };
        if let Err(error) = replaced {
            let _ = fs::unlink_at(target.dir(), &private);
            return Err(error);
        }
        // Opened anew for append; the descriptor that wrote it is not in append mode.
        let file = fs::open_to_append(target.dir(), target.name()).map_err(|source| io("reopen", source))?;
        self.file = Arc::new(file);
        self.stat = checked_stat(&target, &self.file)?;
        self.len = self.stat.len;
        self.unsynced = false;
        Ok(self.len)
    }

    /// A guard of another session's lock allows nothing here.
    fn check_guard(&self, held: &Held) -> Result<(), JournalError> {
        if held.target().key() == self.target.key() {
            return Ok(());
        }
        let wrong = io::Error::new(io::ErrorKind::InvalidInput, "the guard belongs to another file's lock");
        Err(LockError::unavailable(&self.target.path(), "write to", wrong).into())
    }

    fn check_same_file(&self) -> Result<(), JournalError> {
        let stat = checked_stat(&self.target, &self.file)?;
        if stat.id != self.stat.id && !BROKEN {
            return Err(replaced(&self.target));
        }
        Ok(())
    }

    /// Inside the gate and the file's lock: one write at the expected end, or none.
    #[allow(
        clippy::disallowed_methods,
        reason = "the journal cuts back what did not fit, and nothing else does"
    )]
    fn write_at_end(&mut self, lines: &[u8]) -> Result<u64, JournalError> {
        let target = self.target.clone();
        let io = |source| io_error(&target, "append to", source);
        let found = fs::stat_fd(&self.file).map_err(io)?.len;
        if BROKEN {
            self.len = found;
        } else if found != self.len {
            return Err(self.changed(found));
        }
        let mut file: &File = &self.file;
        let failed = loop {
            match file.write(lines) {
                Ok(written) if written == lines.len() => return Ok(self.len + lines.len() as u64),
                // The disk filled up in the middle of it.
                Ok(_) => break io::Error::from_raw_os_error(libc::ENOSPC),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break error,
            }
        };
        if let Err(error) = file.set_len(self.len) {
            // Part of a line may be at the end; the next open cuts it off and keeps it.
            self.poisoned = true;
            tracing::error!(transcript = %target.path().display(), %error, "a short write could not be cut back");
        }
        Err(io(failed))
    }

    fn changed(&self, found: u64) -> JournalError {
        JournalError::Changed {
            path: self.target.path(),
            expected: self.len,
            found,
            mark: Mark::new(Coordination::SessionTakeover),
        }
    }

    fn poisoned_error(&self, source: Option<io::Error>) -> JournalError {
        let mark = match source {
            Some(source) => Mark::new(local(&source).0).caused_by(source),
            None => Mark::new(Local::Unclassified),
        };
        JournalError::Poisoned { path: self.target.path(), mark }
    }
}

/// The exclusive `flock` on a transcript, for the length of one append.
struct FileLock(Arc<File>);

impl FileLock {
    async fn take(target: &Target, file: &Arc<File>) -> Result<Self, JournalError> {
        // Where `flock` may hang it is not used; the session lock alone orders writers there.
        if target.on_network() {
            return Ok(Self(Arc::clone(file)));
        }
        let end = Instant::now() + APPEND_DEADLINE;
        let mut pause = Duration::from_micros(200);
        loop {
            match try_lock(file) {
                Ok(true) => return Ok(Self(Arc::clone(file))),
                Ok(false) if Instant::now() >= end => {
                    let mark = Mark::new(Coordination::StorageBusy);
                    return Err(JournalError::Busy { path: target.path(), mark });
                }
                Ok(false) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_millis(20));
                }
                Err(source) => return Err(io_error(target, "lock", source)),
            }
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the journal is the room of the transcript's own lock")]
fn try_lock(file: &File) -> io::Result<bool> {
    match fs4::FileExt::try_lock(file) {
        Ok(()) => Ok(true),
        Err(fs4::TryLockError::WouldBlock) => Ok(false),
        Err(fs4::TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(fs4::TryLockError::Error(error)) => Err(error),
    }
}

impl Drop for FileLock {
    #[allow(clippy::disallowed_methods, reason = "the journal is the room of the transcript's own lock")]
    fn drop(&mut self) {
        let _ = fs4::FileExt::unlock(&*self.0);
    }
}

/// The state of the open file, refused when it is not the one file at the path.
fn checked_stat(target: &Target, file: &File) -> Result<Stat, JournalError> {
    let io = |source| io_error(target, "inspect", source);
    let open = fs::stat_fd(file).map_err(io)?;
    let at_path = fs::stat_at(target.dir(), target.name()).map_err(io)?;
    if open.kind != Kind::Regular {
        return Err(io(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file")));
    }
    if (at_path.map(|stat| stat.id) != Some(open.id) || open.nlink != 1) && !BROKEN {
        return Err(replaced(target));
    }
    Ok(open)
}

fn replaced(target: &Target) -> JournalError {
    JournalError::Replaced { path: target.path(), mark: Mark::new(Coordination::SessionTakeover) }
}

fn io_error(target: &Target, operation: &'static str, source: io::Error) -> JournalError {
    let (code, help) = local(&source);
    JournalError::Io { path: target.path(), operation, help, mark: Mark::new(code).caused_by(source) }
}

/// The end of the last line that has its newline.
fn whole_lines(file: &File, len: u64) -> io::Result<u64> {
    use std::os::unix::fs::FileExt;
    let mut last = [0];
    if len == 0 || (file.read_at(&mut last, len - 1)? == 1 && last[0] == b'\n') {
        return Ok(len);
    }
    let mut end = len;
    while end > 0 {
        let from = end.saturating_sub(BLOCK);
        let mut block = vec![0; usize::try_from(end - from).unwrap_or(0)];
        file.read_exact_at(&mut block, from)?;
        if let Some(newline) = block.iter().rposition(|byte| *byte == b'\n') {
            return Ok(from + newline as u64 + 1);
        }
        end = from;
    }
    Ok(0)
}

/// Keeps what follows `end` in a file of its own, then cuts it off; or completes it when it is whole.
#[allow(
    clippy::disallowed_methods,
    reason = "the journal cuts a torn line after it was kept, and nothing else does"
)]
fn repair(
    target: &Target,
    file: &File,
    end: u64,
    len: u64,
    is_whole: &impl Fn(&[u8]) -> bool,
) -> io::Result<Option<PathBuf>> {
    use std::os::unix::fs::FileExt;
    let mut torn = vec![0; usize::try_from(len - end).unwrap_or(0)];
    file.read_exact_at(&mut torn, end)?;
    if is_whole(&torn) {
        let mut file = file;
        file.write_all(b"\n")?;
        return Ok(None);
    }
    let time = iso(WallMs::now()).replace(':', "");
    let mut name = target.name().to_owned();
    name.push(format!(".torn-{time}"));
    let mut kept = match fs::create_new(target.dir(), &name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            name.push(format!("-{}", Nonce::fresh()));
            fs::create_new(target.dir(), &name)?
        }
        other => other?,
    };
    kept.write_all(&torn)?;
    // On disk before it is cut from the transcript: at every moment one of the two has it.
    kept.sync_data()?;
    fs::sync_dir(target.dir())?;
    file.set_len(end)?;
    Ok(Some(target.dir_path().join(name)))
}
