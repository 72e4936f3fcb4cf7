//! What callers of a stress run were told, against the files: a reply is in the transcript as it was told, a failure and
//! an accepted child are in the ledger, and every call was answered.

use std::collections::{BTreeMap, BTreeSet};

use super::{Audit, transcripts::Transcripts};
use crate::{
    events::{Event, Line},
    stress::record::{Answer, Asked, Record, Told},
};

pub(super) fn check(audit: &mut Audit, lines: &[Line], transcripts: &Transcripts, records: &[Record]) {
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    let mut children: BTreeSet<&str> = BTreeSet::new();
    let mut parked: BTreeMap<&str, usize> = BTreeMap::new();
    for line in lines {
        if let Event::SendReplied { send_id } | Event::SendFailed { send_id, .. } = &line.event {
            settled.insert(send_id);
        } else if let Event::SpawnAccepted { run_id, .. } = &line.event {
            children.insert(run_id);
        } else if let Event::RunEnded { run_id, outcome, .. } = &line.event
            && outcome == "parked"
        {
            parked.insert(run_id, 0);
        }
    }
    for run in &transcripts.parked_runs {
        if let Some(times) = parked.get_mut(run.as_str()) {
            *times += 1;
        }
    }
    audit.parked_replies.of = parked.len();
    for (run, times) in parked {
        match times {
            1 => audit.parked_replies.ok += 1,
            0 => audit.lose(format!("the reply of run {run} was parked, and is in no parked file")),
            _ => audit.duplicate(format!("the reply of run {run} is parked {times} times")),
        }
    }
    for record in records {
        let Record::Told(told) = record else { continue };
        audit.told.of += 1;
        match wrong(told, &settled, &children, transcripts) {
            None => audit.told.ok += 1,
            Some(problem) => audit.lose(format!("step {} on {}: {problem}", told.step, told.session)),
        }
    }
}

/// What is wrong with an answer, seen from the files.
fn wrong(
    told: &Told,
    settled: &BTreeSet<&str>,
    children: &BTreeSet<&str>,
    transcripts: &Transcripts,
) -> Option<String> {
    let run = told.run_id.as_deref();
    match (told.answer, told.asked) {
        (Answer::Replied, _) => {
            // The message of a runner process has its run's id for a key.
            let key = told.key.as_deref().or(run).unwrap_or_default();
            let reply = told.reply.as_deref().unwrap_or_default();
            let there =
                transcripts.replies(&told.session, key).any(|entry| entry.text.as_deref() == Some(reply));
            (!there).then(|| "its caller was told a reply that is not in the transcript".to_owned())
        }
        (Answer::Accepted, _) => {
            let known = run.is_some_and(|run| children.contains(run));
            (!known).then(|| "its caller was told of a child that is in no ledger".to_owned())
        }
        // Refused before it was accepted, or settled as failed: never left open.
        (Answer::Failed, Asked::Send) => {
            let known = told.key.as_deref().is_some_and(|key| settled.contains(key));
            (!known).then(|| "its caller was told of a failure that is in no ledger".to_owned())
        }
        (Answer::Failed, Asked::Spawn | Asked::Turn | Asked::Runner) | (Answer::Died, _) => None,
        (Answer::Unanswered, _) => {
            let code = told.code.as_deref().unwrap_or_default();
            Some(format!("its caller gave up after {} tries: {code}", told.tries))
        }
    }
}
