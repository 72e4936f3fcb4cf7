//! The figures of a run: what the audit found in the files, and how long callers waited.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    plan::Options,
    record::{Answer, Asked, Record},
};
use crate::{
    audit::{Audit, Share},
    holds::percentile,
};

/// What `--json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    pub(crate) passed: bool,
    pub(crate) seed: u64,
    /// The command that asks for the same run again.
    pub(crate) rerun: String,
    pub(crate) lost: usize,
    pub(crate) duplicated: usize,
    pub(crate) torn: usize,
    pub(crate) double_entries: usize,
    pub(crate) stale_reports: usize,
    pub(crate) reclaims: usize,
    pub(crate) takeovers: usize,
    pub(crate) merged: usize,
    /// Calls that were asked again with the same key, and runner processes that were started again.
    pub(crate) retries: usize,
    /// From a caller's first try to its reply, of sends and turns.
    pub(crate) p50_ms: u64,
    pub(crate) p99_ms: u64,
    pub(crate) max_ms: u64,
    /// Runs that ended, by the time from the first call to the last answer.
    pub(crate) per_second: f64,
    pub(crate) sends: usize,
    pub(crate) spawns: usize,
    pub(crate) announces: usize,
    pub(crate) runs: usize,
    pub(crate) interrupted: usize,
    pub(crate) parked: usize,
    pub(crate) torn_kept: usize,
    pub(crate) candidates_burned: usize,
    pub(crate) faults_injected: BTreeMap<String, usize>,
    pub(crate) faults_observed: BTreeMap<String, usize>,
    /// What must hold, each as the number it held for, and of how many.
    pub(crate) invariants: BTreeMap<&'static str, Share>,
    pub(crate) problems: Vec<String>,
    pub(crate) options: Options,
    pub(crate) environment: Environment,
}

/// Where the run was made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Environment {
    pub(crate) version: &'static str,
    pub(crate) kernel: String,
    pub(crate) cores: usize,
}

impl Summary {
    pub(crate) fn of(options: &Options, found: &Audit, records: &[Record]) -> Self {
        let waits = waits(records);
        Self {
            // A run ends everything in order: what only awaits a next owner elsewhere is wrong here.
            passed: found.passed() && found.left.is_empty(),
            seed: options.seed,
            rerun: rerun(options),
            lost: found.lost,
            duplicated: found.duplicated,
            torn: found.torn,
            double_entries: found.double_entries,
            stale_reports: found.stale_reports,
            reclaims: found.reclaims,
            takeovers: found.takeovers,
            merged: found.merged,
            retries: records.iter().filter(|record| matches!(record, Record::Again { .. })).count(),
            p50_ms: percentile(&waits, 50),
            p99_ms: percentile(&waits, 99),
            max_ms: waits.last().copied().unwrap_or(0),
            per_second: per_second(found.turns.ok, records),
            sends: found.sends.of,
            spawns: found.spawns.of,
            announces: found.announces.of,
            runs: found.turns.of,
            interrupted: found.interrupted,
            parked: found.parked,
            torn_kept: found.torn_kept,
            candidates_burned: found.candidates_burned,
            faults_injected: found.faults_injected.clone(),
            faults_observed: found.faults_observed.clone(),
            invariants: found.invariants().into_iter().map(|(name, share, _)| (name, share)).collect(),
            problems: found.problems.iter().chain(&found.left).cloned().collect(),
            options: options.clone(),
            environment: Environment::here(),
        }
    }
}

impl Environment {
    fn here() -> Self {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            kernel: kernel.trim().to_owned(),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        }
    }
}

fn rerun(options: &Options) -> String {
    let Options { agents, sessions, processes, turns, seconds, faults, seed } = options;
    let mut faults: Vec<&str> = faults.iter().map(|kind| kind.as_str()).collect();
    if faults.is_empty() {
        faults.push("none");
    }
    format!(
        "moorline stress --agents {agents} --sessions {sessions} --processes {processes} --turns {turns} --seconds {seconds} --faults {} --seed {seed}",
        faults.join(",")
    )
}

/// How long callers waited for a reply, in milliseconds, shortest first.
pub(crate) fn waits(records: &[Record]) -> Vec<u64> {
    let mut waits: Vec<u64> = records
        .iter()
        .filter_map(|record| match record {
            Record::Told(told) if told.answer == Answer::Replied && told.asked != Asked::Runner => {
                Some(told.ms)
            }
            Record::Told(_)
            | Record::Began { .. }
            | Record::Fault { .. }
            | Record::Outside { .. }
            | Record::Again { .. } => None,
        })
        .collect();
    waits.sort_unstable();
    waits
}

fn per_second(runs: usize, records: &[Record]) -> f64 {
    let mut first = u64::MAX;
    let mut last = 0;
    for record in records {
        if let Record::Told(told) = record {
            first = first.min(told.at);
            last = last.max(told.at + told.ms);
        }
    }
    let seconds = last.saturating_sub(first) as f64 / 1000.0;
    if seconds > 0.0 { (runs as f64 / seconds * 10.0).round() / 10.0 } else { 0.0 }
}
