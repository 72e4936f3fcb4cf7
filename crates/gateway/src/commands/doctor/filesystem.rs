//! What the file system can do: the lock's own calls, on files made for it.
//!
//! The lock library locks a file here, and another process of this program is asked what it sees of that lock: so what is
//! checked is what they will do, not what somebody knows of file systems. It must be another process, since one that holds
//! a lock itself does not ask the kernel.

use std::{ffi::OsStr, path::Path};

use moorline_lock_core::{LockConfig, Locks, RunTag, Target};
use rustix::fs::{Mode, OFlags, RenameFlags};
use serde_json::Value;

use super::Finding;

const CHECK: &str = "fileSystem";

pub(super) async fn look(root: &Path) -> Vec<Finding> {
    let probe = match tempfile::Builder::new().prefix(".doctor-").tempdir_in(root) {
        Ok(probe) => probe,
        Err(error) => {
            let what = format!("nothing can be written: {error}");
            return vec![Finding::fail(CHECK, what, "make room, or the directory writable").at(root)];
        }
    };
    let mut findings = Vec::new();
    if let Err(error) =
        rustix::fs::open(probe.path(), OFlags::TMPFILE | OFlags::RDWR, Mode::RUSR | Mode::WUSR)
    {
        let what =
            format!("it has no unnamed files ({error}): a killed process may leave private files to sweep");
        findings.push(Finding::warn(CHECK, what, "prefer ext4, xfs, btrfs or tmpfs"));
    }
    if let Err(error) = exchange(probe.path()) {
        let what =
            format!("it cannot exchange names ({error}): taking over a dead lock is slower and guarded");
        findings.push(Finding::warn(CHECK, what, "prefer ext4, xfs, btrfs or tmpfs"));
    }
    match lock(probe.path()).await {
        Ok(found) => findings.extend(found),
        Err(error) => {
            let what = format!("a session cannot be locked: {error}");
            findings.push(Finding::fail(CHECK, what, "put the state directory on a local disk"));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::ok(CHECK, "unnamed files, exchange, flock and leases work"));
    }
    findings.into_iter().map(|finding| finding.at(root)).collect()
}

#[allow(clippy::disallowed_methods, reason = "two files that were made here for it")]
fn exchange(probe: &Path) -> std::io::Result<()> {
    let (one, other) = (probe.join("one"), probe.join("other"));
    std::fs::write(&one, "1")?;
    std::fs::write(&other, "2")?;
    let folder = std::fs::File::open(probe)?;
    let names = [OsStr::new("one"), OsStr::new("other")];
    rustix::fs::renameat_with(&folder, names[0], &folder, names[1], RenameFlags::EXCHANGE)?;
    Ok(())
}

async fn lock(probe: &Path) -> anyhow::Result<Vec<Finding>> {
    let file = probe.join("probe.jsonl");
    std::fs::write(&file, "")?;
    let target = Target::sidecar_of(&file)?;
    let locks = Locks::new(LockConfig::default());
    let held = locks.acquire(&target, &RunTag::new("doctor")).await?;
    let seen = std::process::Command::new(std::env::current_exe()?)
        .args(["lock", "inspect", "--json"])
        .arg(&file)
        .stderr(std::process::Stdio::null())
        .output()?;
    let seen: Value = serde_json::from_slice(&seen.stdout)?;
    let says = |what: &str| {
        seen.pointer(&format!("/0/evidence/{what}")).and_then(Value::as_str).unwrap_or("nothing")
    };
    let (flock, lease) = (says("flock").to_owned(), says("lease").to_owned());
    held.release().await?;
    let mut findings = Vec::new();
    if target.on_network() {
        let what = "it is reached over a network: locks are reported only, and dead ones stay";
        findings.push(Finding::warn(CHECK, what, "put the state directory on a local disk"));
    } else if flock != "held" {
        let what = format!("flock says {flock} of a lock that is held: locks of dead owners stay");
        findings.push(Finding::fail(CHECK, what, "put the state directory on a local disk"));
    } else if lease != "held" {
        let what = format!("leases say {lease}: dead locks of other programs stay");
        findings.push(Finding::warn(CHECK, what, "set fs.leases-enable to 1"));
    }
    Ok(findings)
}
