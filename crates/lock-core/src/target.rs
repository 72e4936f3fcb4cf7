//! What is locked: a file, named through a pinned directory.
//!
//! The path is resolved once. From then on everything goes through the directory's descriptor, so neither a symlink nor
//! a rename above can lead a later step elsewhere. Any file name works; this crate knows no key syntax.

use std::{
    ffi::{CStr, CString, OsStr, OsString},
    fmt,
    hash::{BuildHasher, Hash, Hasher, RandomState},
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
};

use crate::{
    error::LockError,
    nonce::Nonce,
    sys::fs::{self, Kind},
    sys::kernel,
};

/// The suffix of a lock file.
const LOCK: &str = ".lock";
/// The suffix of the guard that other programs put around a reclaim.
const GUARD: &str = ".lock.reclaim";

/// A file whose sidecar lock can be acquired. Cheap to clone.
#[derive(Clone)]
pub struct Target(Arc<Inner>);

struct Inner {
    dir: OwnedFd,
    dir_path: PathBuf,
    /// These two as the kernel takes them: each acquisition names them four times.
    lock_name: CString,
    guard_name: CString,
    key: LaneKey,
    network: bool,
}

/// What makes two targets the same lane: the directory itself, not the path it was reached by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LaneKey {
    /// Of the other two, made once: each acquisition looks the key up.
    hash: u64,
    dir: fs::FileId,
    name: Arc<OsStr>,
}

impl LaneKey {
    fn new(dir: fs::FileId, name: &OsStr) -> Self {
        // Keyed at random: whoever chooses file names must not be able to choose ones that collide.
        static KEYED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Self { hash: KEYED.hash_one((dir, name)), dir, name: name.into() }
    }
}

impl Hash for LaneKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Target {
    /// The lock `realpath(dir)/<file name>.lock` of `file`. The file itself need not exist; its directory must.
    ///
    /// # Errors
    /// `Unavailable` when the path has no file name, the directory cannot be opened, or the file is a symlink, has other
    /// hard links or is not a regular file: its other names would not be covered by the lock.
    pub fn sidecar_of(file: &Path) -> Result<Self, LockError> {
        let refused = |what: &str| {
            LockError::unavailable(
                file,
                "resolve",
                io::Error::new(io::ErrorKind::InvalidInput, what.to_owned()),
            )
        };
        let name = file.file_name().ok_or_else(|| refused("it names no file"))?;
        let parent = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            Some(_) | None => Path::new("."),
        };
        // 255 bytes is the limit of every supported file system; the longest name made from it is the aside name.
        if name.len() > 200 {
            return Err(refused(
                "its name is longer than 200 bytes, too long for the names a lock needs beside it",
            ));
        }
        let dir_path = parent
            .canonicalize()
            .map_err(|source| LockError::unavailable(parent, "resolve directory", source))?;
        let dir = fs::open_dir(&dir_path)
            .map_err(|source| LockError::unavailable(&dir_path, "open directory", source))?;
        let io = |operation, source| LockError::unavailable(file, operation, source);
        if let Some(stat) = fs::stat_at(&dir, name).map_err(|source| io("inspect", source))? {
            match stat.kind {
                Kind::Symlink => return Err(refused("it is a symbolic link; lock the file it points to")),
                Kind::Directory | Kind::Special => return Err(refused("it is not a regular file")),
                Kind::Regular if stat.nlink > 1 => {
                    return Err(refused("it has other hard links, which the lock would not cover"));
                }
                Kind::Regular => {}
            }
        }
        let dir_id = fs::stat_fd(&dir).map_err(|source| io("inspect directory", source))?.id;
        let network = kernel::is_network(&dir).map_err(|source| io("inspect file system", source))?;
        let named = |suffix: &str| {
            CString::new([name.as_bytes(), suffix.as_bytes()].concat())
                .map_err(|source| io("resolve", source.into()))
        };
        Ok(Self(Arc::new(Inner {
            lock_name: named(LOCK)?,
            guard_name: named(GUARD)?,
            key: LaneKey::new(dir_id, name),
            dir,
            dir_path,
            network,
        })))
    }

    /// The target whose lock file is `lock`, or whose file is `lock` itself when it has no lock suffix.
    pub(crate) fn of_either(path: &Path) -> Result<Self, LockError> {
        match path.file_name().and_then(strip_lock) {
            Some(name) => Self::sidecar_of(&path.with_file_name(name)),
            None => Self::sidecar_of(path),
        }
    }

    /// Path of the file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.0.dir_path.join(self.name())
    }

    /// Path of its lock.
    #[must_use]
    pub fn lock_path(&self) -> PathBuf {
        self.0.dir_path.join(OsStr::from_bytes(self.0.lock_name.to_bytes()))
    }

    /// Whether the file is on a network file system, where the lock only reports (see docs/operator-guide.md).
    #[must_use]
    pub fn on_network(&self) -> bool {
        self.0.network
    }

    pub(crate) fn dir(&self) -> &OwnedFd {
        &self.0.dir
    }

    pub(crate) fn dir_path(&self) -> &Path {
        &self.0.dir_path
    }

    pub(crate) fn name(&self) -> &OsStr {
        &self.0.key.name
    }

    pub(crate) fn lock_name(&self) -> &CStr {
        &self.0.lock_name
    }

    pub(crate) fn guard_name(&self) -> &CStr {
        &self.0.guard_name
    }

    pub(crate) fn key(&self) -> &LaneKey {
        &self.0.key
    }

    /// A private name beside the lock, for a file on its way in or out.
    pub(crate) fn aside_name(&self, nonce: &Nonce) -> OsString {
        let mut name = OsString::from(".");
        name.push(self.name());
        name.push(".");
        name.push(nonce.as_str());
        name.push(ASIDE);
        name
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.path()).finish()
    }
}

/// The suffix of private names.
const ASIDE: &str = ".x";

/// Whether `name` is one of our private names: a dot, anything, a 32-digit nonce and the suffix.
pub(crate) fn is_aside(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| {
        name.strip_prefix('.')
            .and_then(|name| name.strip_suffix(ASIDE))
            .and_then(|name| name.rsplit_once('.'))
            .is_some_and(|(_, nonce)| Nonce::read(nonce).is_some())
    })
}

/// The file name without the lock suffix.
pub(crate) fn strip_lock(name: &OsStr) -> Option<OsString> {
    name.as_bytes()
        .strip_suffix(LOCK.as_bytes())
        .filter(|rest| !rest.is_empty())
        .map(|rest| OsStr::from_bytes(rest).to_owned())
}
