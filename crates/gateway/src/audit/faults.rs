//! Faults of a stress run, injected against observed: which of them left a trace in the files.
//!
//! A fault without a trace is no mistake (a runner that is killed between two turns hurts nobody), but a run whose faults
//! left none at all has tested nothing, and that should be seen.

use std::collections::BTreeMap;

use crate::{
    events::{Event, Line},
    stress::{
        plan::FaultKind,
        record::{Record, Target},
    },
};

/// How long after a fault its traces may come.
const AFTER_MS: u64 = 6_000;
/// A wall clock that is this far off was not set by the run's own length.
const FAR_MS: u64 = 3_600_000;

/// How often each kind was injected, and how many of those were observed.
pub(crate) fn count(
    lines: &[Line],
    records: &[Record],
) -> (BTreeMap<String, usize>, BTreeMap<String, usize>) {
    let (mut injected, mut observed) = (BTreeMap::new(), BTreeMap::new());
    let began = records.iter().find_map(|record| match record {
        Record::Began { at, .. } => Some(*at),
        Record::Fault { .. } | Record::Outside { .. } | Record::Again { .. } | Record::Told(_) => None,
    });
    let mut far: Vec<u32> = lines
        .iter()
        .filter(|line| began.is_some_and(|began| line.at.abs_diff(began) > FAR_MS))
        .map(|line| line.pid)
        .collect();
    far.sort_unstable();
    far.dedup();
    for record in records {
        let Record::Fault { at, until, kind, target, pid, .. } = record else { continue };
        *injected.entry(kind.as_str().to_owned()).or_default() += 1;
        let seen = match (kind, target) {
            (FaultKind::Clock, _) => far.pop().is_some(),
            (FaultKind::Kill | FaultKind::Stop | FaultKind::Disk, Target::Runner) => {
                pid.is_some_and(|pid| marked(*kind, pid, lines))
            }
            (FaultKind::Kill | FaultKind::Stop | FaultKind::Disk | FaultKind::Net, _) => {
                asked_again(*at, *until, records) || pid.is_some_and(|pid| marked(*kind, pid, lines))
            }
        };
        *observed.entry(kind.as_str().to_owned()).or_default() += usize::from(seen);
    }
    (injected, observed)
}

/// Whether a caller had to ask again, or waited all through the fault.
fn asked_again(from: u64, until: u64, records: &[Record]) -> bool {
    records.iter().any(|record| match record {
        Record::Again { at, .. } => (from..=until + AFTER_MS).contains(at),
        Record::Told(told) => told.at <= from && told.at + told.ms >= until,
        Record::Began { .. } | Record::Fault { .. } | Record::Outside { .. } => false,
    })
}

/// Whether somebody wrote down what the fault did to this process, or it did itself.
fn marked(kind: FaultKind, pid: u32, lines: &[Line]) -> bool {
    let (mut accepted, mut ended) = (0, 0);
    for line in lines {
        match (&line.event, kind) {
            (Event::LockReclaimed { owner_pid: Some(owner), .. }, FaultKind::Kill)
            | (Event::LockStale { owner_pid: Some(owner), .. }, FaultKind::Stop)
                if *owner == pid =>
            {
                return true;
            }
            (Event::RunEnded { code: Some(code), .. } | Event::SendFailed { code, .. }, FaultKind::Disk)
                if line.pid == pid && code.starts_with("local.") =>
            {
                return true;
            }
            (Event::RunAccepted { .. }, _) if line.pid == pid => accepted += 1,
            (Event::RunEnded { .. }, _) if line.pid == pid => ended += 1,
            (_, _) => {}
        }
    }
    kind == FaultKind::Kill && accepted > ended
}
