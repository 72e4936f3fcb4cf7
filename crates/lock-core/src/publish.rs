//! The candidate: a complete lock file that has no name yet, and the one step that gives it one.
//!
//! The decision: an unnamed file (`O_TMPFILE`), its `flock`, its full record, then `linkat`. Readers never see an empty
//! or partial lock, and a killed process leaves nothing behind. The option not taken is exclusive create followed by a
//! write: it shows an empty file in between, and a full disk leaves an empty lock.
//!
//! Must stay true: the descriptor stays open until after release, for it is the proof of life; a candidate that ever had
//! a name is discarded, never reused (the kernel would not link it again); a record is written immediately before the
//! publish, so that a candidate that waited is not born stale.

use std::{ffi::OsString, fs::File, io, os::unix::fs::FileExt, time::Duration};

use crate::{
    failpoint::step,
    nonce::Nonce,
    record, registry,
    sys::{
        clock::WallMs,
        fs::{self, FileId, Probe},
        kernel,
    },
    tag::RunTag,
    target::Target,
};

/// How a candidate comes to its name. The first that the file system knows is used.
#[cfg_attr(
    not(feature = "testkit"),
    allow(dead_code, unreachable_pub, reason = "only the test kit names the others")
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PublishMode {
    /// An unnamed file, linked in.
    #[default]
    Unnamed,
    /// A private name, renamed without replacing.
    Rename,
    /// A private name, linked and unlinked. Last choice: readers may distrust a lock with two links.
    Link,
}

pub(crate) struct Candidate<'t> {
    file: File,
    id: FileId,
    nonce: Nonce,
    /// The private name, while it has one.
    named: Option<PrivateName>,
    mode: PublishMode,
    flocked: bool,
    target: &'t Target,
}

/// A lock file of ours that has the lock's name.
pub(crate) struct Published {
    pub(crate) file: File,
    pub(crate) id: FileId,
    pub(crate) nonce: Nonce,
}

/// A private name in the directory, removed when dropped.
pub(crate) struct PrivateName {
    target: Target,
    name: OsString,
}

impl PrivateName {
    /// Forgets the name without removing it: it is gone, or belongs to another file now.
    pub(crate) fn forget(mut self) {
        self.name.clear();
    }
}

impl Drop for PrivateName {
    fn drop(&mut self) {
        if !self.name.is_empty() {
            // What cannot be removed is litter that a sweep finds by its form.
            let _ = fs::unlink_at(self.target.dir(), &self.name);
        }
    }
}

impl<'t> Candidate<'t> {
    pub(crate) fn create(target: &'t Target, mode: PublishMode) -> io::Result<Self> {
        let nonce = Nonce::fresh();
        let unnamed = match mode {
            PublishMode::Unnamed => match kernel::unnamed_file(target.dir()) {
                Ok(file) => Some(file),
                Err(error) if is_unsupported(&error) => None,
                Err(error) => return Err(error),
            },
            PublishMode::Rename | PublishMode::Link => None,
        };
        let (file, named) = match unnamed {
            Some(file) => (file, None),
            None => {
                let name = target.aside_name(&nonce);
                let file = fs::create_new(target.dir(), &name)?;
                (file, Some(PrivateName { target: target.clone(), name }))
            }
        };
        step!("acquire.candidate");
        // On a network file system `flock` may hang; the record then does not claim it.
        let flocked = !target.on_network() && fs::try_flock_exclusive(&file) == Probe::Free;
        step!("acquire.flocked");
        let id = kernel::id_fd(&file)?;
        Ok(Self { file, id, nonce, named, mode, flocked, target })
    }

    /// Writes the record as of now.
    pub(crate) fn write(&self, tag: &RunTag, max_hold: Duration) -> io::Result<()> {
        let process = &registry::global().process().text;
        let bytes =
            record::write(process, tag, &self.nonce, WallMs::now(), max_hold, self.id.dev, self.flocked);
        // The fields and so the length are the same each time (a year has four digits until 9999).
        self.file.write_all_at(&bytes, 0)?;
        step!("acquire.written");
        Ok(())
    }

    /// Gives the candidate the lock's name; gives it back when the name is taken.
    pub(crate) fn publish(mut self) -> io::Result<Result<Published, Self>> {
        match self.try_publish() {
            Ok(()) => {
                step!("acquire.published");
                Ok(Ok(self.into_published()))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Err(self)),
            Err(error) => Err(error),
        }
    }

    fn try_publish(&mut self) -> io::Result<()> {
        let (dir, lock_name) = (self.target.dir(), self.target.lock_name());
        let Some(private) = &self.named else {
            return kernel::link_unnamed(&self.file, dir, lock_name);
        };
        if self.mode != PublishMode::Link {
            match kernel::rename_noreplace(dir, &private.name, lock_name) {
                Ok(()) => {
                    if let Some(private) = self.named.take() {
                        private.forget();
                    }
                    return Ok(());
                }
                Err(error) if is_unsupported(&error) => {}
                Err(error) => return Err(error),
            }
        }
        fs::link_at(dir, &private.name, lock_name)?;
        // Published; dropping the private name removes it.
        self.named = None;
        Ok(())
    }

    /// Whether nobody but this process can see it yet.
    pub(crate) fn is_unnamed(&self) -> bool {
        self.named.is_none()
    }

    /// Gives the candidate a private name, for an exchange.
    pub(crate) fn name_aside(&mut self) -> io::Result<OsString> {
        if let Some(private) = &self.named {
            return Ok(private.name.clone());
        }
        let name = self.target.aside_name(&self.nonce);
        kernel::link_unnamed(&self.file, self.target.dir(), &name)?;
        self.named = Some(PrivateName { target: self.target.clone(), name: name.clone() });
        Ok(name)
    }

    /// The candidate was exchanged in: it has the lock's name, and its private name belongs to what came out.
    pub(crate) fn exchanged_in(mut self) -> Published {
        if let Some(displaced) = self.named.take() {
            displaced.forget();
        }
        self.into_published()
    }

    /// When the file was made, on the file system's clock.
    pub(crate) fn ctime_ns(&self) -> Option<i128> {
        fs::stat_fd(&self.file).ok().map(|stat| stat.ctime_ns)
    }

    fn into_published(self) -> Published {
        Published { file: self.file, id: self.id, nonce: self.nonce }
    }
}

/// Whether the system or the file system lacks a call, as they variously say it.
pub(crate) fn is_unsupported(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
        || matches!(
            error.raw_os_error(),
            Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL | libc::EISDIR | libc::EXDEV)
        )
}
