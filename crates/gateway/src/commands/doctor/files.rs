//! What lies in the directory: locks, torn tails, parked replies, event files.

use std::fs;

use moorline_lock_core::{LockConfig, LockView, Locks};
use moorline_runner::list_parked;

use super::{Finding, directory::folders_and_files};
use crate::{events, state_dir::StateDir, terminal};

pub(super) fn look(state: &StateDir, config: LockConfig) -> Vec<Finding> {
    let mut findings = locks(state, config);
    findings.push(torn(state));
    findings.push(parked(state));
    findings.push(events(state));
    findings
}

fn locks(state: &StateDir, config: LockConfig) -> Vec<Finding> {
    let locks = Locks::new(config);
    let agents: Vec<_> =
        folders_and_files(&state.sessions()).into_iter().filter(|path| path.is_dir()).collect();
    let mut findings = Vec::new();
    let mut counts = [0; 2];
    for agent in agents {
        let views = match locks.inspect(&agent) {
            Ok(views) => views,
            Err(error) => {
                let next = "make it readable by its owner";
                findings.push(
                    Finding::fail("locks", format!("it cannot be looked at: {error}"), next).at(&agent),
                );
                continue;
            }
        };
        for view in views {
            counts[usize::from(view.removable)] += 1;
            findings.extend(lock(&view));
        }
    }
    if findings.is_empty() {
        let [held, dead] = counts;
        let what = format!("{held} held, {dead} of dead owners (the next writer takes them over)");
        findings.push(Finding::ok("locks", what));
    }
    findings
}

fn lock(view: &LockView) -> Option<Finding> {
    let reasons: Vec<_> = view.stale_reasons.iter().map(|reason| reason.as_str()).collect();
    let reasons = reasons.join(", ");
    let owner = view.pid.map_or("nobody it names".to_owned(), |pid| format!("pid {pid}"));
    let age = view.age_ms.map_or_else(String::new, |age| format!(" for {}", terminal::age(age)));
    let finding = match view.state {
        "stale" => Finding::warn(
            "locks",
            format!("{owner} holds it{age} ({reasons}); it lives, so the lock stays"),
            format!("look at that run; if it is stuck, `moorline lock revoke {}`", view.lock_path),
        ),
        "unknown" => Finding::warn(
            "locks",
            format!("whether {owner} still holds it cannot be proven from here ({reasons})"),
            "run `moorline lock inspect` on the host or in the container of the owner",
        ),
        // Free, live, contended and dead ones take care of themselves.
        _ => return None,
    };
    Some(finding.at(view.lock_path.as_ref()))
}

fn torn(state: &StateDir) -> Finding {
    let is_torn = |path: &std::path::PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().contains(".jsonl.torn-"))
    };
    let mut kept = folders_and_files(&state.sessions()).into_iter().filter(is_torn);
    match kept.next() {
        None => Finding::ok("tornTails", "none"),
        Some(first) => {
            let number = 1 + kept.count();
            let what = format!("{number} kept from writers that were killed in the middle of a line");
            Finding::warn("tornTails", what, "look whether they are needed, then remove them").at(&first)
        }
    }
}

fn parked(state: &StateDir) -> Finding {
    let mut count = 0;
    for key in state.session_keys().unwrap_or_default() {
        let path = state.sessions().join(key.file());
        match list_parked(&path) {
            Ok(parked) => count += parked.len(),
            Err(error) => {
                let next = "make it readable by its owner";
                return Finding::fail("parked", format!("replies cannot be read: {error}"), next).at(&path);
            }
        }
    }
    match count {
        0 => Finding::ok("parked", "no replies"),
        _ => Finding::warn(
            "parked",
            format!("{count} replies were paid for and are in no transcript"),
            "`moorline parked list`, then append or dismiss",
        ),
    }
}

fn events(state: &StateDir) -> Finding {
    let folder = state.events();
    let size: u64 =
        folders_and_files(&folder).iter().filter_map(|path| Some(fs::metadata(path).ok()?.len())).sum();
    let finding = match events::read_all(&folder) {
        Ok(recorded) if recorded.broken == 0 => {
            Finding::ok("events", format!("{} lines, {} KiB", recorded.lines.len(), size / 1024))
        }
        Ok(recorded) => Finding::fail(
            "events",
            format!("{} lines cannot be read: what they promised is not gone on with", recorded.broken),
            "another program version wrote them, or the disk lost them; `moorline audit` says what is missing",
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Finding::ok("events", "none yet"),
        Err(error) => Finding::fail(
            "events",
            format!("they cannot be read: {error}"),
            "make them readable by their owner",
        ),
    };
    finding.at(&folder)
}
