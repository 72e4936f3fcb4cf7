//! `moorline audit --state DIR`: what the files of a state directory say about every promise.

use moorline_taxonomy::Coordination;

use crate::{
    audit::{Audit, audit},
    cli::AuditArgs,
    exit::{self, Exit, Failure},
    state_dir::StateDir,
    terminal::{Tone, cell, escaped, paint, say, table},
};

pub(crate) fn run(args: &AuditArgs) -> anyhow::Result<Exit> {
    let state = StateDir::existing(args.state.as_deref())?;
    // A gateway that still writes would be found to owe what it is about to settle.
    let _served = state.serve().map_err(|error| {
        if exit::of(&error) == Exit::Busy {
            let message = format!("{error}; stop it first: the audit reads what nobody writes");
            Failure::new(Exit::Busy, Coordination::StorageBusy, message).into()
        } else {
            error
        }
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(audit(&state))?;
    if args.json {
        say(serde_json::to_string_pretty(&found)?);
    } else {
        show(&found, found.passed());
    }
    Ok(if found.passed() { Exit::Ok } else { Exit::Findings })
}

/// What was found, as a table, and the verdict that the caller came to.
pub(crate) fn show(found: &Audit, passed: bool) {
    let mut rows = table(["what", "held / of", ""]);
    for (what, share, says) in found.invariants() {
        let tone = if share.whole() { Tone::Good } else { Tone::Bad };
        rows.add_row([
            cell(what, Tone::Plain),
            cell(format!("{} / {}", share.ok, share.of), tone),
            cell(says, Tone::Faint),
        ]);
    }
    let mut count = |what: &str, number: usize, must_be_zero: bool, note: &str| {
        let tone = match (must_be_zero, number) {
            (true, 0) => Tone::Good,
            (true, _) => Tone::Bad,
            (false, _) => Tone::Plain,
        };
        rows.add_row([cell(what, Tone::Plain), cell(number, tone), cell(note, Tone::Faint)]);
    };
    count("stale reports", found.stale_reports, false, "live locks reported and left in place");
    count("interrupted", found.interrupted, false, "runs ended by a kill, and named");
    count("merged", found.merged, false, "entries of others that a run went on beside");
    count("reclaims", found.reclaims, false, "locks of dead owners taken over");
    count("torn kept", found.torn_kept, false, "torn last lines kept beside their transcript");
    count("parked replies", found.parked, false, "replies kept beside their transcript");
    count("torn tails", found.torn_tails, false, "torn last lines that the next writer will cut and keep");
    count("dead locks", found.dead_locks, false, "locks of dead owners that the next owner takes over");
    let held = found.locks_left - found.dead_locks;
    count("live locks", held, true, "locks that are held, or whose owner is not known");
    count("candidates burned", found.candidates_burned, false, "replies of another candidate than the first");
    count("lost", found.lost, true, "");
    count("duplicated", found.duplicated, true, "");
    count("torn", found.torn, true, "");
    count("double entries", found.double_entries, true, "");
    say(rows.to_string());
    for problem in &found.problems {
        say(paint(&escaped(problem), Tone::Bad));
    }
    for left in &found.left {
        say(paint(&escaped(left), Tone::Faint));
    }
    say(if passed { paint("PASS", Tone::Good) } else { paint("FAIL", Tone::Bad) });
}
