//! What can go wrong with a lock, typed. Every variant names the lock, its owner as far as known, how long the caller
//! waited and the setting that changes the behaviour, and carries a [`Mark`] so that the code survives any wrapping.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    time::Duration,
};

use moorline_taxonomy::{Code, Coordination, Local, LockFacts, Mark, Owner, Wire};

use crate::{
    judge::{PidEvidence, Reason},
    record::Record,
};

/// Who stood in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The very run that asked.
    ThisRun,
    /// Another run of this process.
    ThisProcess,
    /// Another process, proven alive.
    OtherProcess,
    /// Nobody can be proven to own it, and nobody can be proven not to.
    Unprovable,
}

impl Relation {
    /// The words used in messages and on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ThisRun => "this run",
            Self::ThisProcess => "this process",
            Self::OtherProcess => "another live process",
            Self::Unprovable => "unprovable",
        }
    }
}

/// What is known about the lock that was not acquired.
#[derive(Clone, Debug)]
pub struct Report {
    /// The lock file.
    pub lock_path: PathBuf,
    /// Who stood in the way.
    pub relation: Relation,
    /// The record in the lock file; empty when there was none to read.
    pub record: Record,
    /// Whether the named process was seen alive.
    pub pid_alive: Option<bool>,
    /// Age of the lock by its own `createdAt`.
    pub age: Option<Duration>,
    /// Why it is called stale or unprovable.
    pub reasons: Vec<Reason>,
    /// How long the caller waited.
    pub waited: Duration,
    /// Requests of this process that stood before the caller's.
    pub queue_position: usize,
    /// What stands at the lock's path, when it is nothing that could be read and judged.
    pub unreadable: Option<&'static str>,
    /// The guard that other programs put around a reclaim was in the way, with what it says of its owner.
    pub reclaim_guard: Option<String>,
}

impl Report {
    /// What goes into the mark and so onto the wire.
    fn facts(&self) -> LockFacts {
        LockFacts {
            owner: Some(self.owner()),
            lock_path: Some(self.lock_path.display().to_string()),
            stale_reasons: self.reasons.iter().map(|reason| reason.as_str().to_owned()).collect(),
            waited: Some(self.waited),
        }
    }

    fn owner(&self) -> Owner {
        Owner {
            pid: self.record.pid,
            host: self.record.host.clone(),
            run_id: self.record.run_id.clone(),
            session_key: self.record.session_key.clone(),
            alive: self.pid_alive,
            age_ms: self.age.map(millis),
            relation: Some(self.relation.as_str().to_owned()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "owner {}", self.relation.as_str())?;
        match (self.record.pid, self.pid_alive, self.relation) {
            // A command that outlives the process it was started under keeps the lock alive.
            (Some(pid), Some(false), Relation::OtherProcess) => {
                write!(f, ", which got the lock from pid {pid} (gone; `fuser` on the lock file names it)")?;
            }
            (Some(pid), _, _) => write!(f, ", pid {pid}")?,
            (None, _, _) => {}
        }
        if let Some(run) = &self.record.run_id {
            write!(f, ", run {}", Escaped(run))?;
        }
        if let Some(session) = &self.record.session_key {
            write!(f, ", session {}", Escaped(session))?;
        }
        if let Some(age) = self.age {
            write!(f, ", age {} ms", age.as_millis())?;
        }
        if self.queue_position > 0 {
            write!(f, ", {} before this one in the queue", self.queue_position)?;
        }
        if let Some(what) = self.unreadable {
            write!(f, ", at the lock's path is {what}")?;
        }
        if let Some(guard) = &self.reclaim_guard {
            write!(f, ", behind a reclaim guard of {}", Escaped(guard))?;
        }
        write!(f, ", waited {} ms", self.waited.as_millis())
    }
}

/// Text out of somebody's file, with its control characters spelled out: it may not begin a line of its own in a log or
/// command a terminal.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        self.0.chars().try_for_each(|character| {
            if character.is_control() {
                write!(f, "{}", character.escape_default())
            } else {
                f.write_char(character)
            }
        })
    }
}

/// How a lock was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostHow {
    /// The lock file is gone or is another file.
    Replaced,
    /// An operator or the host asked for it back.
    Revoked,
    /// The watchdog took it back after `maxHoldMs`.
    HoldExceeded,
    /// It was already released.
    Released,
    /// This process is a fork of the one that acquired it.
    Forked,
}

impl LostHow {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "the lock file was removed or replaced by another program",
            Self::Revoked => "it was revoked",
            Self::HoldExceeded => "it was revoked because it was held longer than maxHoldMs",
            Self::Released => "it was already released",
            Self::Forked => "this process is a fork of the one that acquired it",
        }
    }
}

/// A lock was not acquired, or was lost.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The lock was not had within the acquire budget. `coordination.lock_timeout`.
    #[error("session lock {} not acquired within {} (acquireTimeoutMs): {report}", report.lock_path.display(), budget(*.limit))]
    Timeout {
        /// Who stood in the way.
        report: Box<Report>,
        /// The budget; `None` when the wait ended for another reason than its length.
        limit: Option<Duration>,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
    /// A live owner holds the lock longer than it should; the file stays. `coordination.lock_stale`.
    #[error(
        "session lock {} is stale ({}) and stays, since its owner lives: {report}; wait for it (onStale: wait) or ask it with `moorline lock revoke`",
        report.lock_path.display(),
        words(&report.reasons)
    )]
    Stale {
        /// Who holds it, and why it is called stale.
        report: Box<Report>,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
    /// The lock was taken away while it was held; nothing was written since. `coordination.lock_lost`.
    #[error("session lock {} was lost: {}", lock_path.display(), how.as_str())]
    Lost {
        /// The lock file.
        lock_path: PathBuf,
        /// How.
        how: LostHow,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
    /// The run that asks owns the lock already and would wait for itself. `coordination.lock_timeout`.
    #[error("session lock {} is owned by the run that asks for it; pass its guard on instead of acquiring again: {report}", report.lock_path.display())]
    SelfContention {
        /// The run itself.
        report: Box<Report>,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
    /// The file system did not let the protocol work. A `local.*` code.
    #[error("cannot {operation} {}: {help}", path.display())]
    Unavailable {
        /// The path concerned.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// What to do about it.
        help: String,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
}

impl LockError {
    pub(crate) fn timeout(report: Report, limit: Option<Duration>) -> Self {
        let mark = Mark::new(Coordination::LockTimeout).lock_is(report.facts());
        Self::Timeout { report: Box::new(report), limit, mark }
    }

    pub(crate) fn stale(report: Report) -> Self {
        let mark = Mark::new(Coordination::LockStale).lock_is(report.facts());
        Self::Stale { report: Box::new(report), mark }
    }

    pub(crate) fn lost(lock_path: PathBuf, how: LostHow) -> Self {
        let facts = LockFacts { lock_path: Some(lock_path.display().to_string()), ..LockFacts::default() };
        Self::Lost { lock_path, how, mark: Mark::new(Coordination::LockLost).lock_is(facts) }
    }

    pub(crate) fn self_contention(report: Report) -> Self {
        let mark = Mark::new(Coordination::LockTimeout).lock_is(report.facts());
        Self::SelfContention { report: Box::new(report), mark }
    }

    pub(crate) fn unavailable(path: &Path, operation: &'static str, source: io::Error) -> Self {
        let (code, help) = local(&source);
        let help = match help {
            Some(help) => help.to_owned(),
            // Our own refusals carry their whole text; an unknown system error is named by the cause beneath.
            None if source.raw_os_error().is_none() => source.to_string(),
            None => "the operating system refused".to_owned(),
        };
        Self::Unavailable { path: path.to_owned(), operation, help, mark: Mark::new(code).caused_by(source) }
    }

    fn mark(&self) -> &Mark {
        match self {
            Self::Timeout { mark, .. }
            | Self::Stale { mark, .. }
            | Self::Lost { mark, .. }
            | Self::SelfContention { mark, .. }
            | Self::Unavailable { mark, .. } => mark,
        }
    }

    /// The class.
    #[must_use]
    pub fn code(&self) -> Code {
        self.mark().code()
    }

    /// What is known about the owner, for the variants that have one.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        match self {
            Self::Timeout { report, .. }
            | Self::Stale { report, .. }
            | Self::SelfContention { report, .. } => Some(report),
            Self::Lost { .. } | Self::Unavailable { .. } => None,
        }
    }

    /// The wire form, with owner, path, reasons and waiting time: the mark carries them, so any wrapping keeps them.
    #[must_use]
    pub fn wire(&self) -> Wire {
        Wire::of(self)
    }
}

/// The local code of an I/O error and what to do about it.
pub(crate) fn local(error: &io::Error) -> (Local, Option<&'static str>) {
    match error.raw_os_error() {
        Some(libc::ENOSPC | libc::EDQUOT) => {
            (Local::DiskFull, Some("no space or quota is left; free some (nothing was left behind)"))
        }
        Some(libc::EFBIG) => {
            (Local::DiskFull, Some("the file may not grow further; raise the limit (ulimit -f)"))
        }
        Some(libc::EACCES | libc::EPERM) => (
            Local::Permission,
            Some("access was refused; the directory must be open to this user, to write as well"),
        ),
        Some(libc::EROFS) => (Local::Permission, Some("the file system is mounted read-only")),
        Some(libc::ENOTSUP | libc::ENOSYS | libc::EXDEV) => {
            (Local::UnsupportedFilesystem, Some("the file system lacks what a lock needs; use a local one"))
        }
        Some(libc::EMFILE | libc::ENFILE) => {
            (Local::Config, Some("too many files are open; raise the limit (ulimit -n)"))
        }
        Some(libc::ENOENT) => (Local::Config, Some("it does not exist; make it, or correct the path")),
        Some(libc::ELOOP | libc::ENOTDIR | libc::ENAMETOOLONG) => {
            (Local::Config, Some("the path leads through something that is not a directory, or is too long"))
        }
        Some(_) | None if error.kind() == io::ErrorKind::InvalidInput => (Local::Config, None),
        Some(_) | None if error.kind() == io::ErrorKind::Unsupported => (Local::UnsupportedFilesystem, None),
        Some(_) | None => (Local::Unclassified, None),
    }
}

/// Whether a process was seen alive, as far as `pid` evidence says.
pub(crate) fn pid_alive(pid: PidEvidence) -> Option<bool> {
    match pid {
        PidEvidence::Alive | PidEvidence::NotPermitted => Some(true),
        PidEvidence::Gone | PidEvidence::Zombie | PidEvidence::Recycled | PidEvidence::StartedLater => {
            Some(false)
        }
        PidEvidence::Absent | PidEvidence::Unknown => None,
    }
}

fn budget(limit: Option<Duration>) -> String {
    limit.map_or_else(|| "its budget".to_owned(), |limit| format!("{} ms", limit.as_millis()))
}

fn words(reasons: &[Reason]) -> String {
    reasons.iter().map(|reason| reason.as_str()).collect::<Vec<_>>().join(", ")
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
