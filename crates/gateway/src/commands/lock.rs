//! `moorline lock inspect | sweep | revoke`.

use std::path::Path;

use comfy_table::{ColumnConstraint, Table};
use moorline_lock_core::{LockConfig, LockError, LockView, Locks, Swept, control, judge::Reason};

use crate::{
    cli::{LockInspect, LockRevoke, LockSweep},
    exit::{Exit, Failure},
    lock_folders,
    terminal::{Tone, age, cell, escaped, paint, say, table},
};

pub(crate) fn inspect(args: &LockInspect) -> anyhow::Result<Exit> {
    let locks = Locks::new(LockConfig::from_env()?);
    let (views, failed) = in_folders(&args.path, |folder| locks.inspect(folder))?;
    if args.json {
        say(serde_json::to_string_pretty(&views)?);
        return failed.map_or(Ok(Exit::Ok), |error| Err(error.into()));
    }
    if views.is_empty() {
        say(nothing("no locks", &args.path));
        return failed.map_or(Ok(Exit::Ok), |error| Err(error.into()));
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
    if views.iter().any(|view| view.no_lock.is_some()) {
        say(
            "What is no lock is left alone by a sweep. Whoever acquires a lock of that name takes the place after 30 s, and keeps the file beside it.",
        );
    }
    failed.map_or(Ok(Exit::Ok), |error| Err(error.into()))
}

/// Looks into a directory and those in it. One that cannot be looked into does not hide the others: the first of their
/// errors comes beside what was found.
fn in_folders<T>(
    path: &Path,
    look: impl Fn(&Path) -> Result<Vec<T>, LockError>,
) -> Result<(Vec<T>, Option<LockError>), LockError> {
    let mut folders = lock_folders::of(path).unwrap_or_else(|_| vec![path.to_owned()]).into_iter();
    let mut found = folders.next().map_or_else(|| Ok(Vec::new()), |first| look(&first))?;
    let mut failed = None;
    for folder in folders {
        match look(&folder) {
            Ok(more) => found.extend(more),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    Ok((found, failed))
}

pub(crate) fn sweep(args: &LockSweep) -> anyhow::Result<Exit> {
    let locks = Locks::new(LockConfig::from_env()?);
    let (swept, unlooked) = in_folders(&args.dir, |folder| locks.sweep(folder, args.dry_run))?;
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
    match unlooked {
        Some(error) => Err(error.into()),
        None if failed => Ok(Exit::Findings),
        None => Ok(Exit::Ok),
    }
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
    why_of(&view.stale_reasons, view.no_lock)
}

fn why(swept: &Swept) -> String {
    why_of(&swept.stale_reasons, swept.error.as_deref())
}

fn why_of(reasons: &[Reason], says: Option<&str>) -> String {
    let reasons = reasons.iter().map(|reason| reason.as_str()).collect::<Vec<_>>().join(", ");
    match says {
        Some(says) if reasons.is_empty() => says.to_owned(),
        Some(says) => format!("{reasons}: {says}"),
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

/// Says that there is nothing, and where that was looked for.
fn nothing(what: &str, path: &Path) -> String {
    let shown = escaped(&path.display().to_string());
    if path.is_dir() {
        format!("{what} in {shown} and the directories in it")
    } else {
        format!("{what} in {shown}")
    }
}
