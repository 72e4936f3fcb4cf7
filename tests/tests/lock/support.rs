//! What the lock tests share: directories, records of other programs, and the audit of what is on disk.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use serde_json::Value;

pub(crate) const SESSION: &str = "session.jsonl";
pub(crate) const LOCK: &str = "session.jsonl.lock";
pub(crate) const GUARD: &str = "session.jsonl.lock.reclaim";

pub(crate) fn dir() -> tempfile::TempDir {
    // Not under a directory that only root may enter: some workers run as another user.
    let dir = tempfile::Builder::new().prefix("moorline-lock-").tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    dir
}

/// A record of a program of another kind: four fields, as Node programs write them.
pub(crate) fn foreign_record(pid: u32, created_at: &str, starttime: Option<u64>) -> String {
    let start = starttime.map(|ticks| format!(",\n  \"starttime\": {ticks}")).unwrap_or_default();
    format!("{{\n  \"pid\": {pid},\n  \"createdAt\": \"{created_at}\",\n  \"maxHoldMs\": 300000{start}\n}}\n")
}

/// Field 22 of /proc/PID/stat.
pub(crate) fn starttime(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().parse().unwrap()
}

/// The time `seconds` from now as ISO-8601, by the `date` program: the tests link no calendar.
pub(crate) fn iso_in(seconds: i64) -> String {
    let output = std::process::Command::new("date")
        .args(["-u", "-d", &format!("{seconds} seconds"), "+%Y-%m-%dT%H:%M:%S.000Z"])
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A pid that no process has now.
pub(crate) fn free_pid() -> u32 {
    (20_000..32_000).rev().find(|pid| !Path::new(&format!("/proc/{pid}")).exists()).unwrap()
}

/// Names in a directory, without those the workers use for the test's own bookkeeping.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !["detector", "violations"].contains(&name.as_str()))
        .collect();
    names.sort();
    names
}

/// What the workers reported: double entries, lost locks, safety ticks.
pub(crate) fn violations(dir: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(dir.join("violations")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// What an audit of the transcript against the acknowledgements found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    pub(crate) lines: usize,
    pub(crate) acknowledged: usize,
    pub(crate) missing: Vec<String>,
    pub(crate) repeated: Vec<String>,
    pub(crate) broken: Vec<String>,
}

/// Reads the transcript from disk: every line whole, every acknowledged line there once, no line twice.
pub(crate) fn audit(dir: &Path, acknowledgements: &[String]) -> Audit {
    let text = std::fs::read(dir.join(SESSION)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut found = HashMap::<String, usize>::new();
    let mut audit = Audit::default();
    for line in text.split_inclusive('\n') {
        audit.lines += 1;
        match serde_json::from_str::<Value>(line) {
            Ok(value) if line.ends_with('\n') => {
                *found
                    .entry(format!("{} {}", value["who"].as_str().unwrap(), value["number"]))
                    .or_default() += 1;
            }
            Ok(_) | Err(_) => audit.broken.push(line.to_owned()),
        }
    }
    audit.repeated = found.iter().filter(|(_, times)| **times > 1).map(|(key, _)| key.clone()).collect();
    for ack in acknowledgements {
        audit.acknowledged += 1;
        if !found.contains_key(ack.trim_start_matches("ack ")) {
            audit.missing.push(ack.clone());
        }
    }
    audit
}

/// Torn last lines that were cut off and kept.
pub(crate) fn torn(dir: &Path) -> Vec<PathBuf> {
    names(dir).into_iter().filter(|name| name.contains(".torn-")).map(|name| dir.join(name)).collect()
}
