//! Scenarios against a live gateway, with retries that never hide a failure.
//!
//! A scenario is a list of steps in YAML ([`read_scenarios`]); a [`Run`] takes them over the [`Gateway`] port and gives a
//! [`Report`]. Only local contention is tried again, and only the step that met it: [`verdict`] asks the policy table for
//! the code of the error, and never looks at text. A pass that needed a retry is called so.
//!
//! The decision: the unit of a retry is one step with one idempotency key. The option not taken is what test runners do,
//! running the whole scenario again: that doubles what already had an effect, and turns every defect that shows itself
//! now and then into a pass.
//!
//! What must stay true: an assertion, a provider's error, an answer that cannot be read and a wait that ran out are final;
//! the crate starts no task, reads no file and no environment, and prints nothing; time comes from the
//! [`Clock`](moorline_retry::Clock).
//!
//! ```
//! # use std::time::Duration;
//! # use async_trait::async_trait;
//! # use moorline_qa_retry::Gateway;
//! # use moorline_taxonomy::Wire;
//! # use serde_json::{Value, json};
//! use moorline_qa_retry::{Outcome, Run, read_scenarios, summary};
//! use moorline_retry::SystemClock;
//!
//! struct Echo;
//! #[async_trait]
//! impl Gateway for Echo {
//!     async fn call(&self, _: &str, params: Value, _: Duration) -> Result<Value, Wire> {
//!         Ok(json!({ "runId": "r1", "outcome": "completed", "reply": params["message"] }))
//!     }
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! let scenarios = read_scenarios(
//!     "echo.yaml",
//!     "name: echo\nsteps:\n  - agent: { key: 'agent:main:echo-{run}', message: hello }\n  - expect: { reply: { equals: hello } }\n",
//! )?;
//! let report = Run::new("01J", &Echo, &SystemClock)?.run(&scenarios).await;
//! assert_eq!(report.outcome, Outcome::Passed);
//! println!("{}", summary(&report, false));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod contention;
mod gateway;
mod read_error;
mod report;
mod run;
mod scenario;
mod verdict;

pub use contention::{Contention, Hold};
pub use gateway::Gateway;
pub use read_error::read_error;
pub use report::{
    Counts, Failure, GaveUp, Mismatch, Outcome, Report, Retried, ScenarioReport, ScenarioStatus, StepReport,
    StepStatus, summary,
};
#[cfg(feature = "junit")]
pub use report::{JunitError, junit};
pub use run::{Progress, Run, RunError};
pub use scenario::{
    AgentStep, AnnounceMatch, AttemptsMatch, ContentionStep, CreateStep, ErrorMatch, ExpectStep,
    HistoryMatch, Scenario, ScenarioError, ScenarioProblem, SendFacts, SendStep, SpawnStep, Step, TextMatch,
    ToolCallMatch, WaitFor, WaitStep, read_scenarios,
};
pub use verdict::verdict;
