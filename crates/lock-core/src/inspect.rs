//! Looking at locks without touching them: what an operator sees.

use std::{io, path::Path, time::Duration};

use moorline_taxonomy::Owner;
use serde::Serialize;

use crate::{
    config::LockConfig,
    error::{LockError, millis, pid_alive},
    evidence::{Judged, Sighting, Surroundings, judge_now},
    judge::{Judgement, Likeness, Limits, PidEvidence, Probe, Reason, State},
    obstacle::what_cannot_be_opened,
    publish::{Candidate, PublishMode},
    record::iso,
    registry,
    sys::{clock::WallMs, fs, process::Identity},
    target::{Target, strip_lock},
};

/// One lock as an operator sees it. Serialises to the keys of `moorline lock inspect --json`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LockView {
    /// The lock file.
    pub lock_path: String,
    /// The process id in the record.
    pub pid: Option<u32>,
    /// Whether that process was seen alive; `null` when that cannot be known from here.
    pub pid_alive: Option<bool>,
    /// ISO-8601.
    pub created_at: Option<String>,
    /// Milliseconds since `createdAt`.
    pub age_ms: Option<u64>,
    /// `free`, `live`, `stale` (live and reported), `dead`, `unknown` or `contended`.
    pub state: &'static str,
    /// Whether it is stale: dead, or live and to be reported.
    pub stale: bool,
    /// Why.
    pub stale_reasons: Vec<Reason>,
    /// Whether it may be reclaimed; true for `dead` alone.
    pub removable: bool,
    /// Who owns it.
    pub owner: Option<Owner>,
    /// What the kernel said.
    pub evidence: Option<EvidenceView>,
    /// In words, what stands at the path where that is no lock.
    #[serde(skip)]
    pub no_lock: Option<&'static str>,
}

/// The evidence behind a judgement, in words.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceView {
    /// `free`, `held` or `unknown`.
    pub flock: &'static str,
    /// `free`, `held` or `unknown`.
    pub lease: &'static str,
    /// `absent`, `gone`, `alive`, `recycled`, `zombie`, `not-permitted` or `unknown`.
    pub pid: &'static str,
    /// `same`, `other` or `unknown`.
    pub boot_id: &'static str,
    /// `same`, `other` or `unknown`.
    pub pid_ns: &'static str,
}

pub(crate) fn inspect(path: &Path, config: &LockConfig) -> Result<Vec<LockView>, LockError> {
    if path.is_dir() {
        return inspect_dir(path, config);
    }
    let target = Target::of_either(path)?;
    Ok(vec![view(&target, config)?])
}

fn inspect_dir(dir: &Path, config: &LockConfig) -> Result<Vec<LockView>, LockError> {
    let unavailable = |source: io::Error| LockError::unavailable(dir, "read directory", source);
    let mut views = Vec::new();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unavailable)? {
        let name = entry.map_err(unavailable)?.file_name();
        if strip_lock(&name).is_some() {
            names.push(name);
        }
    }
    names.sort();
    for name in names {
        let view = Target::of_either(&dir.join(&name)).and_then(|target| view(&target, config));
        match view {
            // A lock that was released since the directory was read is not listed.
            Ok(view) if view.state == "free" => {}
            Ok(view) => views.push(view),
            // One lock that cannot be looked at must not hide the others.
            Err(error) => views.push(unreadable(dir.join(&name).display().to_string(), &error)),
        }
    }
    Ok(views)
}

pub(crate) fn view(target: &Target, config: &LockConfig) -> Result<LockView, LockError> {
    let lock_path = target.lock_path().display().to_string();
    let file = match fs::open_to_judge(target.dir(), target.lock_name()) {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(free(lock_path)),
        Err(source) => {
            let error = LockError::unavailable(&target.lock_path(), "open", source);
            return Ok(LockView { no_lock: what_cannot_be_opened(target), ..unreadable(lock_path, &error) });
        }
    };
    let judged = Judged::open(file)
        .map_err(|source| LockError::unavailable(&target.lock_path(), "inspect", source))?;
    let identity = registry::global().identity();
    let (evidence, judgement) = judge_once(target, &judged, identity, config);
    let now = WallMs::now();
    let record = &judged.record;
    let age = record.age(now);
    let owner = Owner {
        pid: record.pid,
        host: record.host.clone(),
        run_id: record.run_id.clone(),
        session_key: record.session_key.clone(),
        alive: alive(&judgement, evidence.pid),
        age_ms: age.map(millis),
        relation: None,
    };
    Ok(LockView {
        lock_path,
        pid: record.pid,
        pid_alive: pid_alive(evidence.pid),
        created_at: record.created_at_ms.map(|ms| iso(WallMs(ms))),
        age_ms: age.map(millis),
        state: state_word(&judgement),
        stale: judgement.removable() || judgement.live_stale(),
        removable: judgement.removable(),
        stale_reasons: judgement.reasons,
        owner: Some(owner),
        evidence: Some(EvidenceView {
            flock: probe_word(evidence.flock, evidence.lease),
            lease: probe_word(evidence.lease, evidence.lease),
            pid: pid_word(evidence.pid),
            boot_id: likeness_word(evidence.boot),
            pid_ns: likeness_word(evidence.pid_ns),
        }),
        no_lock: judged.no_lock(),
    })
}

/// Gathers and judges for a caller that looks once and does not wait.
pub(crate) fn judge_once(
    target: &Target,
    judged: &Judged,
    identity: &Identity,
    config: &LockConfig,
) -> (crate::judge::Evidence, Judgement) {
    let fresh_ctime_ns = if judged.record.is_complete() {
        None
    } else {
        // An unnamed file tells the file system's time; where that is not possible the file's age stays unknown.
        Candidate::create(target, PublishMode::Unnamed).ok().and_then(|candidate| candidate.ctime_ns())
    };
    let around = Surroundings {
        identity,
        network: target.on_network(),
        sighting: Sighting::of(&judged.stat, None),
        fresh_ctime_ns,
        flock_is_ours: false,
    };
    judge_now(judged, &around, &limits(config))
}

pub(crate) fn limits(config: &LockConfig) -> Limits {
    Limits { stale: config.stale, grace: Duration::from_secs(30) }
}

fn alive(judgement: &Judgement, pid: PidEvidence) -> Option<bool> {
    match judgement.state {
        State::Live => Some(true),
        State::Dead => Some(false),
        State::Contended | State::Unknown => pid_alive(pid),
    }
}

fn free(lock_path: String) -> LockView {
    LockView {
        lock_path,
        pid: None,
        pid_alive: None,
        created_at: None,
        age_ms: None,
        state: "free",
        stale: false,
        stale_reasons: Vec::new(),
        removable: false,
        owner: None,
        evidence: None,
        no_lock: None,
    }
}

fn unreadable(lock_path: String, error: &LockError) -> LockView {
    tracing::debug!(lock = lock_path, %error, "lock cannot be looked at");
    // Nothing could be asked, and an operator is told that of each thing.
    let evidence = EvidenceView {
        flock: "unknown",
        lease: "unknown",
        pid: "unknown",
        boot_id: "unknown",
        pid_ns: "unknown",
    };
    LockView {
        state: "unknown",
        stale_reasons: vec![Reason::UnverifiableOwner],
        evidence: Some(evidence),
        ..free(lock_path)
    }
}

pub(crate) fn state_word(judgement: &Judgement) -> &'static str {
    match judgement.state {
        State::Live if judgement.live_stale() => "stale",
        State::Live => "live",
        State::Contended => "contended",
        State::Dead => "dead",
        State::Unknown => "unknown",
    }
}

fn probe_word(probe: Probe, lease: Probe) -> &'static str {
    match (probe, lease) {
        (Probe::Free, _) => "free",
        (Probe::Held, _) => "held",
        (Probe::Unknown, _) => "unknown",
    }
}

fn pid_word(pid: PidEvidence) -> &'static str {
    match pid {
        PidEvidence::Absent => "absent",
        PidEvidence::Gone => "gone",
        PidEvidence::Alive => "alive",
        PidEvidence::Recycled | PidEvidence::StartedLater => "recycled",
        PidEvidence::Zombie => "zombie",
        PidEvidence::NotPermitted => "not-permitted",
        PidEvidence::Unknown => "unknown",
    }
}

fn likeness_word(likeness: Likeness) -> &'static str {
    match likeness {
        Likeness::Same => "same",
        Likeness::Other => "other",
        Likeness::Unknown => "unknown",
    }
}
