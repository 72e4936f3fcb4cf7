//! What a run did, and the three ways to show it: JSON (serde), JUnit XML, text.
//!
//! What must stay true: every retry is in every form. A step that passed at the second attempt is `passed_after_retry`, its
//! scenario too, and the run says how many there were.

mod failure;
#[cfg(feature = "junit")]
mod junit;
mod scenario;
mod summary;
mod text;

pub use failure::{Failure, GaveUp, Mismatch};
#[cfg(feature = "junit")]
pub use junit::{JunitError, junit};
pub use scenario::{Retried, ScenarioReport, ScenarioStatus, StepReport, StepStatus};
pub use summary::summary;
pub(crate) use text::shown;

use serde::{Deserialize, Serialize};

/// The version of the report's form.
const VERSION: u32 = 1;

/// The report of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The version of this form.
    pub version: u32,
    /// The run's id.
    pub run_id: String,
    /// When it began, in milliseconds since the Unix epoch.
    pub started_at_ms: u64,
    /// How long it took.
    pub duration_ms: u64,
    /// Its final state.
    pub outcome: Outcome,
    /// Whether it was cancelled before its end.
    pub cancelled: bool,
    /// Retries that were made.
    pub retries: u32,
    /// Retries that the run allowed.
    pub retry_budget: u32,
    /// Scenarios by status.
    pub counts: Counts,
    /// The scenarios, in the order of the run.
    pub scenarios: Vec<ScenarioReport>,
}

/// The final state of a run; the host makes its exit code of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every scenario passed, some perhaps after a retry.
    Passed,
    /// A scenario failed, or the run was cancelled.
    Failed,
    /// There was nothing to run: no scenario, or one that could not be read.
    BadInput,
}

impl Outcome {
    /// The word used in reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::BadInput => "bad_input",
        }
    }
}

/// How many scenarios have which status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// All.
    pub scenarios: u32,
    /// Passed at the first attempt of every step.
    pub passed: u32,
    /// Passed with at least one retry.
    pub passed_after_retry: u32,
    /// Failed.
    pub failed: u32,
    /// Cancelled, or not begun.
    pub cancelled: u32,
}

/// What a run knows of itself besides its scenarios.
pub(crate) struct Facts {
    pub(crate) run_id: String,
    pub(crate) started_at_ms: u64,
    pub(crate) duration_ms: u64,
    pub(crate) retry_budget: u32,
}

impl Report {
    pub(crate) fn new(facts: Facts, scenarios: Vec<ScenarioReport>) -> Self {
        let mut counts = Counts::default();
        for scenario in &scenarios {
            counts.scenarios += 1;
            *match scenario.status {
                ScenarioStatus::Passed => &mut counts.passed,
                ScenarioStatus::PassedAfterRetry => &mut counts.passed_after_retry,
                ScenarioStatus::Failed => &mut counts.failed,
                ScenarioStatus::Cancelled => &mut counts.cancelled,
            } += 1;
        }
        let outcome = match counts {
            Counts { scenarios: 0, .. } => Outcome::BadInput,
            Counts { failed: 0, cancelled: 0, .. } => Outcome::Passed,
            Counts { .. } => Outcome::Failed,
        };
        let Facts { run_id, started_at_ms, duration_ms, retry_budget } = facts;
        Self {
            version: VERSION,
            run_id,
            started_at_ms,
            duration_ms,
            outcome,
            cancelled: counts.cancelled > 0,
            retries: scenarios.iter().map(ScenarioReport::retries).sum(),
            retry_budget,
            counts,
            scenarios,
        }
    }
}
