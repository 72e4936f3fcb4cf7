//! What bounds a run: deadlines, patience, cancellation; and that its future may move between threads.

use std::{future::pending, time::Duration};

use async_trait::async_trait;
use moorline_qa_retry::{
    Contention, Failure, Gateway, Hold, Outcome, Run, RunError, ScenarioStatus, StepStatus, read_scenarios,
};
use moorline_retry::SystemClock;
use moorline_taxonomy::{Coordination, Local, Mark, Wire};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::scripted::{SEND, Scripted, failed, replied, run, scenario};

/// Takes a call and never answers.
struct Silent;

#[async_trait]
impl Gateway for Silent {
    async fn call(&self, _: &str, _: Value, _: Duration) -> Result<Value, Wire> {
        pending().await
    }
}

fn sendable<T: Send>(value: T) -> T {
    value
}

#[tokio::test(start_paused = true)]
async fn a_run_may_move_between_threads() {
    let gateway = Scripted::new([replied("hello")]);
    let scenarios = scenario(&[SEND]);
    let report = sendable(run(&gateway, &scenarios)).await;
    assert_eq!(report.outcome, Outcome::Passed);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_ignores_its_deadline_does_not_hang_the_run() {
    let began = Instant::now();
    let report = run(&Silent, &scenario(&[SEND])).await;
    // Two seconds of the step, five for the transport, one of grace.
    assert_eq!(began.elapsed().as_secs(), 8);
    let failure = report.scenarios[0].steps[0].failure.clone();
    assert_eq!(failure, Some(Failure::NoAnswer { method: "sessions.send".to_owned(), after_ms: 8000 }));
}

#[tokio::test(start_paused = true)]
async fn the_scenario_s_deadline_bounds_calls_retries_and_steps() {
    let file = |steps: &str| {
        read_scenarios("t.yaml", &format!("name: t\ndeadlineMs: 3000\nsteps:\n{steps}")).unwrap()
    };
    // A call: told what is left, and cut a second after it.
    let began = Instant::now();
    run(&Silent, &file("  - agent: { key: k, message: m, timeoutMs: 60000 }\n")).await;
    assert_eq!(began.elapsed().as_secs(), 4);
    // A retry: the second one would come after four seconds.
    let gateway = Scripted::new([failed(Coordination::LockTimeout)]);
    let report = run(&gateway, &file(&format!("  - {SEND}\n"))).await;
    assert_eq!(gateway.seconds(), [0, 1]);
    let failure = report.scenarios[0].steps[0].failure.as_ref().unwrap().to_string();
    assert!(failure.ends_with("after the scenario's deadline"), "{failure}");
    // A wait, and the step after it.
    let empty = Ok(serde_json::json!({ "rows": [] }));
    let gateway = Scripted::new([empty]);
    let wait = "  - wait: { for: announce, requester: r, timeoutMs: 60000 }\n";
    let began = Instant::now();
    let report = run(&gateway, &file(wait)).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(report.scenarios[0].steps[0].failure, Some(Failure::Deadline { deadline_ms: 3000 }));
}

#[tokio::test(start_paused = true)]
async fn a_wait_says_what_it_saw_last_and_looks_less_and_less_often() {
    let rows = serde_json::json!({ "rows": [
        { "key": "k", "requester": "mine", "state": "prepared" },
        { "key": "k", "requester": "other", "state": "delivered" },
        { "key": "k", "requester": "mine", "state": "a_newer_state" },
    ] });
    let gateway = Scripted::new([Ok(rows)]);
    let report =
        run(&gateway, &scenario(&["wait: { for: announce, requester: mine, timeoutMs: 10000 }"])).await;
    let failure = report.scenarios[0].steps[0].failure.as_ref().unwrap().to_string();
    assert_eq!(failure, "waited 10000 ms for 1 announces to mine; last seen: 2 announces, 0 of them settled");
    assert!(gateway.calls().len() < 20, "{}", gateway.calls().len());
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_the_call_in_flight_and_reports_what_was_done() {
    let mut scenarios = scenario(&[SEND]);
    scenarios.extend(scenario(&[SEND]));
    let report = Run::new("r7", &Silent, &SystemClock)
        .unwrap()
        .cancelled_by(sleep(Duration::from_secs(1)))
        .run(&scenarios)
        .await;
    assert_eq!((report.outcome, report.cancelled, report.duration_ms), (Outcome::Failed, true, 1000));
    assert_eq!(report.scenarios[0].steps[0].failure, Some(Failure::Cancelled));
    assert_eq!(report.scenarios[1].status, ScenarioStatus::Cancelled);
    assert_eq!(report.scenarios[1].steps[0].attempts, 0);
}

#[tokio::test(start_paused = true)]
async fn cancelling_ends_a_wait_between_attempts() {
    let gateway = Scripted::new([failed(Coordination::LockTimeout)]);
    let scenarios = scenario(&[SEND]);
    let report = Run::new("r7", &gateway, &SystemClock)
        .unwrap()
        .cancelled_by(sleep(Duration::from_millis(1500)))
        .run(&scenarios)
        .await;
    assert_eq!(report.scenarios[0].steps[0].status, StepStatus::Cancelled);
    assert_eq!((report.duration_ms, gateway.calls().len()), (1500, 2));
}

#[tokio::test(start_paused = true)]
async fn nothing_to_run_is_bad_input() {
    let report = run(&Silent, &[]).await;
    assert_eq!(report.outcome, Outcome::BadInput);
}

#[test]
fn an_id_that_would_not_fit_a_session_key_is_refused() {
    for id in ["", "a b", "../x", "a:b", &"x".repeat(65)] {
        let error = Run::new(id, &Silent, &SystemClock).unwrap_err();
        assert!(matches!(error, RunError::Id { .. }));
        assert_eq!(Mark::find(&error).unwrap().code(), Local::Config.into());
    }
    assert!(Run::new("01JABCDEF-x_9", &Silent, &SystemClock).is_ok());
}

/// Holds nothing, or never gets to.
struct Hopeless(bool);

#[async_trait]
impl Contention for Hopeless {
    async fn hold(&self, _: &str, _: Duration) -> Result<Hold, Wire> {
        if self.0 { pending().await } else { Err(Wire::new(Local::Permission, "not allowed to")) }
    }
}

#[tokio::test(start_paused = true)]
async fn contention_that_cannot_be_made_fails_its_step() {
    let steps = scenario(&["contention: { key: k, holdMs: 1000 }"]);
    let report = run(&Silent, &steps).await;
    assert_eq!(report.scenarios[0].steps[0].failure, Some(Failure::NoContention));
    for (never, kind) in [(true, "waited_in_vain"), (false, "error")] {
        let hopeless = Hopeless(never);
        let report = Run::new("r7", &Silent, &SystemClock).unwrap().contention(&hopeless).run(&steps).await;
        assert_eq!(report.scenarios[0].steps[0].failure.as_ref().unwrap().kind(), kind);
        assert_eq!(report.scenarios[0].steps[0].attempts, 1);
    }
}
