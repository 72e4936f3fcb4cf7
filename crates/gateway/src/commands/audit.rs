//! `moorline audit --state DIR`: what the files of a state directory say about every promise.

use crate::{
    audit::{Audit, Share, audit},
    cli::AuditArgs,
    exit::Exit,
    state_dir::StateDir,
    terminal::{Tone, cell, paint, say, table},
};

pub(crate) fn run(args: &AuditArgs) -> anyhow::Result<Exit> {
    let state = StateDir::existing(args.state.as_deref())?;
    // A gateway that still writes would be found to owe what it is about to settle.
    let _served = state.serve()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(audit(&state))?;
    if args.json {
        say(serde_json::to_string_pretty(&found)?);
    } else {
        show(&found);
    }
    Ok(if found.passed() { Exit::Ok } else { Exit::Findings })
}

fn show(found: &Audit) {
    let mut rows = table(["what", "settled / accepted", ""]);
    let mut share = |what: &str, share: Share, note: String| {
        let tone = if share.whole() { Tone::Good } else { Tone::Bad };
        rows.add_row([
            cell(what, Tone::Plain),
            cell(format!("{} / {}", share.ok, share.of), tone),
            cell(note, Tone::Faint),
        ]);
    };
    share("turns", found.turns, format!("{} interrupted by a kill, and named", found.interrupted));
    share(
        "sends",
        found.sends,
        format!("messages in their transcript once: {} / {}", found.messages.ok, found.messages.of),
    );
    share("spawns", found.spawns, "results in the requester's transcript once".to_owned());
    share("announces", found.announces, "rows of the outbox that are delivered".to_owned());
    let stale = Share {
        of: found.stale_reports.min(1) * found.stale_left_in_place.max(1),
        ok: found.stale_left_in_place,
    };
    share(
        "stale reports",
        stale,
        format!("{} reports; owners that went on and ended their run", found.stale_reports),
    );
    share("lines", found.lines, "whole JSON lines".to_owned());
    let mut count = |what: &str, number: usize, must_be_zero: bool, note: &str| {
        let tone = match (must_be_zero, number) {
            (true, 0) => Tone::Good,
            (true, _) => Tone::Bad,
            (false, _) => Tone::Plain,
        };
        rows.add_row([cell(what, Tone::Plain), cell(number, tone), cell(note, Tone::Faint)]);
    };
    count("reclaims", found.reclaims, false, "locks of dead owners taken over");
    count("torn kept", found.torn_kept, false, "torn last lines kept beside their transcript");
    count("parked", found.parked, false, "replies kept after a takeover");
    count("locks left", found.locks_left, true, "");
    count("lost", found.lost, true, "");
    count("duplicated", found.duplicated, true, "");
    count("torn", found.torn, true, "");
    say(rows.to_string());
    for problem in &found.problems {
        say(paint(problem, Tone::Bad));
    }
    say(if found.passed() { paint("PASS", Tone::Good) } else { paint("FAIL", Tone::Bad) });
}
