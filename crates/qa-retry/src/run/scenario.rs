//! One scenario: its steps in order, each with its retries, until one fails.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use moorline_retry::{Budget, GaveUp as Ended, Judgement, Retry};
use moorline_taxonomy::Effect;
use tokio::sync::watch;

use super::{
    Progress, Setup,
    act::{Attempts, act, key_of},
    attempt_error::AttemptError,
    caller::Caller,
    judge::judge,
    millis,
    state::{Done, State},
};
use crate::{Failure, GaveUp, Hold, Retried, Scenario, ScenarioReport, Step, StepReport, StepStatus};

/// The longest pause that a gateway may ask for. A QA run that waits longer only delays its finding.
const LONGEST_STATED: Duration = Duration::from_secs(30);

/// The attempts of a step that met contention.
#[derive(Default)]
struct Contended {
    retried: Vec<Retried>,
    /// How many of them came to nothing for sure.
    without_effect: u32,
}

/// What became of a step, before it is reported.
struct Ran {
    attempts: u32,
    retried: Vec<Retried>,
    result: Result<(Done, Option<Hold>), Failure>,
}

impl Setup<'_> {
    pub(super) async fn scenario(
        &self,
        number: usize,
        scenario: &Scenario,
        budget: &Budget,
        cancelled: watch::Receiver<bool>,
    ) -> ScenarioReport {
        let began = self.clock.now();
        let deadline_after = scenario.deadline();
        let caller = Caller {
            gateway: self.gateway,
            clock: self.clock,
            deadline: began + deadline_after,
            deadline_after,
            cancelled,
        };
        let of = scenario.steps().len();
        let mut state = State::default();
        let mut steps: Vec<StepReport> = Vec::with_capacity(of);
        // Dropped at the end of the scenario, which lets go of whatever is still held.
        let mut holds = Vec::new();
        for (index, step) in scenario.steps().iter().enumerate() {
            if steps.last().is_some_and(|last| !passed(last.status)) {
                steps.push(report(index, step, StepStatus::Skipped, 0, Vec::new(), None));
                continue;
            }
            (self.observe)(&Progress::StepBegins { number: index + 1, of, step });
            let step_began = self.clock.now();
            let key = format!("qa/{}/{number}/{}", self.id, index + 1);
            let mut ran = self.step(scenario, index, &key, &caller, &state, budget).await;
            let (status, failure) =
                settle(&mut ran, scenario.error_expected(index).is_some(), step, &mut state, &mut holds);
            let mut report = report(index, step, status, ran.attempts, ran.retried, failure);
            report.duration_ms = millis(self.clock.now().saturating_duration_since(step_began));
            (self.observe)(&Progress::StepEnds { report: &report });
            steps.push(report);
        }
        drop(holds);
        let duration_ms = millis(self.clock.now().saturating_duration_since(began));
        let report = ScenarioReport::new(scenario.name(), scenario.file(), duration_ms, steps);
        tracing::info!(
            scenario = scenario.name(),
            status = report.status.as_str(),
            retries = report.retries(),
            "scenario ended"
        );
        report
    }

    /// A step with its retries.
    async fn step(
        &self,
        scenario: &Scenario,
        index: usize,
        key: &str,
        caller: &Caller<'_>,
        state: &State,
        budget: &Budget,
    ) -> Ran {
        let Some(step) = scenario.steps().get(index) else {
            return Ran { attempts: 0, retried: Vec::new(), result: Err(Failure::Cancelled) };
        };
        if *caller.cancelled.borrow() {
            return Ran { attempts: 0, retried: Vec::new(), result: Err(Failure::Cancelled) };
        }
        let began = self.clock.now();
        let with = &Attempts { caller, contention: self.contention, state, run: &self.id, began };
        let contended = Mutex::new(Contended::default());
        let so_far = || contended.lock().unwrap_or_else(PoisonError::into_inner);
        let expected = scenario.error_expected(index);
        let outcome = Retry::new(step.kind(), &self.schedule, self.clock)
            .budget(budget)
            .deadline(caller.deadline)
            .longest_stated(LONGEST_STATED)
            .cancelled_by(caller.is_cancelled())
            .run(
                |_| act(step, with, key_of(key, so_far().without_effect)),
                |error| {
                    let judgement = judge(error, expected);
                    if let Judgement::Retry { .. } = judgement {
                        self.note(step, error, began, &mut so_far());
                    }
                    judgement
                },
            )
            .await;
        let mut retried = std::mem::take(&mut so_far().retried);
        match outcome {
            // Each attempt but the last met contention.
            Ok(done) => Ran { attempts: attempts_of(&retried), retried, result: Ok(done) },
            Err(ended) => {
                let attempts = ended.attempts();
                // The last one was not followed by another: it is the failure itself.
                retried.truncate(usize::try_from(attempts).unwrap_or(usize::MAX).saturating_sub(1));
                Ran { attempts, retried, result: Err(failure_of(ended)) }
            }
        }
    }

    fn note(&self, step: &Step, error: &AttemptError, began: Instant, contended: &mut Contended) {
        let Some(wire) = error.wire() else { return };
        let after_ms = millis(self.clock.now().saturating_duration_since(began));
        let attempt = attempts_of(&contended.retried);
        let (code, message) = (wire.code.clone(), wire.message.clone());
        contended.retried.push(Retried { attempt, code, message, after_ms });
        contended.without_effect += u32::from(wire.effect == Effect::None);
        (self.observe)(&Progress::Contended { step, attempt, code: &wire.code });
    }
}

/// The number of the attempt after those that met contention.
fn attempts_of(contended: &[Retried]) -> u32 {
    u32::try_from(contended.len()).unwrap_or(u32::MAX).saturating_add(1)
}

fn failure_of(ended: Ended<AttemptError>) -> Failure {
    let gave_up = GaveUp::of(ended.why());
    match ended.into_error() {
        AttemptError::Final(failure) => *failure,
        AttemptError::Refused(remote) => Failure::Error { error: Box::new(remote.wire().clone()), gave_up },
    }
}

/// Takes the result of a step into the state, and says what it counts as.
fn settle(
    ran: &mut Ran,
    error_expected: bool,
    step: &Step,
    state: &mut State,
    holds: &mut Vec<Hold>,
) -> (StepStatus, Option<Failure>) {
    let fine = if ran.attempts > 1 { StepStatus::PassedAfterRetry } else { StepStatus::Passed };
    let result = std::mem::replace(&mut ran.result, Ok((Done::default(), None)));
    match result {
        Ok((done, hold)) => {
            holds.extend(hold);
            // A check looks at the step before it, and so may the next check.
            if !matches!(step, Step::Expect(_)) {
                state.passed(done, ran.attempts);
            }
            (fine, None)
        }
        // An attempt that was cut short says nothing about the system under test.
        Err(failure @ (Failure::Cancelled | Failure::Error { gave_up: Some(GaveUp::Cancelled), .. })) => {
            (StepStatus::Cancelled, Some(failure))
        }
        Err(Failure::Error { error, gave_up }) if error_expected => {
            state.failed(&error, ran.attempts);
            (fine, Some(Failure::Error { error, gave_up }))
        }
        Err(failure) => (StepStatus::Failed, Some(failure)),
    }
}

fn passed(status: StepStatus) -> bool {
    match status {
        StepStatus::Passed | StepStatus::PassedAfterRetry => true,
        StepStatus::Failed | StepStatus::Cancelled | StepStatus::Skipped => false,
    }
}

fn report(
    index: usize,
    step: &Step,
    status: StepStatus,
    attempts: u32,
    retried: Vec<Retried>,
    failure: Option<Failure>,
) -> StepReport {
    StepReport {
        number: index + 1,
        kind: step.kind().to_owned(),
        what: step.to_string(),
        status,
        duration_ms: 0,
        attempts,
        retried,
        failure,
    }
}
