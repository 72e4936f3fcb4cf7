//! Takeovers: a run from which another writer took its session wrote nothing after that, or began its turn again, once, and
//! said so before it did.
//!
//! In the transcript a turn that began again looks like a write after a takeover: its run's entries stand on both sides of
//! the other's. So each beginning is written down first, and what is not written down is a write that must not be.

use std::collections::BTreeMap;

use super::{Audit, transcripts::Transcripts};
use crate::{
    events::{Event, Line},
    session_key::SessionKey,
};

/// What became of a run, as far as it concerns takeovers.
#[derive(Default)]
struct Run<'a> {
    /// Times it began again.
    requeued: usize,
    /// It ended as parked, superseded, failed or cancelled: how.
    without_reply: Option<&'a str>,
    /// Times it wrote after another had continued its session.
    went_on: usize,
}

/// `went_on` has a run for each time that it wrote behind another's step.
pub(super) fn check(
    audit: &mut Audit,
    lines: &[Line],
    transcripts: &Transcripts,
    went_on: &[(&SessionKey, &str)],
) {
    let mut runs: BTreeMap<&str, Run<'_>> = BTreeMap::new();
    for line in lines {
        if let Event::RunAccepted { run_id, .. } = &line.event {
            runs.entry(run_id).or_default();
        } else if let Event::RunRequeued { run_id, .. } = &line.event {
            runs.entry(run_id).or_default().requeued += 1;
        } else if let Event::RunEnded { run_id, outcome, .. } = &line.event
            // What a kill interrupted may have replied before it.
            && !matches!(outcome.as_str(), "replied" | "interrupted")
        {
            runs.entry(run_id).or_default().without_reply = Some(outcome);
        }
    }
    // Whoever is no run of ours may write when it likes.
    for (_, run) in went_on {
        if let Some(run) = runs.get_mut(run) {
            run.went_on += 1;
        }
    }
    for (session, entries) in &transcripts.sessions {
        for entry in entries.iter().filter(|entry| entry.is_reply() && !entry.appended) {
            if let Some(run) = &entry.run
                && let Some(Run { without_reply: Some(outcome), .. }) = runs.get(run.as_str())
            {
                audit.duplicate(format!(
                    "run {run} of {session} ended as {outcome}, and its reply is in the transcript"
                ));
            }
        }
    }
    for (id, run) in runs {
        let unsaid = run.went_on.saturating_sub(run.requeued);
        let ended = usize::from(matches!(run.without_reply, Some("parked" | "superseded")));
        audit.takeovers += run.requeued + ended;
        audit.after_takeover.of += run.requeued + ended + unsaid;
        audit.after_takeover.ok += run.requeued.min(1) + ended;
        if unsaid > 0 {
            audit.double_entries += unsaid;
            audit.problems.push(format!("run {id} wrote after another writer had taken its session over"));
        }
        if run.requeued > 1 {
            audit.duplicate(format!("run {id} was taken over and began again {} times", run.requeued));
        }
    }
}
