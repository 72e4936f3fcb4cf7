//! What stood in the way of an acquisition at its last look, and the report an error carries about it.
//!
//! The decision: what is kept is what was read and judged, not the open file. A descriptor kept for a report would hold a
//! removed file in the kernel, and with it the news that it was removed.

use std::time::Duration;

use crate::{
    error::{Relation, Report, pid_alive},
    judge::{Evidence, Judgement, Own, Probe, Reason, State},
    record::Record,
    registry,
    sys::{
        clock::WallMs,
        fs::{self, Kind, MAX_RECORD, Stat},
        process::Identity,
    },
    target::Target,
};

pub(crate) enum Obstacle {
    /// Nothing yet, or what stood there is gone.
    Nothing,
    /// Something at the path that could not even be opened.
    Unreadable { what: &'static str },
    /// The guard that reclaimers of other programs put there, with what it says of its owner.
    Guard { says: String },
    /// A lock. Boxed, because most acquisitions meet none and should not carry room for it.
    Lock(Box<SeenLock>),
}

pub(crate) struct SeenLock {
    /// What it is instead of a lock that can be read.
    pub(crate) unreadable: Option<&'static str>,
    pub(crate) record: Record,
    pub(crate) evidence: Evidence,
    pub(crate) judgement: Judgement,
}

impl Obstacle {
    /// Why it is stale or not provable.
    pub(crate) fn reasons(&self) -> &[Reason] {
        match self {
            Self::Nothing => &[],
            Self::Unreadable { .. } | Self::Guard { .. } => &[Reason::UnverifiableOwner],
            Self::Lock(lock) => &lock.judgement.reasons,
        }
    }

    /// Whether it is a live lock that is to be reported.
    pub(crate) fn is_live_stale(&self) -> bool {
        self.lock().is_some_and(|lock| lock.judgement.live_stale())
    }

    /// Whether it is a lock that somebody has open for writing, whose end the kernel therefore reports.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().is_some_and(|lock| lock.evidence.lease == Probe::Held)
    }

    /// Whether its owner seems to be closing it at this moment: the `flock` goes before the lease does.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_open()
            && self.lock().is_some_and(|lock| lock.record.flock && lock.evidence.flock == Probe::Free)
    }

    /// Whether it is a lock whose owner is proven gone.
    pub(crate) fn is_dead(&self) -> bool {
        self.lock().is_some_and(|lock| lock.judgement.removable())
    }

    fn lock(&self) -> Option<&SeenLock> {
        match self {
            Self::Nothing | Self::Unreadable { .. } | Self::Guard { .. } => None,
            Self::Lock(lock) => Some(lock),
        }
    }

    fn relation(&self) -> Relation {
        match self {
            Self::Nothing | Self::Unreadable { .. } | Self::Guard { .. } => Relation::Unprovable,
            Self::Lock(lock) => match lock.judgement.state {
                State::Live if lock.evidence.own == Own::Registered => Relation::ThisProcess,
                State::Live => Relation::OtherProcess,
                State::Contended | State::Dead | State::Unknown => Relation::Unprovable,
            },
        }
    }

    /// The report of the head of a lane, which has looked at the file itself.
    pub(crate) fn report(&self, target: &Target, identity: &Identity, waited: Duration) -> Report {
        let mut report = own_process_report(target, identity, waited, Relation::Unprovable, 0);
        report.relation = self.relation();
        report.reasons = self.reasons().to_vec();
        match self {
            Self::Nothing => {}
            Self::Unreadable { what } => report.unreadable = Some(what),
            Self::Guard { says } => report.reclaim_guard = Some(says.clone()),
            Self::Lock(lock) => {
                report.unreadable = lock.unreadable;
                report.record = lock.record.clone();
                report.age = lock.record.age(WallMs::now());
                report.pid_alive = pid_alive(lock.evidence.pid);
            }
        }
        report
    }
}

/// The report of one who waits behind others of this process, where the owner is known without looking at the file.
pub(crate) fn own_process_report(
    target: &Target,
    identity: &Identity,
    waited: Duration,
    relation: Relation,
    queue_position: usize,
) -> Report {
    let owner = match relation {
        Relation::ThisRun | Relation::ThisProcess => {
            registry::global().all().into_iter().find(|hold| hold.target().key() == target.key())
        }
        Relation::OtherProcess | Relation::Unprovable => None,
    };
    let mut record = Record::default();
    if let Some(hold) = &owner {
        record.pid = Some(identity.pid);
        record.run_id = Some(hold.tag().run_id().to_owned());
        record.session_key = hold.tag().session_key().map(str::to_owned);
    }
    Report {
        lock_path: target.lock_path(),
        relation,
        record,
        pid_alive: owner.is_some().then_some(true),
        age: owner.as_ref().map(|hold| hold.held_for()),
        reasons: Vec::new(),
        waited,
        queue_position,
        unreadable: None,
        reclaim_guard: None,
    }
}

/// In words for an operator, what at a lock's path could not be opened; nothing when it is gone.
pub(crate) fn what_cannot_be_opened(target: &Target) -> Option<&'static str> {
    match fs::stat_at(target.dir(), target.lock_name()) {
        Ok(stat) => stat.map(|stat| what_stands_there(&stat)),
        Err(_) => Some("something that cannot be looked at"),
    }
}

/// In words for an operator, a file whose bytes cannot be those of a lock.
pub(crate) const NO_LOCK: &str = "a file that is no lock (another program's, or a broken one)";

/// In words for an operator, what at a lock's path cannot be read.
pub(crate) fn what_stands_there(stat: &Stat) -> &'static str {
    match stat.kind {
        Kind::Symlink => "a symbolic link, which is not followed",
        Kind::Directory => "a directory",
        Kind::Special => "a FIFO, socket or device",
        Kind::Regular if stat.len > MAX_RECORD => "a file larger than any lock (64 KiB)",
        Kind::Regular => "a file that this user may not read",
    }
}
