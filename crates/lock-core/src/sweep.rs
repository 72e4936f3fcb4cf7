//! Cleaning a directory: locks of proven dead owners, and what killed processes left behind.
//!
//! The same judge and the same reclaim mutex as a waiter: a dead lock is taken over by exchange and then released, so a
//! lock that came in between is never removed. Nothing is removed by its path or its age alone.

use std::{io, os::fd::AsFd, path::Path, time::Duration};

use serde::Serialize;

use crate::{
    error::LockError,
    evidence::{Judged, Sighting, Surroundings},
    guard_file,
    inspect::{judge_once, limits, state_word},
    judge::{Reason, State},
    locks::Inner,
    obstacle::what_cannot_be_opened,
    publish::{Candidate, PublishMode},
    reclaim::{Reclaimed, reclaim},
    registry,
    sys::{
        fs::{self, Kind, Probe},
        kernel,
    },
    tag::RunTag,
    target::{Target, is_aside, strip_lock},
};

/// Private names younger than this may belong to a reclaimer at work.
const LITTER_AGE: Duration = Duration::from_secs(60);

/// What a sweep found at one path, and what it did about it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Swept {
    /// The path.
    pub path: String,
    /// `lock` or `litter`.
    pub kind: &'static str,
    /// As `lock inspect` says it; `null` for litter.
    pub state: Option<&'static str>,
    /// Why.
    pub stale_reasons: Vec<Reason>,
    /// `removed`, `would-remove`, `kept` or `failed`.
    pub action: &'static str,
    /// What went wrong, if something did.
    pub error: Option<String>,
}

pub(crate) fn sweep(dir: &Path, locks: &Inner, dry_run: bool) -> Result<Vec<Swept>, LockError> {
    let unavailable = |source: io::Error| LockError::unavailable(dir, "read directory", source);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unavailable)? {
        names.push(entry.map_err(unavailable)?.file_name());
    }
    names.sort();
    let mut all = Vec::new();
    for name in names {
        let path = dir.join(&name);
        let swept = if is_aside(&name) {
            sweep_litter(&path, dry_run)
        } else if strip_lock(&name).is_some() {
            Target::of_either(&path).and_then(|target| sweep_lock(&target, locks, dry_run))
        } else {
            continue;
        };
        match swept {
            Ok(Some(swept)) => all.push(swept),
            Ok(None) => {}
            Err(error) => all.push(Swept {
                path: path.display().to_string(),
                kind: if is_aside(&name) { "litter" } else { "lock" },
                state: None,
                stale_reasons: Vec::new(),
                action: "failed",
                error: Some(error.to_string()),
            }),
        }
    }
    Ok(all)
}

fn sweep_lock(target: &Target, locks: &Inner, dry_run: bool) -> Result<Option<Swept>, LockError> {
    let unavailable = |source| LockError::unavailable(&target.lock_path(), "sweep", source);
    let mut swept = Swept {
        path: target.lock_path().display().to_string(),
        kind: "lock",
        state: Some("unknown"),
        stale_reasons: vec![Reason::UnverifiableOwner],
        action: "kept",
        error: None,
    };
    let file = match fs::open_to_judge(target.dir(), target.lock_name()) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(None),
        Err(error) => {
            swept.error =
                Some(what_cannot_be_opened(target).map_or_else(|| error.to_string(), str::to_owned));
            return Ok(Some(swept));
        }
    };
    let judged = Judged::open(file).map_err(unavailable)?;
    let identity = registry::global().identity();
    let (_, judgement) = judge_once(target, &judged, identity, &locks.config);
    swept.state = Some(state_word(&judgement));
    swept.stale_reasons.clone_from(&judgement.reasons);
    // Named by nobody: what a waiter for this very lock takes over and keeps, a sweep of a directory does not touch.
    if let Some(what) = judged.no_lock() {
        swept.error = Some(what.to_owned());
        return Ok(Some(swept));
    }
    match judgement.state {
        State::Dead if dry_run => swept.action = "would-remove",
        State::Dead => {
            if take_and_release(target, &judged, locks).map_err(unavailable)? {
                swept.action = "removed";
            }
        }
        State::Live | State::Contended | State::Unknown => {}
    }
    Ok(Some(swept))
}

/// Takes the dead lock over and removes what is then our own.
fn take_and_release(target: &Target, judged: &Judged, locks: &Inner) -> io::Result<bool> {
    let candidate = Candidate::create(target, locks.publish_mode)?;
    let fresh_ctime_ns = candidate.ctime_ns();
    candidate.write(&RunTag::new("sweep"), locks.config.max_hold)?;
    let around = Surroundings {
        identity: registry::global().identity(),
        network: target.on_network(),
        sighting: Sighting::of(&judged.stat, None),
        fresh_ctime_ns,
        flock_is_ours: false,
    };
    let (mode, guard) = (locks.reclaim_mode, locks.config.fs_safe_guard);
    match reclaim(target, judged, &around, &limits(&locks.config), mode, guard, candidate)? {
        Reclaimed::Owned(published) => {
            let ours =
                fs::stat_at(target.dir(), target.lock_name())?.map(|stat| stat.id) == Some(published.id);
            if ours {
                fs::unlink_at(target.dir(), target.lock_name())?;
            }
            Ok(ours)
        }
        Reclaimed::Contended | Reclaimed::Changed | Reclaimed::Guarded => Ok(false),
    }
}

/// A private name whose maker is gone: old, and nobody holds its `flock`.
fn sweep_litter(path: &Path, dry_run: bool) -> Result<Option<Swept>, LockError> {
    let unavailable = |source| LockError::unavailable(path, "sweep", source);
    // The file is addressed through its directory like every other.
    let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else { return Ok(None) };
    let dir = fs::open_dir(parent).map_err(unavailable)?;
    let Some(file) = fs::open_to_judge(&dir, name).map_err(unavailable)? else { return Ok(None) };
    let stat = fs::stat_fd(&file).map_err(unavailable)?;
    if stat.kind == Kind::Special {
        return Ok(None);
    }
    let target = Target::sidecar_of(&parent.join("sweep"))?;
    if target.on_network() {
        return Ok(None);
    }
    let fresh =
        Candidate::create(&target, PublishMode::Unnamed).ok().and_then(|candidate| candidate.ctime_ns());
    let age_ns = fresh.map_or(0, |fresh| fresh.saturating_sub(stat.ctime_ns));
    let mut swept = Swept {
        path: path.display().to_string(),
        kind: "litter",
        state: None,
        stale_reasons: Vec::new(),
        action: "kept",
        error: None,
    };
    // A written file or guard was locked by its maker before it was written; only an empty one may still be in the making.
    let settled = match stat.kind {
        Kind::Regular => stat.len > 0,
        Kind::Directory => guard_file::is_furnished(&file),
        Kind::Symlink | Kind::Special => false,
    };
    let young = age_ns < i128::try_from(LITTER_AGE.as_nanos()).unwrap_or(i128::MAX);
    // A reclaimer that died between an exchange and the exchange back leaves a live lock of another program under its
    // private name; that program takes no `flock`, so the lease is asked too.
    let written_to = stat.kind == Kind::Regular && kernel::probe_lease(file.as_fd()) != Probe::Free;
    if (young && !settled) || written_to || fs::try_flock_exclusive(&file) != Probe::Free {
        return Ok(Some(swept));
    }
    if dry_run {
        swept.action = "would-remove";
        return Ok(Some(swept));
    }
    // Private names are never reused and only their maker touches them, and it is gone.
    if stat.kind == Kind::Directory {
        guard_file::remove_private(&target, name);
    } else {
        fs::unlink_at(&dir, name).map_err(unavailable)?;
    }
    swept.action = "removed";
    Ok(Some(swept))
}
