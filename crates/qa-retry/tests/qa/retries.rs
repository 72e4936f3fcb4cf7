//! What is retried, how often, with which key, and how it is shown.

use std::{sync::Mutex, time::Duration};

use moorline_qa_retry::{Failure, GaveUp, Outcome, Progress, Run, ScenarioStatus, StepStatus, verdict};
use moorline_retry::SystemClock;
use moorline_taxonomy::{Code, Coordination, Effect, Provider, QaVerdict, Wire, policy};
use proptest::prelude::*;

use crate::scripted::{SEND, Scripted, came_to_nothing, failed, replied, run, scenario};

/// The codes that DESIGN calls local contention, spelled out a second time: the table could be wrong.
fn is_local_contention(code: Code) -> bool {
    [
        "coordination.lock_timeout",
        "coordination.lock_stale",
        "coordination.storage_busy",
        "coordination.lane_timeout",
    ]
    .contains(&code.to_string().as_str())
}

fn any_wire() -> impl Strategy<Value = Wire> {
    let codes: Vec<Code> = Code::all().collect();
    let texts = prop_oneof![Just("session file locked (timeout 60000ms): pid=1".to_owned()), ".{0,40}"];
    (proptest::sample::select(codes), proptest::sample::select(Effect::ALL.to_vec()), texts).prop_map(
        |(code, effect, text)| {
            let mut wire = Wire::new(code, text);
            wire.effect = effect;
            wire
        },
    )
}

proptest! {
    #[test]
    fn a_verdict_is_retry_if_and_only_if_it_is_local_contention(wire in any_wire()) {
        let code = wire.code.known().unwrap();
        prop_assert_eq!(verdict(&wire) == QaVerdict::Retry, is_local_contention(code));
        prop_assert_eq!(verdict(&wire), policy(code, wire.effect).qa);
    }

    #[test]
    fn a_code_of_another_version_is_never_retried(
        code in "[a-z]{1,12}\\.[a-z_]{1,20}",
        message in "(session file locked|coordination\\.lock_timeout|.{0,30})",
    ) {
        prop_assume!(code.parse::<Code>().is_err());
        let wire: Wire = serde_json::from_value(serde_json::json!({
            "code": code, "domain": "coordination", "message": message, "legacyCode": "OPENCLAW_SESSION_WRITE_LOCK_STALE",
        })).unwrap();
        prop_assert_eq!(verdict(&wire), QaVerdict::Fail);
    }

    /// The whole way: a run makes a second attempt if and only if the first met local contention.
    #[test]
    fn a_run_retries_if_and_only_if_it_is_local_contention(wire in any_wire(), in_answer in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let first = if in_answer { came_to_nothing(&wire) } else { Err(wire.clone()) };
            let gateway = Scripted::new([first, replied("hello")]);
            let report = run(&gateway, &scenario(&[SEND])).await;
            let contention = is_local_contention(wire.code.known().unwrap());
            assert_eq!(gateway.calls().len(), if contention { 2 } else { 1 }, "{wire:?}");
            let expected = if contention { ScenarioStatus::PassedAfterRetry } else { ScenarioStatus::Failed };
            assert_eq!(report.scenarios[0].status, expected);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn the_waits_are_one_three_and_five_seconds_and_then_it_fails() {
    let gateway = Scripted::new([failed(Coordination::LockStale)]);
    let report = run(&gateway, &scenario(&[SEND, "expect: { reply: { equals: x } }"])).await;
    assert_eq!(gateway.seconds(), [0, 1, 4, 9]);
    assert_eq!((report.outcome, report.retries), (Outcome::Failed, 3));
    let step = &report.scenarios[0].steps[0];
    assert_eq!((step.status, step.attempts, step.retried.len()), (StepStatus::Failed, 4, 3));
    assert!(matches!(step.failure, Some(Failure::Error { gave_up: Some(GaveUp::Attempts), .. })));
    assert_eq!(report.scenarios[0].steps[1].status, StepStatus::Skipped);
}

#[tokio::test(start_paused = true)]
async fn a_pass_after_a_retry_is_called_so_everywhere() {
    let gateway = Scripted::new([
        failed(Coordination::LockTimeout),
        failed(Coordination::StorageBusy),
        replied("hello"),
    ]);
    let told = Mutex::new(Vec::new());
    let scenarios = scenario(&[SEND, "expect: { reply: { equals: hello }, attempts: { min: 3, max: 3 } }"]);
    let report = Run::new("r7", &gateway, &SystemClock)
        .unwrap()
        .observed_by(|progress: &Progress<'_>| told.lock().unwrap().push(progress.to_string()))
        .run(&scenarios)
        .await;
    assert_eq!(report.outcome, Outcome::Passed);
    assert_eq!((report.counts.passed, report.counts.passed_after_retry, report.retries), (0, 1, 2));
    let step = &report.scenarios[0].steps[0];
    assert_eq!((step.status, step.attempts), (StepStatus::PassedAfterRetry, 3));
    let retried: Vec<_> =
        step.retried.iter().map(|one| (one.attempt, one.code.to_string(), one.after_ms)).collect();
    assert_eq!(
        retried,
        [(1, "coordination.lock_timeout".to_owned(), 0), (2, "coordination.storage_busy".to_owned(), 1000)]
    );
    let told = told.into_inner().unwrap();
    assert!(
        told.contains(&"send to agent:a:{run}: attempt 1 met coordination.lock_timeout".to_owned()),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn only_the_step_that_met_contention_is_run_again() {
    let gateway = Scripted::new([
        Ok(serde_json::json!({ "key": "agent:a:r7", "created": true })),
        failed(Coordination::LaneTimeout),
        replied("hello"),
    ]);
    run(&gateway, &scenario(&["create: { key: 'agent:a:{run}' }", SEND])).await;
    let methods: Vec<_> = gateway.calls().into_iter().map(|call| call.method).collect();
    assert_eq!(methods, ["sessions.create", "sessions.send", "sessions.send"]);
}

/// The keys with which a send is tried when these errors come first.
async fn keys(errors: Vec<Result<serde_json::Value, Wire>>) -> Vec<String> {
    let gateway = Scripted::new(errors.into_iter().chain([replied("hello")]));
    run(&gateway, &scenario(&[SEND])).await;
    let key = |call: &crate::scripted::Call| call.params["idempotencyKey"].as_str().unwrap().to_owned();
    gateway.calls().iter().map(key).collect()
}

#[tokio::test(start_paused = true)]
async fn a_retry_keeps_its_key_unless_nothing_happened_for_sure() {
    let with = |effect| {
        let mut wire = Wire::new(Coordination::LockTimeout, "");
        wire.effect = effect;
        wire
    };
    assert_eq!(keys(vec![Err(with(Effect::Possible)), Err(with(Effect::Done))]).await, ["qa/r7/1/1"; 3]);
    assert_eq!(
        keys(vec![Err(with(Effect::None)), Err(with(Effect::Possible)), Err(with(Effect::None))]).await,
        ["qa/r7/1/1", "qa/r7/1/1/1", "qa/r7/1/1/1", "qa/r7/1/1/2"]
    );
    // A message that was delivered had an effect, whatever its error says.
    let delivered = serde_json::json!({
        "accepted": true, "delivered": true, "replied": false, "error": with(Effect::None),
    });
    assert_eq!(keys(vec![Ok(delivered)]).await, ["qa/r7/1/1"; 2]);
}

#[tokio::test(start_paused = true)]
async fn the_budget_is_of_the_whole_run() {
    let gateway = Scripted::new([failed(Coordination::LockTimeout)]);
    let mut scenarios = scenario(&[SEND]);
    scenarios.extend(scenario(&[SEND]));
    let report = Run::new("r7", &gateway, &SystemClock).unwrap().retries(4).run(&scenarios).await;
    assert_eq!((report.retries, report.retry_budget), (4, 4));
    let gave_up = |index: usize| match &report.scenarios[index].steps[0].failure {
        Some(Failure::Error { gave_up, .. }) => *gave_up,
        other => panic!("{other:?}"),
    };
    assert_eq!((gave_up(0), gave_up(1)), (Some(GaveUp::Attempts), Some(GaveUp::Budget)));
}

#[tokio::test(start_paused = true)]
async fn a_run_without_retries_makes_none() {
    let gateway = Scripted::new([failed(Coordination::LockTimeout), replied("hello")]);
    let report = Run::new("r7", &gateway, &SystemClock).unwrap().retries(0).run(&scenario(&[SEND])).await;
    assert_eq!((report.outcome, gateway.calls().len()), (Outcome::Failed, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stated_pause_lengthens_the_wait_and_one_that_is_too_long_ends_it() {
    let stated = |ms| {
        let mut wire = Wire::new(Coordination::LaneTimeout, "");
        wire.retry_after_ms = Some(ms);
        Err(wire)
    };
    let gateway = Scripted::new([stated(4_000), replied("hello")]);
    run(&gateway, &scenario(&[SEND])).await;
    assert_eq!(gateway.seconds(), [0, 4]);
    let gateway = Scripted::new([stated(45_000), replied("hello")]);
    let report = run(&gateway, &scenario(&[SEND])).await;
    assert_eq!(gateway.seconds(), [0]);
    let failure = report.scenarios[0].steps[0].failure.as_ref().unwrap();
    assert!(matches!(failure, Failure::Error { gave_up: Some(GaveUp::PauseTooLong), .. }), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn text_with_lock_words_is_never_a_reason_to_retry() {
    let lock_words = "session file locked (timeout 60000ms): pid=1 coordination.lock_timeout";
    let mut provider = Wire::new(Provider::ServerError, lock_words);
    provider.legacy_code = Some("OPENCLAW_SESSION_WRITE_LOCK_TIMEOUT".to_owned());
    let wrong_reply = replied(lock_words);
    let unreadable = Ok(serde_json::json!({ "message": lock_words }));
    for answer in [Err(provider), wrong_reply, unreadable] {
        let gateway = Scripted::new([answer.clone()]);
        let report = run(&gateway, &scenario(&[SEND, "expect: { reply: { equals: hello } }"])).await;
        assert_eq!(
            (report.outcome, report.retries, gateway.calls().len()),
            (Outcome::Failed, 0, 1),
            "{answer:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_expected_error_passes_and_another_one_fails_the_check() {
    let expects = |code: &str| {
        scenario(&[SEND, &format!("expect: {{ error: {{ code: {code} }}, attempts: {{ max: 1 }} }}")])
    };
    let stale = || Scripted::new([failed(Coordination::LockStale), replied("hello")]);
    // Contention that is asked for is an answer and not an obstacle.
    let gateway = stale();
    let report = run(&gateway, &expects("coordination.lock_stale")).await;
    assert_eq!((report.outcome, report.counts.passed, gateway.calls().len()), (Outcome::Passed, 1, 1));
    assert!(report.scenarios[0].steps[0].failure.is_some(), "the error is in the report all the same");
    // Contention in the way of another error is retried; the success that comes then is not what was asked for.
    let gateway = stale();
    let report = run(&gateway, &expects("provider.billing")).await;
    assert_eq!((report.outcome, gateway.calls().len()), (Outcome::Failed, 2));
    let gateway = Scripted::new([failed(Provider::RateLimit)]);
    let report = run(&gateway, &expects("provider.billing")).await;
    let failure = report.scenarios[0].steps[1].failure.as_ref().unwrap().to_string();
    assert_eq!(failure, "expect.error.code: expected provider.billing, found provider.rate_limit");
}

#[tokio::test(start_paused = true)]
async fn a_reply_of_an_earlier_turn_does_not_pass_for_one_that_did_not_come() {
    let gateway = Scripted::new([replied("hello"), failed(Provider::RateLimit)]);
    let steps = [
        SEND,
        SEND,
        "expect: { error: { code: provider.rate_limit } }",
        "expect: { reply: { equals: hello } }",
    ];
    let report = run(&gateway, &scenario(&steps)).await;
    assert_eq!(report.scenarios[0].failed_step().unwrap().number, 4);
}

#[tokio::test(start_paused = true)]
async fn a_check_whose_question_met_contention_is_asked_again_and_its_answer_is_final() {
    let messages = |text: &str| Ok(serde_json::json!({ "messages": [{ "role": "user", "text": text }] }));
    let check = ["expect: { history: { key: 'agent:a:b', contains: hello } }"];
    let gateway = Scripted::new([failed(Coordination::StorageBusy), messages("hello")]);
    let report = run(&gateway, &scenario(&check)).await;
    assert_eq!((report.outcome, report.retries), (Outcome::Passed, 1));
    let gateway = Scripted::new([messages("other"), messages("hello")]);
    let report = run(&gateway, &scenario(&check)).await;
    assert_eq!((report.outcome, gateway.calls().len()), (Outcome::Failed, 1));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ended_with_contention_is_not_waited_for_again() {
    let started = Ok(serde_json::json!({ "runId": "r", "childSessionKey": "agent:a:c", "accepted": true }));
    let ended = Ok(serde_json::json!({
        "runId": "r", "outcome": "failed", "error": Wire::new(Coordination::LockTimeout, ""),
    }));
    let gateway = Scripted::new([started, ended]);
    let steps = ["spawn: { requester: 'agent:a:b', task: t }", "wait: { for: run, timeoutMs: 5000 }"];
    let report = run(&gateway, &scenario(&steps)).await;
    assert_eq!((report.outcome, gateway.calls().len()), (Outcome::Failed, 2));
    assert_eq!(gateway.calls()[1].deadline, Duration::from_secs(15));
}
