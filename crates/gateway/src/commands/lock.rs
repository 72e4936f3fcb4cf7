//! `moorline lock inspect | sweep | revoke`.

use std::path::Path;

use comfy_table::{ColumnConstraint, Table};
use moorline_lock_core::{LockConfig, LockView, Locks, Swept, control};

use crate::{
    cli::{LockInspect, LockRevoke, LockSweep},
    exit::{Exit, Failure},
    terminal::{Tone, age, cell, escaped, paint, say, table},
};

pub(crate) fn inspect(args: &LockInspect) -> anyhow::Result<Exit> {
    let locks = Locks::new(LockConfig::from_env()?);
    let views = locks.inspect(&args.path)?;
    if args.json {
        say(serde_json::to_string_pretty(&views)?);
        return Ok(Exit::Ok);
    }
    if views.is_empty() {
        say(nothing("no locks", &args.path));
        return Ok(Exit::Ok);
    }
    let mut rows = table(["lock", "state", "owner", "age", "why", "removable"]);
    for view in &views {
        let removable = if view.removable { "yes" } else { "no" };
        rows.add_row([
            cell(usable(&view.lock_path), Tone::Plain),
            cell(view.state, tone(view.state)),
            cell(owner(view), Tone::Plain),
            cell(view.age_ms.map(age).unwrap_or_default(), Tone::Plain),
            cell(reasons(view), Tone::Plain),
            cell(removable, Tone::Faint),
        ]);
    }
    keep_paths_whole(&mut rows);
    say(rows.to_string());
    if views.iter().any(|view| view.state == "stale") {
        say(
            "A stale lock has a live owner and is never removed. See it with `ps -p PID`; ask it to let go with `moorline lock revoke PATH`.",
        );
    }
    if views.iter().any(|view| view.removable) {
        say(
            "A dead owner's lock is taken over by the next acquire, or removed by `moorline lock sweep DIR`.",
        );
    }
    Ok(Exit::Ok)
}

pub(crate) fn sweep(args: &LockSweep) -> anyhow::Result<Exit> {
    let locks = Locks::new(LockConfig::from_env()?);
    let swept = locks.sweep(&args.dir, args.dry_run)?;
    let failed = swept.iter().any(|one| one.action == "failed");
    if args.json {
        say(serde_json::to_string_pretty(&swept)?);
    } else if swept.is_empty() {
        say(nothing("nothing to sweep", &args.dir));
    } else {
        let mut rows = table(["path", "kind", "state", "why", "action"]);
        for one in &swept {
            rows.add_row([
                cell(usable(&one.path), Tone::Plain),
                cell(one.kind, Tone::Plain),
                cell(one.state.unwrap_or(""), one.state.map_or(Tone::Plain, tone)),
                cell(why(one), Tone::Plain),
                cell(one.action, if one.action == "failed" { Tone::Bad } else { Tone::Plain }),
            ]);
        }
        keep_paths_whole(&mut rows);
        say(rows.to_string());
    }
    Ok(if failed { Exit::Findings } else { Exit::Ok })
}

pub(crate) fn revoke(args: &LockRevoke) -> anyhow::Result<Exit> {
    let config = LockConfig::from_env()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let revoked = runtime.block_on(control::ask_revoke(&args.path, &config))?;
    if args.json {
        say(serde_json::to_string_pretty(&revoked)?);
    } else {
        let owner = revoked.owner.as_ref().and_then(|owner| owner.pid);
        let lock = escaped(&revoked.lock_path);
        let owner = owner.map_or_else(|| "its owner".to_owned(), |pid| format!("pid {pid}"));
        say(match (revoked.asked, revoked.released) {
            (true, true) => {
                format!("{} {owner} was asked and has released {lock}", paint("released", Tone::Good))
            }
            (true, false) => format!(
                "{} {owner} was asked and still holds {lock}; if it is stopped, it lets go when it goes on",
                paint("asked", Tone::Warn)
            ),
            (false, true) => format!("{lock} is not held"),
            (false, false) => {
                format!("{lock} has a dead owner; the next acquire takes it over")
            }
        });
    }
    if revoked.asked && !revoked.released {
        let message = format!(
            "{} was asked for and is not released yet; if its owner is stopped, it lets go when it goes on",
            revoked.lock_path
        );
        return Err(Failure::new(Exit::Busy, moorline_taxonomy::Coordination::LockTimeout, message).into());
    }
    Ok(Exit::Ok)
}

fn tone(state: &str) -> Tone {
    match state {
        "live" | "free" => Tone::Good,
        "stale" | "unknown" | "contended" => Tone::Warn,
        _ => Tone::Bad,
    }
}

fn owner(view: &LockView) -> String {
    let run = view.owner.as_ref().and_then(|owner| owner.run_id.as_deref()).unwrap_or_default();
    match view.pid {
        Some(pid) if run.is_empty() => format!("pid {pid}"),
        Some(pid) => format!("pid {pid}, run {run}"),
        None => String::new(),
    }
}

fn reasons(view: &LockView) -> String {
    view.stale_reasons.iter().map(|reason| reason.as_str()).collect::<Vec<_>>().join(", ")
}

fn why(swept: &Swept) -> String {
    let reasons = swept.stale_reasons.iter().map(|reason| reason.as_str()).collect::<Vec<_>>().join(", ");
    match &swept.error {
        Some(error) => format!("{reasons} {error}").trim().to_owned(),
        None => reasons,
    }
}

/// A path that can be given to the next command here: from the current directory on, or whole.
fn usable(path: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    match Path::new(path).strip_prefix(&here) {
        Ok(inside) if path.starts_with('/') && !inside.as_os_str().is_empty() => {
            let inside = inside.display().to_string();
            // What starts with a dash would be read as an option.
            if inside.starts_with('-') { format!("./{inside}") } else { inside }
        }
        Ok(_) | Err(_) => path.to_owned(),
    }
}

/// A path that is broken over two lines cannot be copied.
fn keep_paths_whole(rows: &mut Table) {
    if let Some(paths) = rows.column_mut(0) {
        paths.set_constraint(ColumnConstraint::ContentWidth);
    }
}

/// Says that there is nothing, and where else to look.
fn nothing(what: &str, path: &Path) -> String {
    let path_text = escaped(&path.display().to_string());
    let is_dir = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.and_then(|entry| entry.file_type()).is_ok_and(|kind| kind.is_dir())
    };
    let deeper = std::fs::read_dir(path).is_ok_and(|mut entries| entries.any(is_dir));
    if deeper {
        format!(
            "{what} in {path_text} itself; its subdirectories were not looked at (in a state directory, locks lie in sessions/AGENT)"
        )
    } else {
        format!("{what} in {path_text}")
    }
}
