//! Scenarios: what they are, and how they are read.
//!
//! Reading is strict: an unknown field, a wrong kind of value and a step that could never mean anything are errors that
//! name file, scenario, step and field. A scenario that quietly checks less than it says is worse than none.

mod check;
mod error;
mod expect;
mod millis;
mod read;
mod step;

pub use error::{ScenarioError, ScenarioProblem};
pub use expect::{
    AnnounceMatch, AttemptsMatch, ErrorMatch, ExpectStep, HistoryMatch, SendFacts, TextMatch, ToolCallMatch,
};
pub use read::read_scenarios;
pub use step::{AgentStep, ContentionStep, CreateStep, SendStep, SpawnStep, Step, WaitFor, WaitStep};

use std::time::Duration;

/// How long a scenario may take when it says nothing else.
const DEADLINE: Duration = Duration::from_secs(120);

/// A checked scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    name: String,
    file: String,
    deadline: Duration,
    steps: Vec<Step>,
}

impl Scenario {
    /// A scenario that is made in code. `file` is what reports group it by.
    ///
    /// # Errors
    /// The rules of docs/qa.md: a name, at least one step, and no step that could never pass or never fail.
    pub fn new(
        file: impl Into<String>,
        name: impl Into<String>,
        deadline: Option<Duration>,
        steps: Vec<Step>,
    ) -> Result<Self, ScenarioError> {
        let (file, name) = (file.into(), name.into());
        match check::check(&name, &steps) {
            Ok(()) => Ok(Self { name, file, deadline: deadline.unwrap_or(DEADLINE), steps }),
            Err(fault) => {
                Err(ScenarioError::new(&file, fault.problem).in_scenario(&name).at(fault.step, fault.field))
            }
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file it came from.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How long the whole of it may take.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// What it does.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether step `index` may fail because the next one expects an error.
    pub(crate) fn error_expected(&self, index: usize) -> Option<&ErrorMatch> {
        match self.steps.get(index + 1) {
            Some(Step::Expect(expect)) => expect.error.as_ref(),
            Some(
                Step::Create(_)
                | Step::Send(_)
                | Step::Spawn(_)
                | Step::Agent(_)
                | Step::Wait(_)
                | Step::Contention(_),
            )
            | None => None,
        }
    }
}
