//! Sends: accepted, delivered, replied and failed are separate facts, and each gets to whom it concerns, once.

use std::{process::Stdio, time::Duration};

use serde_json::{Value, json};

use crate::{moorline, running::Gateway, until};

const DESK: &str = "agent:main:desk";

const SCRIPT: &str = "
agents:
  main:
    - when: 'ask the slow one'
      tools:
        - { name: sessions_send, arguments: { to: 'agent:slow:s', message: 'take your time', timeoutMs: 20 } }
      reply: 'it says {result}'
    - when: 'ask the broken one'
      tools:
        - { name: sessions_send, arguments: { to: 'agent:broken:b', message: 'try', timeoutMs: 20 } }
      reply: 'it says {result}'
    - when: 'from agent:'
      reply: 'REPLY_SKIP'
    - when: 'your message to'
      reply: 'REPLY_SKIP'
    - reply: 'heard: {message}'
  slow:
    - delayMs: 700
      reply: 'at last'
  broken:
    - delayMs: 500
      fail: { code: provider.billing, times: 1000 }
      reply: 'never'
  silent:
    - reply: 'REPLY_SKIP'
  '*':
    - reply: 'again'
";

/// The texts of a session's messages of one role.
fn said(gateway: &Gateway, key: &str, role: &str) -> Vec<String> {
    let answer = gateway.call("sessions.history", json!({"key": key}));
    let messages = answer["messages"].as_array().unwrap().iter();
    let of_role = messages.filter(|message| message["role"] == role);
    of_role.map(|message| message["text"].as_str().unwrap().to_owned()).collect()
}

fn until_settled(gateway: &Gateway) {
    until("the sends to be settled", || {
        let health = gateway.call("health", json!({}));
        let rows = gateway.call("announce.list", json!({}));
        health["sends"]["open"] == 0
            && health["lanes"]["turns"] == 0
            && rows["rows"].as_array().unwrap().iter().all(|row| row["settledAt"] != Value::Null)
    });
}

#[test]
fn accepted_delivered_replied_and_failed_are_told_apart() {
    let gateway = Gateway::start(Some(SCRIPT));
    let facts = |answer: &Value| {
        let fact = |name: &str| answer[name].as_bool().unwrap();
        (
            fact("accepted"),
            fact("delivered"),
            fact("replied"),
            answer["error"]["code"].as_str().map(str::to_owned),
        )
    };
    for (to, end) in [
        ("agent:slow:s", (true, true, true, None)),
        ("agent:broken:b", (true, true, false, Some("provider.billing".to_owned()))),
    ] {
        let send = |timeout: u64| {
            gateway.call(
                "sessions.send",
                json!({"to": to, "message": "hi", "idempotencyKey": to, "timeoutMs": timeout}),
            )
        };
        send(0);
        // Its message is in the transcript long before there is a reply.
        until("the delivery", || facts(&send(0)) == (true, true, false, None));
        assert_eq!(facts(&send(30_000)), end);
    }
    until_settled(&gateway);
    assert_eq!(gateway.stop()["sends"], json!({"of": 2, "ok": 2}));
}

#[test]
fn what_a_tool_did_not_wait_for_reaches_its_session_later_once() {
    let gateway = Gateway::start(Some(SCRIPT));
    for (ask, word) in [
        ("ask the slow one", "from agent:slow:s: at last"),
        ("ask the broken one", "your message to agent:broken:b failed"),
    ] {
        let answer = gateway.call("agent", json!({"sessionKey": DESK, "message": ask}));
        assert!(answer["reply"].as_str().unwrap().contains("\"replied\":false"), "{answer}");
        let heard = || said(&gateway, DESK, "user").iter().filter(|text| text.starts_with(word)).count();
        until("the later word", || heard() == 1);
        until_settled(&gateway);
        assert_eq!(heard(), 1);
    }
    let audit = gateway.stop();
    assert_eq!((&audit["sends"], &audit["duplicated"]), (&json!({"of": 2, "ok": 2}), &json!(0)));
}

#[test]
fn a_reply_nobody_waited_for_reaches_the_sender_without_a_conversation() {
    let gateway = Gateway::start(Some(SCRIPT));
    let send = json!({"from": DESK, "to": "agent:slow:s", "message": "hi", "timeoutMs": 0, "maxPingPong": 0});
    gateway.call("sessions.send", send);
    until_settled(&gateway);
    assert_eq!(said(&gateway, DESK, "user"), ["from agent:slow:s: at last"]);
    // What the desk says to it goes nowhere.
    assert_eq!(said(&gateway, "agent:slow:s", "user"), ["hi"]);
    gateway.stop();
}

#[test]
fn two_sessions_answer_each_other_as_often_as_allowed_and_no_longer_than_they_want() {
    let gateway = Gateway::start(Some(SCRIPT));
    for (turns, expected) in [(json!(0), 0), (json!(1), 1), (Value::Null, 5), (json!(20), 20)] {
        let (from, to) = (format!("agent:a:s{expected}"), format!("agent:b:s{expected}"));
        let mut send = json!({"from": from, "to": to, "message": "hi"});
        if !turns.is_null() {
            send["maxPingPong"] = turns;
        }
        assert_eq!(gateway.call("sessions.send", send)["reply"], "again");
        until_settled(&gateway);
        let told = if expected == 0 { 0 } else { said(&gateway, &from, "user").len() };
        // The first message is not a turn of the exchange.
        assert_eq!(told + said(&gateway, &to, "user").len() - 1, expected);
    }
    let send = json!({"from": DESK, "to": "agent:silent:s", "message": "hi"});
    assert_eq!(gateway.call("sessions.send", send)["reply"], "REPLY_SKIP");
    // It answers, and the desk has nothing to say to that.
    let send = json!({"from": DESK, "to": "agent:c:s", "message": "hi"});
    gateway.call("sessions.send", send);
    until_settled(&gateway);
    assert_eq!(said(&gateway, DESK, "user"), ["from agent:c:s: again"]);
    assert_eq!(said(&gateway, "agent:c:s", "user"), ["hi"]);
    gateway.stop();
}

#[test]
fn a_failure_survives_the_death_of_the_gateway_on_its_way_to_the_sender() {
    let mut gateway = Gateway::start(Some(SCRIPT));
    for round in 0..5 {
        let send =
            json!({"from": DESK, "to": "agent:broken:b", "message": format!("try {round}"), "timeoutMs": 0});
        gateway.call("sessions.send", send);
        // Before and at the failure, which comes after 500 ms, and as soon as it is written down.
        let failed = || gateway.events().iter().filter(|line| line["event"] == "send_failed").count();
        match round {
            0 => {}
            1 => std::thread::sleep(Duration::from_millis(480)),
            _ => until("the failure", || failed() == round + 1),
        }
        gateway.kill_and_restart();
        until_settled(&gateway);
        let said = said(&gateway, DESK, "user");
        let words = said.iter().filter(|text| text.starts_with("your message to agent:broken:b failed"));
        assert_eq!(words.count(), round + 1, "{said:#?}");
    }
    let audit = gateway.stop();
    assert_eq!((&audit["sends"], &audit["duplicated"]), (&json!({"of": 5, "ok": 5}), &json!(0)));
}

#[test]
fn a_burst_is_admitted_queued_in_order_and_then_refused_typed() {
    let script = "
agents:
  '*':
    - when: 'message 0 '
      delayMs: 600000
      reply: never
    - reply: 'heard: {message}'
";
    let gateway = Gateway::start(Some(script));
    let send =
        |number: usize| json!({"to": DESK, "message": format!("message {number} of many"), "timeoutMs": 0});
    let first = gateway.call("sessions.send", send(0));
    for number in 1..=64 {
        assert_eq!(gateway.call("sessions.send", send(number))["accepted"], true);
    }
    let (exit, wire) = gateway.refused("sessions.send", send(65));
    assert_eq!((exit, &wire["code"]), (75, &json!("coordination.lane_timeout")), "{wire}");
    assert_eq!(gateway.call("health", json!({}))["lanes"]["turns"], 65);
    gateway.call("agent.abort", json!({"runId": first["runId"]}));
    until_settled(&gateway);
    let answer = gateway.call("sessions.history", json!({"key": DESK, "limit": 1000}));
    let messages = answer["messages"].as_array().unwrap().iter();
    let asked: Vec<_> =
        messages.filter(|message| message["role"] == "user").map(|message| message["text"].clone()).collect();
    let expected: Vec<_> = (0..=64).map(|number| json!(format!("message {number} of many"))).collect();
    assert_eq!(asked, expected);
    assert_eq!(gateway.stop()["sends"], json!({"of": 65, "ok": 65}));
}

#[test]
fn what_was_promised_is_driven_again_however_few_may_wait() {
    let script = "agents:\n  '*':\n    - delayMs: 500\n      reply: 'heard: {message}'\n";
    let mut gateway = Gateway::start(Some(script));
    for number in 0..3 {
        let send = json!({"to": DESK, "message": format!("message {number}"), "timeoutMs": 0});
        gateway.call("sessions.send", send);
    }
    gateway.kill();
    std::fs::write(gateway.state().join("config.yaml"), "limits: { waitingPerSession: 0 }\n").unwrap();
    gateway.restart();
    until_settled(&gateway);
    assert_eq!(gateway.stop()["sends"], json!({"of": 3, "ok": 3}));
}

#[test]
fn a_call_that_was_cut_off_says_that_it_may_have_been_accepted() {
    for (key, advice) in
        [(Some("k"), "the same idempotencyKey asks for it again"), (None, "look before you repeat it")]
    {
        let mut gateway = Gateway::start(Some(SCRIPT));
        let mut send = json!({"to": "agent:slow:s", "message": "hi"});
        if let Some(key) = key {
            send["idempotencyKey"] = json!(key);
        }
        let call = moorline(gateway.dir.path())
            .args(["call", "--json", "sessions.send", &send.to_string(), "--state", "state"])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        until("the send", || gateway.events().iter().any(|line| line["event"] == "send_accepted"));
        gateway.kill();
        let output = call.wait_with_output().unwrap();
        let wire = crate::json(&output.stderr);
        assert_eq!((crate::code(&output), &wire["effect"]), (69, &json!("possible")), "{wire}");
        let message = wire["message"].as_str().unwrap();
        assert!(message.contains("may have been accepted") && message.contains(advice), "{wire}");
        // Nobody listens there: nothing was sent.
        let (exit, wire) = gateway.refused("sessions.send", send);
        assert_eq!((exit, &wire["effect"]), (69, &json!("none")), "{wire}");
    }
}

#[test]
fn a_run_that_waits_for_the_lock_of_another_process_ends_when_it_is_told_to() {
    let gateway = Gateway::start(None);
    // The folder of the agent is there, the session is not.
    gateway.call("sessions.create", json!({"key": "agent:main:other"}));
    let mut holder = moorline(gateway.dir.path())
        .args(["lock", "exec", "state/sessions/main/desk.jsonl", "--", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("the lock", || gateway.state().join("sessions/main/desk.jsonl.lock").exists());
    let asked = std::time::Instant::now();
    let send = json!({"to": DESK, "message": "hi", "timeoutMs": 100});
    let answer = gateway.call("sessions.send", send);
    assert_eq!((&answer["accepted"], &answer["delivered"]), (&json!(true), &json!(false)));
    gateway.call("agent.abort", json!({"runId": answer["runId"]}));
    let ended = gateway.call("agent.wait", json!({"runId": answer["runId"]}));
    assert_eq!((&ended["outcome"], &ended["error"]["code"]), (&json!("cancelled"), &json!("cancelled.user")));
    assert_eq!(ended["error"]["effect"], "none", "its message was not written");
    // The lock's own patience is a minute.
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
    drop(holder.stdin.take());
    assert!(holder.wait().unwrap().success());
    assert_eq!(gateway.stop()["sends"], json!({"of": 1, "ok": 1}));
}

#[test]
fn a_ring_of_sends_is_not_closed_by_a_turn_that_waits() {
    let script = "
agents:
  main:
    - when: 'start'
      tools: [{ name: sessions_send, arguments: { to: 'agent:b:s', message: 'go on' } }]
      reply: 'b says: {result}'
    - reply: 'REPLY_SKIP'
  b:
    - when: 'go on'
      tools: [{ name: sessions_send, arguments: { to: 'agent:c:s', message: 'go on' } }]
      reply: 'c says: {result}'
    - reply: 'REPLY_SKIP'
  c:
    - when: 'go on'
      tools: [{ name: sessions_send, arguments: { to: 'agent:main:desk', message: 'are you there' } }]
      reply: 'the desk says: {result}'
    - reply: 'REPLY_SKIP'
";
    let gateway = Gateway::start(Some(script));
    let answer = gateway.call("agent", json!({"sessionKey": DESK, "message": "start"}));
    let reply = answer["reply"].as_str().unwrap();
    // The last send is accepted, and everybody who waits hears of it.
    let (told, last) = reply.split_once('{').expect(reply);
    assert_eq!(told, "b says: c says: the desk says: ");
    assert!(last.contains("\"accepted\":true") && last.contains("\"replied\":false"), "{reply}");
    until_settled(&gateway);
    // The desk was asked once its turn was over.
    assert_eq!(said(&gateway, DESK, "user"), ["start", "are you there"]);
    assert_eq!(gateway.stop()["sends"], json!({"of": 3, "ok": 3}));
}
