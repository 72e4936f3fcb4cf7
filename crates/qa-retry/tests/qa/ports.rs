//! The port as an embedder mocks it: which calls are made, and with what.

use std::time::Duration;

use async_trait::async_trait;
use mockall::{Sequence, mock, predicate::eq};
use moorline_qa_retry::{Gateway, Outcome, ScenarioStatus};
use moorline_taxonomy::{Coordination, Wire};
use serde_json::{Value, json};

use crate::scripted::{run, scenario};

mock! {
    Port {}

    #[async_trait]
    impl Gateway for Port {
        async fn call(&self, method: &str, params: Value, deadline: Duration) -> Result<Value, Wire>;
    }
}

fn expect(
    port: &mut MockPort,
    order: &mut Sequence,
    method: &'static str,
    params: Value,
    answer: Result<Value, Wire>,
) {
    port.expect_call()
        .withf(move |called, with, _| called == method && *with == params)
        .times(1)
        .in_sequence(order)
        .return_once(move |_, _, _| answer);
}

#[tokio::test(start_paused = true)]
async fn each_step_is_one_method_with_these_parameters() {
    let (mut port, mut order) = (MockPort::new(), Sequence::new());
    expect(&mut port, &mut order, "sessions.create", json!({ "key": "agent:a:r7" }), Ok(json!({})));
    let send = json!({
        "from": "agent:b:r7", "to": "agent:a:r7", "message": "hello r7", "timeoutMs": 2000, "maxPingPong": 0,
        "idempotencyKey": "qa/r7/1/2",
    });
    let facts = json!({ "runId": "run1", "accepted": true, "delivered": true, "replied": false });
    expect(&mut port, &mut order, "sessions.send", send, Ok(facts));
    let wait = json!({ "runId": "run1", "timeoutMs": 3000 });
    expect(
        &mut port,
        &mut order,
        "agent.wait",
        wait,
        Ok(json!({ "runId": "run1", "outcome": "replied", "reply": "hi" })),
    );
    let spawn =
        json!({ "requester": "agent:a:r7", "agent": "b", "task": "t", "idempotencyKey": "qa/r7/1/5" });
    let child = json!({ "runId": "run2", "childSessionKey": "agent:b:child", "accepted": true });
    expect(&mut port, &mut order, "sessions.spawn", spawn, Ok(child));
    let history = json!({ "messages": [{ "role": "user", "text": "t" }] });
    expect(&mut port, &mut order, "sessions.history", json!({ "key": "agent:b:child" }), Ok(history));
    let agent = json!({ "sessionKey": "agent:a:r7", "message": "m", "timeoutMs": 30000, "idempotencyKey": "qa/r7/1/7" });
    expect(
        &mut port,
        &mut order,
        "agent",
        agent,
        Ok(json!({ "runId": "run3", "outcome": "replied", "reply": "m" })),
    );
    let sessions = json!({ "sessions": [{ "key": "agent:a:r7", "turns": 0, "bytes": 9 }] });
    expect(&mut port, &mut order, "sessions.list", json!({}), Ok(sessions));
    let rows = json!({ "rows": [{ "key": "k", "requester": "agent:a:r7", "state": "delivered" }] });
    expect(&mut port, &mut order, "announce.list", json!({}), Ok(rows.clone()));
    expect(&mut port, &mut order, "announce.list", json!({}), Ok(rows));
    let report = run(
        &port,
        &scenario(&[
            "create: { key: 'agent:a:{run}' }",
            "send: { from: 'agent:b:{run}', to: 'agent:a:{run}', message: 'hello {run}', timeoutMs: 2000, maxPingPong: 0 }",
            "wait: { for: run, timeoutMs: 3000 }",
            "expect: { reply: { equals: hi }, outcome: replied, send: { replied: false } }",
            "spawn: { requester: 'agent:a:{run}', agent: b, task: t }",
            "expect: { history: { key: '{child}', role: user, count: 1 } }",
            "agent: { key: 'agent:a:{run}', message: m }",
            "wait: { for: idle, key: 'agent:a:{run}' }",
            "wait: { for: announce, requester: 'agent:a:{run}' }",
            "expect: { announce: { requester: 'agent:a:{run}', state: delivered, count: 1 } }",
        ]),
    )
    .await;
    assert_eq!(report.outcome, Outcome::Passed, "{:#?}", report.scenarios[0].failed_step());
}

#[tokio::test(start_paused = true)]
async fn a_scenario_that_fails_ends_itself_and_not_the_others() {
    let mut port = MockPort::new();
    port.expect_call()
        .with(eq("sessions.create"), mockall::predicate::always(), eq(Duration::from_secs(10)))
        .times(2)
        .returning(|_, params, _| match params["key"].as_str() {
            Some("bad") => Err(Wire::new(Coordination::SessionTakeover, "")),
            _ => Ok(json!({})),
        });
    let mut scenarios = scenario(&["create: { key: bad }", "create: { key: not reached }"]);
    scenarios.extend(scenario(&["create: { key: good }"]));
    let report = run(&port, &scenarios).await;
    let status: Vec<_> = report.scenarios.iter().map(|scenario| scenario.status).collect();
    assert_eq!(status, [ScenarioStatus::Failed, ScenarioStatus::Passed]);
}
