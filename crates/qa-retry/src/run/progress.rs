//! What a run tells while it runs.

use std::fmt;

use moorline_taxonomy::WireCode;

use crate::{Scenario, ScenarioReport, Step, StepReport};

/// Something that happened just now. Its `Display` is one line of text without a newline.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// A scenario begins.
    ScenarioBegins {
        /// Its number in the run, from 1.
        number: usize,
        /// How many the run has.
        of: usize,
        /// The scenario.
        scenario: &'a Scenario,
    },
    /// A step begins.
    StepBegins {
        /// Its number in the scenario, from 1.
        number: usize,
        /// How many the scenario has.
        of: usize,
        /// The step.
        step: &'a Step,
    },
    /// An attempt met local contention; it is tried again if schedule, budget and deadline allow it.
    Contended {
        /// The step.
        step: &'a Step,
        /// The attempt, from 1.
        attempt: u32,
        /// The code.
        code: &'a WireCode,
    },
    /// A step has ended.
    StepEnds {
        /// What became of it.
        report: &'a StepReport,
    },
    /// A scenario has ended.
    ScenarioEnds {
        /// What became of it.
        report: &'a ScenarioReport,
    },
}

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScenarioBegins { number, of, scenario } => write!(f, "[{number}/{of}] {}", scenario.name()),
            Self::StepBegins { number, of, step } => write!(f, "step {number}/{of}: {step}"),
            Self::Contended { step, attempt, code } => write!(f, "{step}: attempt {attempt} met {code}"),
            Self::StepEnds { report } => write!(f, "{}: {}", report.what, report.status.as_str()),
            Self::ScenarioEnds { report } => write!(f, "{}: {}", report.name, report.status.as_str()),
        }
    }
}
