//! The audit: did everything that was promised happen, exactly once? It reads files and nothing else.
//!
//! Promises are in the event files, what happened is in the transcripts and in the event files, and the two must
//! agree. It shares no counter and no memory with what it audits; it is a command of its own, and the demo runs it as a
//! process of its own. *Lost* means: accepted, and neither replied nor parked nor reported as failed. A turn whose process
//! was killed is accounted for by whoever took its lock over and wrote down whose it was.

mod transcripts;

use std::collections::{BTreeMap, BTreeSet};

use moorline_announce::{Filter, Outbox, SqliteOutbox, State};
use moorline_lock_core::{LockConfig, Locks};
use serde::Serialize;

use crate::{
    events::{self, Event, Line, Recorded},
    state_dir::StateDir,
};
use transcripts::Transcripts;

/// A share: how many of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Share {
    pub(crate) of: usize,
    pub(crate) ok: usize,
}

impl Share {
    pub(crate) fn whole(self) -> bool {
        self.ok == self.of
    }
}

/// What the files say.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Audit {
    /// Accepted runs, and those that ended exactly once (an interrupted one is one whose lock was taken over).
    pub(crate) turns: Share,
    /// Of those, runs whose process was killed.
    pub(crate) interrupted: usize,
    /// Accepted sends, and those that were replied to or failed exactly once.
    pub(crate) sends: Share,
    /// Messages of settled sends, and those that are in the target's transcript exactly once.
    pub(crate) messages: Share,
    /// Accepted spawns, and those whose result is in the requester's transcript exactly once.
    pub(crate) spawns: Share,
    /// Rows of the outbox, and those delivered or settled in silence.
    pub(crate) announces: Share,
    /// Transcript lines, and those that are whole JSON.
    pub(crate) lines: Share,
    /// Live stale locks that were reported.
    pub(crate) stale_reports: usize,
    /// Of those, locks whose owner went on and ended its run: left in place.
    pub(crate) stale_left_in_place: usize,
    /// Locks of dead owners that were taken over.
    pub(crate) reclaims: usize,
    /// Torn last lines that were kept beside their transcript.
    pub(crate) torn_kept: usize,
    /// Replies that were parked.
    pub(crate) parked: usize,
    /// Lock files that are still there.
    pub(crate) locks_left: usize,
    pub(crate) lost: usize,
    pub(crate) duplicated: usize,
    pub(crate) torn: usize,
    /// What exactly is wrong, one line each.
    pub(crate) problems: Vec<String>,
}

impl Audit {
    pub(crate) fn passed(&self) -> bool {
        self.problems.is_empty() && self.lost == 0 && self.duplicated == 0 && self.torn == 0
    }
}

/// Reads a state directory that nobody writes to any more.
pub(crate) async fn audit(state: &StateDir) -> anyhow::Result<Audit> {
    let Recorded { lines, broken } = events::read_all(&state.events())?;
    let transcripts = Transcripts::read(state)?;
    let mut audit = Audit {
        lines: Share { of: transcripts.lines, ok: transcripts.lines - transcripts.torn.len() },
        torn: transcripts.torn.len(),
        torn_kept: transcripts.torn_kept,
        parked: transcripts.parked,
        ..Audit::default()
    };
    if broken > 0 {
        audit.problems.push(format!("{broken} event lines cannot be read"));
    }
    audit.problems.extend(transcripts.torn.iter().map(|place| format!("torn line: {place}")));
    check_turns(&mut audit, &lines);
    check_sends(&mut audit, &lines, &transcripts);
    check_spawns(&mut audit, &lines, &transcripts);
    check_outbox(&mut audit, state).await?;
    check_locks(&mut audit, &lines, state)?;
    for (key, times) in &transcripts.keys {
        if *times > 1 {
            audit.duplicated += 1;
            audit.problems.push(format!("message {key} is in the transcripts {times} times"));
        }
    }
    Ok(audit)
}

fn check_turns(audit: &mut Audit, lines: &[Line]) {
    let mut ends: BTreeMap<&str, usize> = BTreeMap::new();
    let mut taken_over: BTreeSet<&str> = BTreeSet::new();
    for line in lines {
        if let Event::RunEnded { run_id, .. } = &line.event {
            *ends.entry(run_id).or_default() += 1;
        } else if let Event::LockReclaimed { run_id: Some(run_id), .. } = &line.event {
            taken_over.insert(run_id);
        }
    }
    for line in lines {
        let Event::RunAccepted { run_id, session_key, recovered, .. } = &line.event else { continue };
        audit.turns.of += 1;
        match ends.get(run_id.as_str()).copied().unwrap_or(0) {
            1 => audit.turns.ok += 1,
            // Killed while it held the lock: whoever took it over wrote down whose it was. Killed without the lock: its
            // caller saw it die, and the transcript shows the turn as unfinished.
            0 if taken_over.contains(run_id.as_str()) || (!recovered && is_gone(line.pid)) => {
                audit.turns.ok += 1;
                audit.interrupted += 1;
            }
            0 => {
                audit.lost += 1;
                audit.problems.push(format!("run {run_id} of {session_key} was accepted and never ended"));
            }
            times => {
                audit.duplicated += 1;
                audit.problems.push(format!("run {run_id} of {session_key} ended {times} times"));
            }
        }
    }
}

/// Whether a process is not there any more.
fn is_gone(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_none_or(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH))
}

fn check_sends(audit: &mut Audit, lines: &[Line], transcripts: &Transcripts) {
    let mut replied: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failed: BTreeSet<&str> = BTreeSet::new();
    for line in lines {
        if let Event::SendReplied { send_id } = &line.event {
            *replied.entry(send_id).or_default() += 1;
        } else if let Event::SendFailed { send_id, .. } = &line.event {
            failed.insert(send_id);
        }
    }
    for line in lines {
        let Event::SendAccepted { send_id, to, .. } = &line.event else { continue };
        audit.sends.of += 1;
        let replies = replied.get(send_id.as_str()).copied().unwrap_or(0);
        match (replies, failed.contains(send_id.as_str())) {
            (1, false) | (0, true) => audit.sends.ok += 1,
            (0, false) => {
                audit.lost += 1;
                audit
                    .problems
                    .push(format!("send {send_id} to {to} was accepted and neither replied nor failed"));
            }
            (_, _) => {
                audit.duplicated += 1;
                audit.problems.push(format!("send {send_id} to {to} was settled more than once"));
            }
        }
        if replies > 0 {
            audit.messages.of += 1;
            match transcripts.times_in(to, send_id) {
                1 => audit.messages.ok += 1,
                0 => {
                    audit.lost += 1;
                    audit
                        .problems
                        .push(format!("send {send_id} is replied, but not in the transcript of {to}"));
                }
                // Counted as duplicated by the caller, with every other key.
                _ => {}
            }
        }
    }
}

fn check_spawns(audit: &mut Audit, lines: &[Line], transcripts: &Transcripts) {
    let mut keys: BTreeMap<&str, &str> = BTreeMap::new();
    for line in lines {
        if let Event::AnnouncePrepared { key, child_run_id, .. } = &line.event {
            keys.insert(child_run_id, key);
        }
    }
    for line in lines {
        let Event::SpawnAccepted { run_id, requester, .. } = &line.event else { continue };
        audit.spawns.of += 1;
        let times = keys.get(run_id.as_str()).map_or(0, |key| transcripts.times_in(requester, key));
        match times {
            1 => audit.spawns.ok += 1,
            0 => {
                audit.lost += 1;
                audit
                    .problems
                    .push(format!("the result of spawn {run_id} is not in the transcript of {requester}"));
            }
            _ => {}
        }
    }
}

/// Every row of the outbox must have ended well; one that did not is named with its state.
async fn check_outbox(audit: &mut Audit, state: &StateDir) -> anyhow::Result<()> {
    if !state.outbox().exists() {
        return Ok(());
    }
    let outbox = SqliteOutbox::open(state.outbox()).await?;
    for row in outbox.list(&Filter::default()).await? {
        audit.announces.of += 1;
        match row.state {
            State::Delivered | State::Silent => audit.announces.ok += 1,
            State::Prepared | State::Sending | State::Uncertain | State::Rejected | State::Expired => {
                audit.lost += 1;
                audit.problems.push(format!("announce {} is {}", row.key, row.state.as_str()));
            }
        }
    }
    Ok(())
}

fn check_locks(audit: &mut Audit, lines: &[Line], state: &StateDir) -> anyhow::Result<()> {
    let mut reported: BTreeSet<u32> = BTreeSet::new();
    for line in lines {
        if let Event::LockStale { owner_pid, .. } = &line.event {
            audit.stale_reports += 1;
            reported.extend(owner_pid);
        } else if let Event::LockReclaimed { .. } = &line.event {
            audit.reclaims += 1;
        }
    }
    let went_on = lines
        .iter()
        .filter(|line| matches!(line.event, Event::RunEnded { .. }) && reported.contains(&line.pid));
    audit.stale_left_in_place = went_on.map(|line| line.pid).collect::<BTreeSet<_>>().len();
    if audit.stale_left_in_place < reported.len() {
        audit.problems.push("the owner of a lock that was reported stale did not end its run".to_owned());
    }
    let locks = Locks::new(LockConfig::default());
    for agent in std::fs::read_dir(state.sessions())? {
        for view in locks.inspect(&agent?.path())? {
            audit.locks_left += 1;
            audit.problems.push(format!("lock left behind: {} ({})", view.lock_path, view.state));
        }
    }
    Ok(())
}
