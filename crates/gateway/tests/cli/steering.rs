//! Announces that reach their requester while it is at work.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{json, running::Gateway, until};

const DESK: &str = "agent:main:desk";

/// The desk waits for a colleague who never answers, until a test lets it go; what it hears of sub-agents it repeats. It
/// knows a message that it fails on.
const SCRIPT: &str = "
agents:
  main:
    - when: 'sub-agent result'
      reply: 'noted: {message}'
    - when: 'break'
      fail: { code: request.format, times: 99 }
      reply: 'never'
    - when: 'start'
      tools:
        - { name: sessions_spawn, arguments: { agent: quick, task: 'count' } }
        - { name: sessions_send, arguments: { to: 'agent:slow:s', message: 'wait' } }
      reply: 'nobody told me'
    - when: 'wait'
      tools:
        - { name: sessions_send, arguments: { to: 'agent:slow:s', message: 'wait' } }
      reply: 'nobody told me'
    - reply: 'heard: {message}'
  slow:
    - delayMs: 600000
      reply: 'never'
  '*':
    - reply: 'forty-two'
";

/// The same desk, which takes its time to answer what it hears of sub-agents.
fn thinking() -> String {
    let rule = "- when: 'sub-agent result'\n";
    assert!(SCRIPT.contains(rule));
    SCRIPT.replace(rule, &format!("{rule}      delayMs: 2500\n"))
}

/// Role and text of each message of the desk's transcript, in the order of the file.
fn said(gateway: &Gateway) -> Vec<(String, String)> {
    let path = gateway.state().join("sessions/main/desk.jsonl");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let messages = text.lines().map(|line| json(line.as_bytes())).filter(|entry| entry["type"] == "message");
    let of = |entry: Value| {
        let message = &entry["message"];
        let text = message["content"][0]["text"].as_str().unwrap_or_default().to_owned();
        (message["role"].as_str().unwrap().to_owned(), text)
    };
    messages.map(of).collect()
}

fn announced(gateway: &Gateway, count: usize) -> usize {
    let said = said(gateway);
    let results = said.iter().filter(|(role, text)| role == "user" && text.contains("sub-agent result"));
    assert!(results.clone().count() <= count, "{said:#?}");
    results.count()
}

fn rows(gateway: &Gateway) -> Vec<Value> {
    gateway.call("announce.list", json!({}))["rows"].as_array().unwrap().clone()
}

/// The rows of children's results; the outbox also has the word about a send that ended late.
fn results(gateway: &Gateway) -> Vec<Value> {
    rows(gateway).into_iter().filter(|row| row["kind"] == "completion").collect()
}

fn settled(gateway: &Gateway) -> bool {
    rows(gateway).iter().all(|row| row["state"] == "delivered")
        && gateway.call("health", json!({}))["lanes"]["turns"] == 0
}

fn spawn(gateway: &Gateway, agent: &str, task: &str) {
    let params = json!({"requester": DESK, "agent": agent, "task": task});
    assert_eq!(gateway.call("sessions.spawn", params)["accepted"], true);
}

/// Starts a turn of the desk that waits for its slow colleague, and returns when its tool is at work.
fn desk_at_work(gateway: &Gateway) -> Value {
    let sent = json!({"to": DESK, "message": "wait for the slow one", "timeoutMs": 0, "maxPingPong": 0});
    let run = gateway.call("sessions.send", sent)["runId"].clone();
    until("the desk's tool", || !slow_runs(gateway).is_empty());
    run
}

/// Runs of the slow colleague that have not ended.
fn slow_runs(gateway: &Gateway) -> Vec<String> {
    gateway.open_runs(Some("agent:slow:s"))
}

/// Ends the turn of the slow colleague, and with it the tool that the desk waits for.
fn let_the_desk_go(gateway: &Gateway) {
    for run in slow_runs(gateway) {
        gateway.call("agent.abort", json!({"runId": run}));
    }
}

/// Waits until so many results wait for the desk's run.
fn until_offered(gateway: &Gateway, count: usize) {
    let offered =
        |row: &&Value| row["path"] == "steer" && (row["state"] == "uncertain" || row["state"] == "delivered");
    until("the offers", || rows(gateway).iter().filter(offered).count() == count);
}

#[test]
fn a_result_reaches_its_requester_in_the_turn_that_is_under_way() {
    let gateway = Gateway::start(Some(SCRIPT));
    let sent = gateway.call("sessions.send", json!({"to": DESK, "message": "start", "timeoutMs": 0}));
    until_offered(&gateway, 1);
    let_the_desk_go(&gateway);
    let answer = gateway.call("agent.wait", json!({"runId": sent["runId"]}));
    assert!(answer["reply"].as_str().unwrap().starts_with("noted: sub-agent result"), "{answer}");
    let said = said(&gateway);
    let roles: Vec<_> = said.iter().map(|(role, _)| role.as_str()).collect();
    let expected = ["user", "assistant", "toolResult", "assistant", "toolResult", "user", "assistant"];
    assert_eq!(roles, expected, "{said:#?}");
    assert!(said[5].1.ends_with(": forty-two"), "{said:#?}");
    until("the receipt", || settled(&gateway));
    let listed = gateway.run(&["announce", "list", "--json"]);
    let row = &json(&listed.stdout)[0];
    // Settled by the receiver's own word: nobody had to ask.
    assert_eq!((&row["path"], &row["sends"], &row["lookups"]), (&json!("steer"), &json!(1), &json!(0)));
    let audit = gateway.stop();
    assert_eq!(audit["spawns"], json!({"of": 1, "ok": 1}));
    // One turn of the desk, one of the child, one of the colleague: none to deliver the result.
    assert_eq!(audit["turns"], json!({"of": 3, "ok": 3}));
}

#[test]
fn a_burst_of_results_reaches_a_turn_under_way_in_order_once_each() {
    let gateway = Gateway::start(Some(SCRIPT));
    let run = desk_at_work(&gateway);
    for number in 0..20 {
        spawn(&gateway, "quick", &format!("topic {number}"));
    }
    until_offered(&gateway, 20);
    let_the_desk_go(&gateway);
    let answer = gateway.call("agent.wait", json!({"runId": run}));
    assert!(answer["reply"].as_str().unwrap().starts_with("noted: "), "{answer}");
    until("the receipts", || settled(&gateway));
    assert_eq!(announced(&gateway, 20), 20);
    // In the order in which they were kept, in one go.
    let said = said(&gateway);
    let told = said.iter().skip_while(|(role, _)| role != "toolResult").skip(1);
    for (row, (_, text)) in rows(&gateway).iter().zip(told) {
        assert!(text.contains(row["childRunId"].as_str().unwrap()), "{row} {said:#?}");
    }
    let audit = gateway.stop();
    assert_eq!(audit["spawns"], json!({"of": 20, "ok": 20}));
    assert_eq!(audit["duplicated"], 0);
}

#[test]
fn what_comes_during_the_last_model_call_gets_a_turn_as_soon_as_the_session_is_idle() {
    let script = "
agents:
  main:
    - when: 'sub-agent result'
      reply: 'noted: {message}'
    - delayMs: 800
      reply: 'done'
  '*':
    - reply: 'forty-two'
";
    let gateway = Gateway::start(Some(script));
    let sent = json!({"to": DESK, "message": "think", "timeoutMs": 0, "maxPingPong": 0});
    let run = gateway.call("sessions.send", sent)["runId"].clone();
    until("the desk's turn", || said(&gateway).len() == 1);
    spawn(&gateway, "quick", "count");
    until("the offer", || rows(&gateway).first().is_some_and(|row| row["path"] == "steer"));
    gateway.call("agent.wait", json!({"runId": run}));
    until("the answer", || said(&gateway).len() == 4);
    let said = said(&gateway);
    assert_eq!((said[1].1.as_str(), said[3].0.as_str()), ("done", "assistant"));
    assert!(said[2].1.contains("forty-two") && said[3].1.starts_with("noted"), "{said:#?}");
    until("the receipt", || settled(&gateway));
    let row = &rows(&gateway)[0];
    assert_eq!((&row["path"], &row["sends"]), (&json!("turn"), &json!(2)));
    let took = row["settledAt"].as_u64().unwrap() - row["createdAt"].as_u64().unwrap();
    assert!(took < 5000, "it did not wait for the first delay of the schedule: {took} ms");
    assert_eq!(gateway.stop()["spawns"], json!({"of": 1, "ok": 1}));
}

#[test]
fn a_steered_result_whose_run_is_aborted_is_answered_by_a_turn_of_its_own() {
    let script = "
agents:
  main:
    - when: 'sub-agent result'
      delayMs: 1000
      reply: 'noted: {message}'
    - when: 'wait'
      tools:
        - { name: sessions_send, arguments: { to: 'agent:slow:s', message: 'wait' } }
      reply: 'nobody told me'
  slow:
    - delayMs: 600000
      reply: 'never'
  '*':
    - reply: 'forty-two'
";
    let gateway = Gateway::start(Some(script));
    let run = desk_at_work(&gateway);
    spawn(&gateway, "quick", "count");
    until_offered(&gateway, 1);
    let_the_desk_go(&gateway);
    until("the message", || announced(&gateway, 1) == 1);
    gateway.call("agent.abort", json!({"runId": run}));
    assert_eq!(gateway.call("agent.wait", json!({"runId": run}))["outcome"], "cancelled");
    until("the answer", || {
        said(&gateway).last().is_some_and(|(role, text)| role == "assistant" && text.starts_with("noted"))
    });
    until("the receipt", || settled(&gateway));
    assert_eq!(announced(&gateway, 1), 1);
    assert_eq!(gateway.stop()["duplicated"], 0);
}

fn until_noted(gateway: &Gateway) {
    until("the answer", || {
        said(gateway).last().is_some_and(|(role, text)| role == "assistant" && text.starts_with("noted"))
    });
    until("the receipt", || settled(gateway));
    assert_eq!(announced(gateway, 1), 1);
}

/// A call of `agent` is not recovered by the next gateway; returns when a result is in its transcript without an answer.
fn agent_at_work_has_a_result(gateway: &Gateway) -> Value {
    let asked = json!({"sessionKey": DESK, "message": "wait", "timeoutMs": 1});
    let run = gateway.call("agent", asked)["runId"].clone();
    until("the desk's tool", || !slow_runs(gateway).is_empty());
    spawn(gateway, "quick", "count");
    until_offered(gateway, 1);
    let_the_desk_go(gateway);
    until("the message", || announced(gateway, 1) == 1);
    run
}

#[test]
fn a_result_that_nobody_answered_before_the_gateway_ended_is_answered_by_the_next_one() {
    for in_order in [false, true] {
        let mut gateway = Gateway::start(Some(&thinking()));
        agent_at_work_has_a_result(&gateway);
        assert_eq!(rows(&gateway)[0]["state"], "uncertain", "it is settled with its answer");
        if in_order {
            gateway.end()
        } else {
            gateway.kill()
        }
        gateway.restart();
        until_noted(&gateway);
        assert_eq!(gateway.stop()["duplicated"], 0);
    }
}

#[test]
fn a_turn_with_a_result_that_a_shutdown_cut_off_is_taken_by_the_next_gateway() {
    let mut gateway = Gateway::start(Some(&thinking()));
    spawn(&gateway, "quick", "count");
    until("the message", || announced(&gateway, 1) == 1);
    gateway.end();
    assert_eq!(said(&gateway).len(), 1, "nobody has answered yet");
    gateway.restart();
    until_noted(&gateway);
    assert_eq!(gateway.stop()["duplicated"], 0);
}

#[test]
fn a_result_is_answered_though_the_run_that_was_next_fails() {
    let gateway = Gateway::start(Some(&thinking()));
    let run = agent_at_work_has_a_result(&gateway);
    let next = gateway.call("agent", json!({"sessionKey": DESK, "message": "break", "timeoutMs": 1}));
    gateway.call("agent.abort", json!({"runId": run}));
    let next = gateway.call("agent.wait", json!({"runId": next["runId"]}));
    assert_eq!(next["outcome"], "failed", "{next}");
    until_noted(&gateway);
    assert_eq!(gateway.stop()["duplicated"], 0);
}

#[test]
fn a_gateway_killed_between_message_and_receipt_delivers_once() {
    // Killed as soon as the message is in the file, then at other moments around it.
    for pause in [0, 2, 5, 15, 40] {
        let mut gateway = Gateway::start(Some(SCRIPT));
        desk_at_work(&gateway);
        for number in 0..3 {
            spawn(&gateway, "quick", &format!("topic {number}"));
        }
        until_offered(&gateway, 3);
        let_the_desk_go(&gateway);
        let path = gateway.state().join("sessions/main/desk.jsonl");
        until("the message", || {
            std::fs::read_to_string(&path).is_ok_and(|text| text.contains("sub-agent result"))
        });
        std::thread::sleep(Duration::from_millis(pause));
        gateway.kill();
        let written = std::fs::read_to_string(&path).unwrap();
        gateway.restart();
        until("the receipts", || {
            // Killed before the slow send's end was written down, it is driven again, and waits for its colleague again.
            let_the_desk_go(&gateway);
            results(&gateway).len() == 3 && settled(&gateway)
        });
        assert_eq!(announced(&gateway, 3), 3);
        for row in results(&gateway) {
            // What was in the transcript is found there and not sent again.
            let there = written.contains(row["key"].as_str().unwrap());
            assert!(!there || row["sends"] == 1, "{row}");
        }
        // And somebody answered: the last word is the model's.
        assert_eq!(said(&gateway).last().unwrap().0, "assistant");
        let audit = gateway.stop();
        assert_eq!(audit["spawns"], json!({"of": 3, "ok": 3}));
        assert_eq!((&audit["lost"], &audit["duplicated"]), (&json!(0), &json!(0)));
    }
}

#[test]
fn a_gateway_killed_while_messages_wait_for_the_run_delivers_once() {
    let mut gateway = Gateway::start(Some(SCRIPT));
    desk_at_work(&gateway);
    for number in 0..3 {
        spawn(&gateway, "quick", &format!("topic {number}"));
    }
    until_offered(&gateway, 3);
    gateway.kill_and_restart();
    // Its promise is kept by the next gateway, which does not know that nobody waits.
    until("the colleague", || !slow_runs(&gateway).is_empty());
    let_the_desk_go(&gateway);
    until("the receipts", || settled(&gateway) && announced(&gateway, 3) == 3);
    let audit = gateway.stop();
    assert_eq!(audit["spawns"], json!({"of": 3, "ok": 3}));
    assert_eq!(audit["duplicated"], 0);
}
