//! The report of one scenario and of its steps.

use moorline_taxonomy::WireCode;
use serde::{Deserialize, Serialize};

use super::Failure;

/// What became of a scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScenarioReport {
    /// Its name.
    pub name: String,
    /// The file it came from.
    pub file: String,
    /// The worst status of its steps.
    pub status: ScenarioStatus,
    /// How long it took.
    pub duration_ms: u64,
    /// Its steps; those that were not reached are `skipped`.
    pub steps: Vec<StepReport>,
}

/// The status of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScenarioStatus {
    /// Every step passed at its first attempt.
    Passed,
    /// Every step passed, at least one of them after local contention.
    PassedAfterRetry,
    /// A step failed.
    Failed,
    /// The run was cancelled before or during it.
    Cancelled,
}

impl ScenarioStatus {
    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::PassedAfterRetry => "passed_after_retry",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    /// Its number in the scenario, from 1.
    pub number: usize,
    /// Its kind, as scenarios write it.
    pub kind: String,
    /// What it does, in words.
    pub what: String,
    /// Its status.
    pub status: StepStatus,
    /// How long it took, waits between attempts included.
    pub duration_ms: u64,
    /// Attempts made; 0 for a step that was not reached.
    pub attempts: u32,
    /// The attempts that met local contention and were followed by another one.
    pub retried: Vec<Retried>,
    /// Why it failed. A step that passed has one if the next step expects its error.
    pub failure: Option<Failure>,
}

/// The status of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Passed at the first attempt.
    Passed,
    /// Passed, and needed more than one attempt.
    PassedAfterRetry,
    /// Failed.
    Failed,
    /// Cut by a cancelled run.
    Cancelled,
    /// Not reached.
    Skipped,
}

impl StepStatus {
    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::PassedAfterRetry => "passed_after_retry",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

/// An attempt that met local contention and was followed by another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retried {
    /// Its number, from 1.
    pub attempt: u32,
    /// The code that allowed the retry.
    pub code: WireCode,
    /// The error's text, for people.
    pub message: String,
    /// When it ended, from the begin of the step.
    pub after_ms: u64,
}

impl ScenarioReport {
    pub(crate) fn new(name: &str, file: &str, duration_ms: u64, steps: Vec<StepReport>) -> Self {
        // From best to worst; a scenario is as good as its worst step.
        let any = |status| steps.iter().any(|step| step.status == status);
        let status = if any(StepStatus::Failed) {
            ScenarioStatus::Failed
        } else if any(StepStatus::Cancelled) || any(StepStatus::Skipped) {
            ScenarioStatus::Cancelled
        } else if any(StepStatus::PassedAfterRetry) {
            ScenarioStatus::PassedAfterRetry
        } else {
            ScenarioStatus::Passed
        };
        Self { name: name.to_owned(), file: file.to_owned(), status, duration_ms, steps }
    }

    /// Retries that its steps made.
    #[must_use]
    pub fn retries(&self) -> u32 {
        self.steps.iter().map(|step| step.attempts.saturating_sub(1)).sum()
    }

    /// The step that failed, if one did.
    #[must_use]
    pub fn failed_step(&self) -> Option<&StepReport> {
        self.steps.iter().find(|step| step.status == StepStatus::Failed)
    }
}
