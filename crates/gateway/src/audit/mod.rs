//! The audit: did everything that was promised happen, exactly once? It reads files and nothing else.
//!
//! Promises are in the event files, what happened is in the transcripts and in the event files, and the two must
//! agree. It shares no counter and no memory with what it audits; it is a command of its own, and the demo runs it as a
//! process of its own. *Lost* means: accepted, and neither replied nor parked nor reported as failed. A turn whose process
//! was killed is accounted for by whoever took its lock over and wrote down whose it was.

mod callers;
mod faults;
mod order;
mod outside;
mod takeovers;
mod transcripts;

use std::collections::{BTreeMap, BTreeSet};

use moorline_announce::{Filter, Outbox, State};
use moorline_lock_core::{LockConfig, Locks};
use serde::{Deserialize, Serialize};

use crate::{
    events::{self, Event, Line, Recorded},
    outbox,
    session_key::SessionKey,
    state_dir::StateDir,
    stress::record,
};
use transcripts::Transcripts;

/// A share: how many of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
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
    /// Steps of conversations, and those that follow the step before them: no two runs wrote at once, and none wrote after
    /// another had taken its session over.
    pub(crate) order: Share,
    /// Turns that were replied to, and those whose one reply is in the transcript.
    pub(crate) replies: Share,
    /// Runs that ended with a parked reply, and those whose reply is parked once. Counted for stress runs: elsewhere an
    /// operator may have appended or dismissed it.
    pub(crate) parked_replies: Share,
    /// Takeovers, and those after which the run wrote nothing, or began again once and said so.
    pub(crate) after_takeover: Share,
    /// Entries of another program that were written in a stress run, and those that are in their transcript once.
    pub(crate) outside: Share,
    /// Calls of a stress run, and those whose caller was told what the files say.
    pub(crate) told: Share,
    /// Live stale locks that were reported.
    pub(crate) stale_reports: usize,
    /// Of those, locks whose owner went on and ended its run: left in place.
    pub(crate) stale_left_in_place: usize,
    /// Locks of dead owners that were taken over.
    pub(crate) reclaims: usize,
    /// Runs that another writer took the session from: parked, superseded, or begun again behind the other.
    pub(crate) takeovers: usize,
    /// Entries of others that a run met on its way back and went on beside.
    pub(crate) merged: usize,
    /// Replies of another candidate than the first.
    pub(crate) candidates_burned: usize,
    /// How often each kind of fault was injected, and how many of those left a trace.
    pub(crate) faults_injected: BTreeMap<String, usize>,
    pub(crate) faults_observed: BTreeMap<String, usize>,
    /// Torn last lines that were kept beside their transcript.
    pub(crate) torn_kept: usize,
    /// Replies that were parked.
    pub(crate) parked: usize,
    /// Torn last lines that the next writer will cut and keep.
    pub(crate) torn_tails: usize,
    /// Locks of dead owners that the next owner takes over.
    pub(crate) dead_locks: usize,
    /// Lock files that are still there, dead or not.
    pub(crate) locks_left: usize,
    pub(crate) lost: usize,
    pub(crate) duplicated: usize,
    pub(crate) torn: usize,
    /// Steps that do not follow the step before them.
    pub(crate) double_entries: usize,
    /// What exactly is wrong, one line each.
    pub(crate) problems: Vec<String>,
    /// What a kill left behind and the next owner puts right, one line each: no violation.
    pub(crate) left: Vec<String>,
}

impl Audit {
    pub(crate) fn passed(&self) -> bool {
        let wrong = self.lost + self.duplicated + self.torn + self.double_entries;
        self.problems.is_empty() && wrong == 0
    }

    /// What must hold for each of many, with a sentence that says it.
    pub(crate) fn invariants(&self) -> Vec<(&'static str, Share, &'static str)> {
        let mut all = vec![
            ("turns", self.turns, "accepted runs that ended exactly once"),
            ("sends", self.sends, "accepted sends that were replied to or failed exactly once"),
            ("messages", self.messages, "messages of answered sends that are in their transcript once"),
            ("spawns", self.spawns, "accepted children whose result is in the requester's transcript once"),
            ("announces", self.announces, "rows of the outbox that are delivered, or had nothing to say"),
            ("replies", self.replies, "runs that ended as replied and have one reply in the transcript"),
            (
                "order",
                self.order,
                "steps that follow the step before them: nobody wrote beside or after another",
            ),
            (
                "takeovers",
                self.after_takeover,
                "takeovers after which the run wrote nothing, or began again once",
            ),
            ("lines", self.lines, "transcript lines that are whole JSON"),
        ];
        if self.told.of > 0 {
            all.push((
                "outside",
                self.outside,
                "entries of another program that are in their transcript once",
            ));
            all.push(("told", self.told, "callers that were told what the files say"));
            all.push(("parked", self.parked_replies, "runs that parked their reply and have it parked once"));
        }
        all
    }

    fn lose(&mut self, problem: String) {
        self.lost += 1;
        self.problems.push(problem);
    }

    fn duplicate(&mut self, problem: String) {
        self.duplicated += 1;
        self.problems.push(problem);
    }
}

/// Reads a state directory that nobody writes to any more.
pub(crate) async fn audit(state: &StateDir) -> anyhow::Result<Audit> {
    let Recorded { lines, broken, alive } = events::read_all(&state.events())?;
    let transcripts = Transcripts::read(state)?;
    let mut audit = Audit {
        lines: Share { of: transcripts.lines, ok: transcripts.lines - transcripts.torn.len() },
        torn: transcripts.torn.len(),
        torn_tails: transcripts.torn_tails.len(),
        left: transcripts.torn_tails.iter().map(|place| format!("torn tail: {place}")).collect(),
        torn_kept: transcripts.torn_kept,
        parked: transcripts.parked,
        ..Audit::default()
    };
    if broken > 0 {
        audit.problems.push(format!("{broken} event lines cannot be read"));
    }
    audit.problems.extend(transcripts.torn.iter().map(|place| format!("torn line: {place}")));
    check_turns(&mut audit, &lines, &alive);
    check_sends(&mut audit, &lines, &transcripts);
    check_spawns(&mut audit, &lines, &transcripts);
    check_replies(&mut audit, &lines, &transcripts);
    check_order(&mut audit, &lines, &transcripts);
    let records = record::read(state.root())?;
    if !records.is_empty() {
        callers::check(&mut audit, &lines, &transcripts, &records);
        outside::check(&mut audit, &transcripts, &records);
        (audit.faults_injected, audit.faults_observed) = faults::count(&lines, &records);
    }
    check_outbox(&mut audit, state, &transcripts).await?;
    check_locks(&mut audit, &lines, state)?;
    check_once(&mut audit, &transcripts);
    Ok(audit)
}

/// No message and no entry is there twice.
fn check_once(audit: &mut Audit, transcripts: &Transcripts) {
    for (key, times) in transcripts.keys.iter().filter(|(_, times)| **times > 1) {
        audit.duplicate(format!("message {key} is in the transcripts {times} times"));
    }
    for (session, entries) in &transcripts.sessions {
        let mut ids: BTreeSet<&str> = BTreeSet::new();
        for id in entries.iter().filter_map(|entry| entry.id.as_deref()) {
            if !ids.insert(id) {
                audit.duplicate(format!("the entry {id} is in {session} again"));
            }
        }
    }
}

fn check_turns(audit: &mut Audit, lines: &[Line], alive: &BTreeSet<String>) {
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
            0 if taken_over.contains(run_id.as_str()) || (!recovered && !alive.contains(run_id)) => {
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

fn check_sends(audit: &mut Audit, lines: &[Line], transcripts: &Transcripts) {
    let mut replied: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failed: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines {
        if let Event::SendReplied { send_id } = &line.event {
            *replied.entry(send_id).or_default() += 1;
        } else if let Event::SendFailed { send_id, .. } = &line.event {
            *failed.entry(send_id).or_default() += 1;
        }
    }
    for line in lines {
        let Event::SendAccepted { send_id, to, .. } = &line.event else { continue };
        audit.sends.of += 1;
        let replies = replied.get(send_id.as_str()).copied().unwrap_or(0);
        match (replies, failed.get(send_id.as_str()).copied().unwrap_or(0)) {
            (1, 0) | (0, 1) => audit.sends.ok += 1,
            (0, 0) => {
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
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    for line in lines {
        if let Event::AnnouncePrepared { key, child_run_id, .. } = &line.event {
            keys.insert(child_run_id, key);
        } else if let Event::AnnounceSettled { key } = &line.event {
            settled.insert(key);
        }
    }
    for line in lines {
        let Event::SpawnAccepted { run_id, requester, .. } = &line.event else { continue };
        audit.spawns.of += 1;
        let times = keys.get(run_id.as_str()).map_or(0, |key| transcripts.times_in(requester, key));
        match times {
            1 => audit.spawns.ok += 1,
            // Nothing to say, or refused, dismissed or given up: the outbox says which, and is looked at below.
            0 if keys.get(run_id.as_str()).is_some_and(|key| settled.contains(key)) => audit.spawns.ok += 1,
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

/// A run that ended as replied has its reply in the transcript; no turn has two.
fn check_replies(audit: &mut Audit, lines: &[Line], transcripts: &Transcripts) {
    let mut replies: BTreeMap<(&SessionKey, &str), usize> = BTreeMap::new();
    for (session, entries) in &transcripts.sessions {
        for entry in entries.iter().filter(|entry| entry.is_reply()) {
            *replies.entry((session, entry.turn.as_deref().unwrap_or_default())).or_default() += 1;
        }
        let burned = |entry: &&transcripts::Entry| {
            entry.run.is_some() && entry.model.as_deref().is_some_and(|model| model == "b")
        };
        audit.candidates_burned += entries.iter().filter(burned).count();
    }
    let mut replied: BTreeSet<&str> = BTreeSet::new();
    for line in lines {
        if let Event::RunEnded { run_id, outcome, .. } = &line.event
            && outcome == "replied"
        {
            replied.insert(run_id);
        }
    }
    for line in lines {
        let Event::RunAccepted { run_id, session_key, message_key, .. } = &line.event else { continue };
        if !replied.contains(run_id.as_str()) {
            continue;
        }
        audit.replies.of += 1;
        match replies.get(&(session_key, message_key.as_str())).copied().unwrap_or(0) {
            1 => audit.replies.ok += 1,
            0 => audit
                .lose(format!("run {run_id} of {session_key} ended as replied, and its reply is not there")),
            _ => {}
        }
    }
    for ((session, turn), times) in replies.into_iter().filter(|(_, times)| *times > 1) {
        audit.duplicate(format!("turn {turn} of {session} has {times} replies"));
    }
}

fn check_order(audit: &mut Audit, lines: &[Line], transcripts: &Transcripts) {
    let mut went_on = Vec::new();
    for (session, entries) in &transcripts.sessions {
        let order = order::order(entries);
        audit.order.of += order.steps;
        audit.order.ok += order.steps - order.out_of_order.len();
        audit.double_entries += order.out_of_order.len();
        audit.merged += order.merged;
        went_on.extend(order.went_on.into_iter().map(|run| (session, run)));
        for run in order.after_its_end {
            audit.duplicate(format!("run {run} of {session} wrote again after it had settled its turn"));
        }
        for place in order.out_of_order {
            audit
                .problems
                .push(format!("double entry: {session} entry {place} does not follow the step before it"));
        }
    }
    takeovers::check(audit, lines, transcripts, &went_on);
}

/// Every row of the outbox must have ended well, and what it says is delivered must be there; one that did not is named
/// with its state.
async fn check_outbox(audit: &mut Audit, state: &StateDir, transcripts: &Transcripts) -> anyhow::Result<()> {
    if !state.outbox().exists() {
        return Ok(());
    }
    for row in outbox::open(state).await?.list(&Filter::default()).await? {
        audit.announces.of += 1;
        match row.state {
            State::Delivered => {
                let requester = row.key.requester();
                let there =
                    requester.parse().is_ok_and(|key| transcripts.times_in(&key, &row.key.to_string()) > 0);
                if there {
                    audit.announces.ok += 1;
                } else {
                    audit.lose(format!("announce {} is delivered, and not in its transcript", row.key));
                }
            }
            State::Silent => audit.announces.ok += 1,
            State::Prepared | State::Sending | State::Uncertain | State::Rejected | State::Expired => {
                audit.lose(format!("announce {} is {}", row.key, row.state.as_str()));
            }
        }
    }
    Ok(())
}

fn check_locks(audit: &mut Audit, lines: &[Line], state: &StateDir) -> anyhow::Result<()> {
    let (mut reported, mut died, mut runs): (BTreeSet<u32>, BTreeSet<u32>, BTreeSet<u32>) =
        Default::default();
    for line in lines {
        if let Event::RunAccepted { .. } = &line.event {
            runs.insert(line.pid);
        } else if let Event::LockStale { owner_pid, .. } = &line.event {
            audit.stale_reports += 1;
            reported.extend(owner_pid);
        } else if let Event::LockReclaimed { owner_pid, .. } = &line.event {
            audit.reclaims += 1;
            died.extend(owner_pid);
        }
    }
    // Another program may hold a lock for long, too, and has no run to end.
    reported.retain(|pid| runs.contains(pid));
    let went_on = lines
        .iter()
        .filter(|line| matches!(line.event, Event::RunEnded { .. }) && reported.contains(&line.pid));
    audit.stale_left_in_place = went_on.map(|line| line.pid).collect::<BTreeSet<_>>().len();
    // One that was killed later kept its lock until then, and whoever took it over proved that.
    let killed = reported.intersection(&died).count();
    if audit.stale_left_in_place + killed < reported.len() {
        audit.problems.push("the owner of a lock that was reported stale did not end its run".to_owned());
    }
    let locks = Locks::new(LockConfig::default());
    for agent in std::fs::read_dir(state.sessions())? {
        for view in locks.inspect(&agent?.path())? {
            audit.locks_left += 1;
            if view.state == "dead" {
                audit.dead_locks += 1;
                audit.left.push(format!("dead lock: {}", view.lock_path));
            } else {
                audit.problems.push(format!(
                    "somebody may still write: the lock {} is {}; audit again when it is released",
                    view.lock_path, view.state
                ));
            }
        }
    }
    Ok(())
}
