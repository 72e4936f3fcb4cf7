//! The report as JUnit XML, for build servers.
//!
//! A file is a suite and a scenario a case, as other scenario runners do it. A step that passed after a retry is a
//! `flakyError` of its case: servers that know the element show it, the others see a pass with the retries in `system-out`.
//! What the system under test did wrong is a `failure` where a check found it, and an `error` where a call ended in one.

use std::time::Duration;

use moorline_taxonomy::{Local, Mark};
use quick_junit::{NonSuccessKind, Report as Junit, TestCase, TestCaseStatus, TestRerun, TestSuite};

use super::{Failure, Report, ScenarioReport, ScenarioStatus, StepReport};

/// The report could not be written as XML.
#[derive(Debug, thiserror::Error)]
#[error("the report could not be written as JUnit XML")]
pub struct JunitError(#[source] Mark);

/// The report as JUnit XML.
///
/// # Errors
/// The XML writer refused a value, which no report is known to make it do.
pub fn junit(report: &Report) -> Result<String, JunitError> {
    let mut suites: Vec<TestSuite> = Vec::new();
    let mut times: Vec<u64> = Vec::new();
    for scenario in &report.scenarios {
        let known = suites.iter().position(|suite| suite.name.as_str() == scenario.file);
        let index = known.unwrap_or_else(|| {
            suites.push(TestSuite::new(scenario.file.as_str()));
            times.push(0);
            suites.len() - 1
        });
        if let (Some(suite), Some(time)) = (suites.get_mut(index), times.get_mut(index)) {
            *time += scenario.duration_ms;
            suite.set_time(Duration::from_millis(*time)).add_test_case(case(scenario));
        }
    }
    let mut junit = Junit::new(format!("moorline qa {}", report.run_id));
    junit.set_time(Duration::from_millis(report.duration_ms)).add_test_suites(suites);
    junit.to_string().map_err(|error| JunitError(Mark::new(Local::Bug).caused_by(error)))
}

fn case(scenario: &ScenarioReport) -> TestCase {
    let mut status = match scenario.status {
        ScenarioStatus::Passed | ScenarioStatus::PassedAfterRetry => TestCaseStatus::success(),
        ScenarioStatus::Failed => failed(scenario),
        ScenarioStatus::Cancelled => {
            let mut skipped = TestCaseStatus::skipped();
            skipped.set_message("the run was cancelled");
            skipped
        }
    };
    status.add_reruns(scenario.steps.iter().flat_map(reruns));
    let mut case = TestCase::new(scenario.name.as_str(), status);
    case.set_classname(scenario.file.as_str());
    case.set_time(Duration::from_millis(scenario.duration_ms));
    case.add_property(("status", scenario.status.as_str()));
    case.add_property(("retries", scenario.retries().to_string().as_str()));
    case.set_system_out(scenario.steps.iter().map(step_line).collect::<String>());
    case
}

fn failed(scenario: &ScenarioReport) -> TestCaseStatus {
    let step = scenario.failed_step();
    let failure = step.and_then(|step| step.failure.as_ref());
    let mut status = TestCaseStatus::non_success(failure.map_or(NonSuccessKind::Error, kind));
    if let (Some(step), Some(failure)) = (step, failure) {
        status.set_type(class(failure)).set_message(format!("step {} {}: {failure}", step.number, step.what));
    }
    status
}

fn kind(failure: &Failure) -> NonSuccessKind {
    match failure {
        Failure::Assertion { .. } | Failure::WaitedInVain { .. } | Failure::Deadline { .. } => {
            NonSuccessKind::Failure
        }
        Failure::Error { .. }
        | Failure::Answer { .. }
        | Failure::NoAnswer { .. }
        | Failure::NoContention
        | Failure::Cancelled => NonSuccessKind::Error,
    }
}

/// The code of an error; the kind of every other failure.
fn class(failure: &Failure) -> String {
    match failure {
        Failure::Error { error, .. } => error.code.to_string(),
        Failure::Assertion { .. }
        | Failure::Answer { .. }
        | Failure::NoAnswer { .. }
        | Failure::WaitedInVain { .. }
        | Failure::Deadline { .. }
        | Failure::NoContention
        | Failure::Cancelled => failure.kind().to_owned(),
    }
}

fn reruns(step: &StepReport) -> impl Iterator<Item = TestRerun> {
    step.retried.iter().map(|retried| {
        let mut rerun = TestRerun::new(NonSuccessKind::Error);
        let message =
            format!("step {} {}, attempt {}: {}", step.number, step.what, retried.attempt, retried.message);
        rerun.set_type(retried.code.to_string()).set_message(message);
        rerun.set_time(Duration::from_millis(retried.after_ms));
        rerun
    })
}

fn step_line(step: &StepReport) -> String {
    let tried = if step.attempts > 1 { format!(" in {} attempts", step.attempts) } else { String::new() };
    format!("{} {}: {}{tried}\n", step.number, step.what, step.status.as_str())
}
