//! Gathering what the kernel says about one lock file that is kept open.
//!
//! Order matters for cost, not for truth: a refused lease settles most judgements with one call. The descriptor is
//! read-only and was opened by this judgement, and it stays open, so the inode cannot be reused while it is judged.

use std::{
    fs::File,
    os::fd::AsFd,
    time::{Duration, Instant},
};

use crate::{
    judge::{Evidence, Judgement, Likeness, Limits, Own, PidEvidence, Probe, judge},
    obstacle::{NO_LOCK, what_stands_there},
    record::Record,
    registry,
    sys::{
        clock::WallMs,
        fs::{self, Kind, Stat},
        kernel,
        process::{self, Identity, Seen},
    },
};

/// A lock file under judgement: the open file, what it was when it was opened, and its bytes.
pub(crate) struct Judged {
    pub(crate) file: File,
    pub(crate) stat: Stat,
    pub(crate) bytes: Vec<u8>,
    pub(crate) record: Record,
    pub(crate) readable: bool,
}

impl Judged {
    pub(crate) fn open(file: File) -> std::io::Result<Self> {
        let stat = fs::stat_fd(&file)?;
        let bytes = if stat.kind == Kind::Regular && stat.len <= fs::MAX_RECORD {
            fs::read_bounded(&file).ok()
        } else {
            None
        };
        let readable = bytes.is_some();
        let bytes = bytes.unwrap_or_default();
        let record = Record::read(&bytes);
        Ok(Self { file, stat, bytes, record, readable })
    }

    /// What it is, where it is no lock. Whoever inspects, sweeps, acquires or reclaims asks here, so that all of them mean
    /// the same files and say the same of them.
    pub(crate) fn no_lock(&self) -> Option<&'static str> {
        if !self.readable {
            return Some(what_stands_there(&self.stat));
        }
        (!Record::is_plausible(&self.bytes)).then_some(NO_LOCK)
    }
}

/// How long a file was seen unchanged by this waiter, on the monotonic clock.
#[derive(Clone, Copy)]
pub(crate) struct Sighting {
    what: (fs::FileId, i128, i128),
    since: Instant,
}

impl Sighting {
    /// Carries the earlier sighting on when the file is still the same one, untouched.
    pub(crate) fn of(stat: &Stat, earlier: Option<Self>) -> Self {
        let what = (stat.id, stat.mtime_ns, stat.ctime_ns);
        match earlier {
            Some(earlier) if earlier.what == what => earlier,
            Some(_) | None => Self { what, since: Instant::now() },
        }
    }

    fn lasted(&self) -> Duration {
        self.since.elapsed()
    }
}

/// What the judge needs from around the file.
pub(crate) struct Surroundings<'a> {
    pub(crate) identity: &'a Identity,
    pub(crate) network: bool,
    pub(crate) sighting: Sighting,
    /// `ctime` of a file made just now in the same directory, so that a short-lived process can see that a file is old.
    pub(crate) fresh_ctime_ns: Option<i128>,
    /// This process already holds the exclusive `flock` on the judged file, as reclaimers do.
    pub(crate) flock_is_ours: bool,
}

pub(crate) fn gather(judged: &Judged, around: &Surroundings<'_>) -> Evidence {
    let record = &judged.record;
    let own = own(record, around.identity);
    let (mut flock, mut lease) = (Probe::Unknown, Probe::Unknown);
    // On a network file system `flock` may hang and leases do not exist. A special file has neither.
    if !around.network && judged.readable && own != Own::Registered {
        lease = kernel::probe_lease(judged.file.as_fd());
        // Asked even when the lease already says enough: an operator wants to see both.
        flock = if around.flock_is_ours { Probe::Free } else { fs::probe_flock(&judged.file) };
    }
    let likeness = |theirs: Option<&str>, ours: Option<&str>| match (theirs, ours) {
        (Some(theirs), Some(ours)) if theirs == ours => Likeness::Same,
        (Some(_), Some(_)) => Likeness::Other,
        (None, _) | (_, None) => Likeness::Unknown,
    };
    let same_number = |theirs: Option<u64>, ours: Option<u64>| match (theirs, ours) {
        (Some(theirs), Some(ours)) if theirs == ours => Likeness::Same,
        (Some(_), Some(_)) => Likeness::Other,
        (None, _) | (_, None) => Likeness::Unknown,
    };
    let pid_ns = same_number(record.pid_ns, around.identity.pid_ns);
    let live = lease == Probe::Held || own == Own::Registered;
    Evidence {
        flock,
        lease,
        // A pid of another namespace means nothing here.
        pid: if pid_ns == Likeness::Other { PidEvidence::Unknown } else { pid_evidence(record) },
        boot: likeness(record.boot_id.as_deref(), around.identity.boot_id.as_deref()),
        pid_ns,
        host: likeness(record.host.as_deref(), around.identity.host.as_deref()),
        fs_dev: same_number(record.fs_dev, Some(judged.stat.id.dev)),
        own,
        network: around.network,
        unchanged_for: unchanged_for(judged, around),
        looks_like_agent: if record.flock || live {
            None
        } else {
            record.pid.and_then(process::looks_like_agent)
        },
        unreadable: !judged.readable,
    }
}

/// Gathers and judges in one step.
pub(crate) fn judge_now(
    judged: &Judged,
    around: &Surroundings<'_>,
    limits: &Limits,
) -> (Evidence, Judgement) {
    let evidence = gather(judged, around);
    let judgement = judge(&judged.record, &evidence, judged.record.age(WallMs::now()), limits);
    (evidence, judgement)
}

fn own(record: &Record, identity: &Identity) -> Own {
    if record.nonce.as_deref().is_some_and(|nonce| registry::global().holds(nonce)) {
        return Own::Registered;
    }
    // Where the record leaves a field out, what it has must agree; a record of another program has pid and start time.
    let agrees = |theirs: Option<&str>, ours: Option<&str>| theirs.is_none() || theirs == ours;
    let ours = record.pid == Some(identity.pid)
        && record.starttime.is_some()
        && record.starttime == identity.starttime
        && agrees(record.boot_id.as_deref(), identity.boot_id.as_deref())
        && (record.pid_ns.is_none() || record.pid_ns == identity.pid_ns);
    if ours { Own::Orphan } else { Own::No }
}

fn pid_evidence(record: &Record) -> PidEvidence {
    let Some(pid) = record.pid else { return PidEvidence::Absent };
    match process::look_at(pid) {
        Seen::Gone => PidEvidence::Gone,
        Seen::Zombie => PidEvidence::Zombie,
        Seen::NotPermitted => PidEvidence::NotPermitted,
        Seen::Unknown => PidEvidence::Unknown,
        Seen::Alive { starttime } => match (record.starttime, starttime) {
            (Some(theirs), Some(seen)) if theirs != seen => PidEvidence::Recycled,
            (None, Some(seen)) if started_after(seen, record) => PidEvidence::StartedLater,
            (Some(_), Some(_)) | (Some(_), None) | (None, _) => PidEvidence::Alive,
        },
    }
}

/// Whether a process that started at `starttime` cannot have made the lock. The margin covers the 10 ms ticks and a
/// clock that was set in between by less than a minute.
fn started_after(starttime: u64, record: &Record) -> bool {
    const MARGIN_MS: u64 = 60_000;
    match (process::started_at_ms(starttime), record.created_at_ms) {
        (Some(started), Some(created)) => started > created.saturating_add(MARGIN_MS),
        (None, _) | (_, None) => false,
    }
}

fn unchanged_for(judged: &Judged, around: &Surroundings<'_>) -> Duration {
    let by_files = around.fresh_ctime_ns.map_or(0, |fresh| fresh.saturating_sub(judged.stat.ctime_ns).max(0));
    let by_files = Duration::from_nanos(u64::try_from(by_files).unwrap_or(u64::MAX));
    around.sighting.lasted().max(by_files)
}
