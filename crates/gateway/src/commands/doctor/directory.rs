//! The directory itself: whose it is, who else can read it, its token, and whether its times make sense.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    time::{Duration, SystemTime},
};

use super::Finding;
use crate::clock;

pub(super) const CHECK: &str = "stateDir";
/// Files written by another machine's clock, or rounding, may be this much ahead.
const AHEAD: Duration = Duration::from_secs(60);

pub(super) fn look(root: &Path) -> Vec<Finding> {
    let held = match fs::metadata(root) {
        Ok(held) if held.is_dir() => held,
        Ok(_) => {
            return vec![Finding::fail(CHECK, "it is not a directory", "give --state another path").at(root)];
        }
        Err(error) => {
            let next = "start `moorline serve`, which makes it, or give the right one with --state";
            return vec![Finding::fail(CHECK, format!("it cannot be looked at: {error}"), next).at(root)];
        }
    };
    match fs::metadata(root.join("sessions")) {
        Ok(sessions) if sessions.is_dir() => {}
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            let what = format!("it cannot be looked into: {error}");
            return vec![Finding::fail(CHECK, what, "run moorline as its owner").at(root)];
        }
        Ok(_) | Err(_) => {
            let next = "start `moorline serve`, which makes one, or give the right one with --state";
            return vec![Finding::fail(CHECK, "it is no state directory: it has no sessions", next).at(root)];
        }
    }
    let mut findings = Vec::new();
    let us = rustix::process::geteuid().as_raw();
    if held.uid() != us {
        let what = format!("it belongs to uid {}, and this is uid {us}", held.uid());
        findings.push(Finding::fail(CHECK, what, "run moorline as its owner").at(root));
    }
    let names =
        ["sessions", "events", "token", "gateway.json", "gateway.lock", "outbox.sqlite", "cooldowns.sqlite"];
    for path in std::iter::once(root.to_owned()).chain(names.map(|name| root.join(name))) {
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let wanted = if found.is_dir() { "700" } else { "600" };
            let what = format!("other users can get at it (mode {mode:o})");
            let next = format!("chmod {wanted} {}", path.display());
            findings.push(Finding::fail("permissions", what, next).at(&path));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "it is ours alone").at(root));
    }
    findings.push(token(root));
    findings.push(times(root));
    findings
}

fn token(root: &Path) -> Finding {
    let path = root.join("token");
    let finding = match fs::read_to_string(&path) {
        Ok(token) if token.trim().len() >= 32 => Finding::ok("token", "there is one"),
        Ok(_) => Finding::fail(
            "token",
            "it has fewer than 32 characters",
            format!("remove {} and restart the gateway: a new one is made", path.display()),
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Finding::ok("token", "none yet; the first `moorline serve` makes it")
        }
        Err(error) => {
            Finding::fail("token", format!("it cannot be read: {error}"), "make it readable by its owner")
        }
    };
    finding.at(&path)
}

/// Files that are newer than now: the clock was set back, and cooldowns and ages are wrong until it has caught up.
fn times(root: &Path) -> Finding {
    let now = clock::wall();
    let newest = ["sessions", "events"]
        .into_iter()
        .flat_map(|folder| folders_and_files(&root.join(folder)))
        .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
        .max();
    let ahead = newest.and_then(|(time, path)| Some((time.duration_since(now).ok()?, path)));
    match ahead {
        Some((ahead, path)) if ahead > AHEAD => {
            let what = format!("a file is {} s newer than now: the clock was set back", ahead.as_secs());
            let next = "set the clock; ages and cooldowns are wrong until then, locks are not";
            Finding::warn("clock", what, next).at(&path)
        }
        Some(_) | None if now < SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) => {
            Finding::warn("clock", "it is before 2023", "set the clock; TLS refuses certificates until then")
        }
        Some(_) | None => Finding::ok("clock", "no file is newer than now"),
    }
}

/// Two levels: what lies in a folder and in its folders.
pub(super) fn folders_and_files(folder: &Path) -> Vec<std::path::PathBuf> {
    let children = |folder: &Path| -> Vec<std::path::PathBuf> {
        fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path())).collect()
    };
    let first = children(folder);
    let second: Vec<_> = first.iter().filter(|path| path.is_dir()).flat_map(|path| children(path)).collect();
    first.into_iter().chain(second).collect()
}
