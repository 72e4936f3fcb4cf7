//! Judging a lock file: a pure function of what the record says and what the kernel says.
//!
//! The decision: the kernel's word about the open file (lease, then `flock`) stands above everything a file or a pid can
//! tell, because a dead predecessor and a live neighbour with the same host name and pid leave identical files. The
//! option not taken is to weigh pid, age and command line as other programs do; it removes live locks.
//!
//! Must stay true: only [`State::Dead`] is removable; an age never makes a lock removable; what is not known is
//! [`State::Unknown`], and unknown never acts. tests/golden/judge.txt holds the whole table.

use std::{fmt, time::Duration};

use serde::Serialize;

use crate::record::Record;
pub use crate::sys::fs::Probe;

/// What is known about the process a record names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PidEvidence {
    /// The record names none.
    Absent,
    /// No such process.
    Gone,
    /// The process lives and started when the record says (or neither side knows its start).
    Alive,
    /// A process with that pid lives, but started at another time.
    Recycled,
    /// A process with that pid lives, the record has no start time, and the process started after the lock was made.
    StartedLater,
    /// It ended and was not waited for.
    Zombie,
    /// It lives and belongs to somebody else.
    NotPermitted,
    /// It was not or could not be looked at.
    Unknown,
}

/// How something the record names compares with here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Likeness {
    /// The same as here.
    Same,
    /// Another one.
    Other,
    /// The record or this process does not say.
    Unknown,
}

/// Whether the lock is this process's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Own {
    /// Its nonce is in this process's registry.
    Registered,
    /// It names this very process, but nobody here holds it.
    Orphan,
    /// It names another process.
    No,
}

/// Everything a judgement may look at besides the record.
#[derive(Clone, Copy, Debug)]
pub struct Evidence {
    /// The exclusive `flock` of the judged file.
    pub flock: Probe,
    /// Whether anybody has the judged file open for writing.
    pub lease: Probe,
    /// The process the record names.
    pub pid: PidEvidence,
    /// The kernel boot the record names.
    pub boot: Likeness,
    /// The pid namespace the record names.
    pub pid_ns: Likeness,
    /// The host the record names.
    pub host: Likeness,
    /// The device the record names, compared with the judged file's.
    pub fs_dev: Likeness,
    /// Whether it is this process's own lock.
    pub own: Own,
    /// The file system is reached over a network.
    pub network: bool,
    /// How long the file is known to be unchanged.
    pub unchanged_for: Duration,
    /// Whether the named process looks like an agent runner; `None` when that was not looked at.
    pub looks_like_agent: Option<bool>,
    /// The file could not be read, or is not a regular file of at most 64 KiB.
    pub unreadable: bool,
}

/// The limits a judgement compares with.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The age past which a live lock is reported.
    pub stale: Duration,
    /// How long a file without a complete record must stay unchanged before it counts as abandoned.
    pub grace: Duration,
}

/// Why a lock is called stale, or what was remarked about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The record names no process.
    MissingPid,
    /// The process it names is gone.
    DeadPid,
    /// Another process has that pid now.
    RecycledPid,
    /// The record does not say since when.
    #[serde(rename = "invalid-createdAt")]
    InvalidCreatedAt,
    /// Older than `staleMs`. Report-only.
    TooOld,
    /// Held longer than its own `maxHoldMs`. Report-only.
    HoldExceeded,
    /// It names this process, and nobody here holds it.
    OrphanSelfPid,
    /// The process does not look like an agent runner. A remark, never a reason to act.
    ForeignOwner,
    /// Nothing can be proved about the owner from here. Report-only.
    UnverifiableOwner,
    /// The owner let go of the file without removing it.
    LeaseLost,
    /// A reason of another version.
    Unknown,
}

impl Reason {
    /// Every reason, in the order they are reported.
    pub const ALL: [Self; 11] = [
        Self::MissingPid,
        Self::DeadPid,
        Self::RecycledPid,
        Self::InvalidCreatedAt,
        Self::TooOld,
        Self::HoldExceeded,
        Self::OrphanSelfPid,
        Self::ForeignOwner,
        Self::UnverifiableOwner,
        Self::LeaseLost,
        Self::Unknown,
    ];

    /// The word other programs know.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MissingPid => "missing-pid",
            Self::DeadPid => "dead-pid",
            Self::RecycledPid => "recycled-pid",
            Self::InvalidCreatedAt => "invalid-createdAt",
            Self::TooOld => "too-old",
            Self::HoldExceeded => "hold-exceeded",
            Self::OrphanSelfPid => "orphan-self-pid",
            Self::ForeignOwner => "foreign-owner",
            Self::UnverifiableOwner => "unverifiable-owner",
            Self::LeaseLost => "lease-lost",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a lock file was judged to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Somebody owns it.
    Live,
    /// Another judge or reclaimer is at work on it; look again shortly.
    Contended,
    /// Its owner is proven gone.
    Dead,
    /// Nothing is proven.
    Unknown,
}

/// A judgement. `removable` is true for [`State::Dead`] alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    /// What it is.
    pub state: State,
    /// Why, in the order of [`Reason::ALL`].
    pub reasons: Vec<Reason>,
}

impl Judgement {
    /// Whether the file may be reclaimed.
    #[must_use]
    pub fn removable(&self) -> bool {
        match self.state {
            State::Dead => true,
            State::Live | State::Contended | State::Unknown => false,
        }
    }

    /// Whether a live lock is to be reported: it is older, or held longer, than it should be.
    #[must_use]
    pub fn live_stale(&self) -> bool {
        self.state == State::Live
            && self.reasons.iter().any(|reason| matches!(reason, Reason::TooOld | Reason::HoldExceeded))
    }
}

/// Judges a lock file of the given age (`None` when `createdAt` is missing).
#[must_use]
pub fn judge(record: &Record, evidence: &Evidence, age: Option<Duration>, limits: &Limits) -> Judgement {
    let (state, mut reasons) = state_of(record, evidence, limits);
    if state == State::Live && evidence.own != Own::Registered {
        if age.is_some_and(|age| age > limits.stale) {
            reasons.push(Reason::TooOld);
        }
        if let (Some(age), Some(max_hold)) = (age, record.max_hold)
            && age > max_hold
        {
            reasons.push(Reason::HoldExceeded);
        }
        if !record.flock && evidence.looks_like_agent == Some(false) {
            reasons.push(Reason::ForeignOwner);
        }
    }
    reasons.sort_unstable();
    reasons.dedup();
    Judgement { state, reasons }
}

fn state_of(record: &Record, evidence: &Evidence, limits: &Limits) -> (State, Vec<Reason>) {
    if evidence.own == Own::Registered {
        return (State::Live, Vec::new());
    }
    if evidence.unreadable {
        return (State::Unknown, vec![Reason::UnverifiableOwner]);
    }
    // The kernel first. A writer is alive, stopped or not, whatever the record says.
    match (evidence.lease, evidence.flock) {
        (Probe::Held, Probe::Free | Probe::Held | Probe::Unknown) => return (State::Live, Vec::new()),
        (Probe::Free, Probe::Held) => return (State::Contended, Vec::new()),
        (Probe::Unknown, Probe::Held) => return (State::Live, Vec::new()),
        (Probe::Free | Probe::Unknown, Probe::Free | Probe::Unknown) => {}
    }
    // Its owner saw another device: it works below or above a mount that is between (an overlay), and neither `flock` nor
    // lease speak about the owner's file. Across a reboot device numbers mean nothing.
    if evidence.fs_dev == Likeness::Other && evidence.boot != Likeness::Other {
        return (State::Unknown, vec![Reason::UnverifiableOwner]);
    }
    if !record.is_complete() {
        return incomplete(record, evidence, limits);
    }
    if evidence.network || evidence.flock == Probe::Unknown {
        return unprovable(evidence);
    }
    if record.flock && evidence.boot == Likeness::Same {
        return match evidence.fs_dev {
            // Our own kind of owner holds its `flock` for as long as it owns; nobody holds it.
            Likeness::Same => (State::Dead, vec![why_gone(evidence)]),
            // Perhaps seen through another mount, which the record does not tell.
            Likeness::Other | Likeness::Unknown => (State::Unknown, vec![Reason::UnverifiableOwner]),
        };
    }
    if evidence.own == Own::Orphan && evidence.lease == Probe::Free {
        return (State::Dead, vec![Reason::OrphanSelfPid]);
    }
    foreign(evidence)
}

/// A record that does not say who or since when: abandoned only after it stayed as it is for the grace.
fn incomplete(record: &Record, evidence: &Evidence, limits: &Limits) -> (State, Vec<Reason>) {
    let mut reasons = Vec::new();
    if record.pid.is_none() {
        reasons.push(Reason::MissingPid);
    }
    if record.created_at_ms.is_none() {
        reasons.push(Reason::InvalidCreatedAt);
    }
    let provable = evidence.lease == Probe::Free && evidence.flock == Probe::Free && !evidence.network;
    if provable && evidence.unchanged_for >= limits.grace {
        (State::Dead, reasons)
    } else {
        (State::Unknown, reasons)
    }
}

/// A record without our marker, `flock` free. Its writer must be shown gone by lease and by process.
fn foreign(evidence: &Evidence) -> (State, Vec<Reason>) {
    if evidence.lease != Probe::Free {
        return unprovable(evidence);
    }
    match (evidence.host, evidence.boot, evidence.pid_ns) {
        (Likeness::Other, _, _) => return (State::Unknown, vec![Reason::UnverifiableOwner]),
        // Another boot of this very host: whoever wrote it is gone.
        (Likeness::Same, Likeness::Other, _) => return (State::Dead, vec![Reason::DeadPid]),
        (Likeness::Unknown, Likeness::Other, _) | (_, _, Likeness::Other) => {
            return (State::Unknown, vec![Reason::UnverifiableOwner]);
        }
        (
            Likeness::Same | Likeness::Unknown,
            Likeness::Same | Likeness::Unknown,
            Likeness::Same | Likeness::Unknown,
        ) => {}
    }
    match evidence.pid {
        PidEvidence::Gone | PidEvidence::Zombie => (State::Dead, vec![Reason::DeadPid]),
        PidEvidence::Recycled | PidEvidence::StartedLater => (State::Dead, vec![Reason::RecycledPid]),
        PidEvidence::Alive | PidEvidence::NotPermitted => (State::Live, Vec::new()),
        PidEvidence::Unknown | PidEvidence::Absent => (State::Unknown, vec![Reason::UnverifiableOwner]),
    }
}

/// No kernel evidence: a living process still counts as an owner, anything else proves nothing.
fn unprovable(evidence: &Evidence) -> (State, Vec<Reason>) {
    let here = evidence.host != Likeness::Other
        && evidence.boot != Likeness::Other
        && evidence.pid_ns != Likeness::Other;
    match evidence.pid {
        PidEvidence::Alive | PidEvidence::NotPermitted if here => (State::Live, Vec::new()),
        PidEvidence::Absent
        | PidEvidence::Gone
        | PidEvidence::Alive
        | PidEvidence::Recycled
        | PidEvidence::StartedLater
        | PidEvidence::Zombie
        | PidEvidence::NotPermitted
        | PidEvidence::Unknown => (State::Unknown, vec![Reason::UnverifiableOwner]),
    }
}

/// The word for a death that the kernel proved.
fn why_gone(evidence: &Evidence) -> Reason {
    if evidence.own == Own::Orphan {
        return Reason::OrphanSelfPid;
    }
    match evidence.pid {
        PidEvidence::Gone | PidEvidence::Zombie => Reason::DeadPid,
        PidEvidence::Recycled | PidEvidence::StartedLater => Reason::RecycledPid,
        // The pid may belong to anybody by now (a restarted container, another namespace), or the owner lives and closed
        // the file without removing it.
        PidEvidence::Absent | PidEvidence::Alive | PidEvidence::NotPermitted | PidEvidence::Unknown => {
            Reason::LeaseLost
        }
    }
}
