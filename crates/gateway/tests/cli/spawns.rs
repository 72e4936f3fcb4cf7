//! Children: what they know when they begin, how deep they go, how many there are.

use serde_json::{Value, json};

use crate::{json, running::Gateway, until};

const DESK: &str = "agent:main:desk";

/// Role and text of a session's messages.
fn history(gateway: &Gateway, key: &Value) -> Vec<(String, String)> {
    let answer = gateway.call("sessions.history", json!({"key": key}));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let messages = answer["messages"].as_array().unwrap();
    messages.iter().map(|message| (text(&message["role"]), text(&message["text"]))).collect()
}

fn until_delivered(gateway: &Gateway, count: u64) {
    until("the announces", || gateway.call("health", json!({}))["announces"]["delivered"] == count);
}

#[test]
fn a_fork_begins_with_its_requesters_conversation_and_an_isolated_child_does_not() {
    let gateway = Gateway::start(Some("agents:\n  '*':\n    - reply: 'heard: {message}'\n"));
    let say = json!({"sessionKey": DESK, "message": "the colour is blue", "idempotencyKey": "k1"});
    gateway.call("agent", say);
    for (context, before) in [("fork", 2), ("isolated", 0)] {
        let params = json!({"requester": DESK, "task": format!("go {context}"), "context": context});
        let child = gateway.call("sessions.spawn", params)["childSessionKey"].clone();
        until("the child", || history(&gateway, &child).len() == before + 2);
        let said = history(&gateway, &child);
        if context == "fork" {
            assert_eq!(said[0], ("user".to_owned(), "the colour is blue".to_owned()));
            assert_eq!(said[1], ("assistant".to_owned(), "heard: the colour is blue".to_owned()));
            // The copy owns none of the original's keys and says where it comes from.
            let files = std::fs::read_dir(gateway.state().join("sessions/main")).unwrap();
            // A lock may come and go beside them.
            let sessions = files.map(|file| file.unwrap().path());
            let sessions = sessions.filter(|path| path.extension().is_some_and(|name| name == "jsonl"));
            let texts = sessions.map(|path| std::fs::read_to_string(path).unwrap());
            let header = |text: &str| json(text.lines().next().unwrap().as_bytes());
            let text =
                texts.into_iter().find(|text| header(text)["moorline"]["sessionKey"] == child).unwrap();
            assert!(!text.contains("k1"), "{text}");
            let header = header(&text);
            assert!(header["parentSession"].as_str().unwrap().ends_with("desk.jsonl"), "{header}");
        }
        assert_eq!(said[before].1, format!("go {context}"));
    }
    until_delivered(&gateway, 2);
    let audit = gateway.stop();
    assert_eq!(audit["spawns"], json!({"of": 2, "ok": 2}));
}

#[test]
fn a_fork_from_within_a_turn_has_the_conversation_without_the_call_that_made_it() {
    let script = "
agents:
  main:
    - when: 'sub-agent result'
      reply: 'noted'
    - when: 'fork yourself'
      tools:
        - { name: sessions_spawn, arguments: { task: 'count', context: fork } }
      reply: 'done'
    - reply: 'heard: {message}'
";
    let gateway = Gateway::start(Some(script));
    gateway.call("agent", json!({"sessionKey": DESK, "message": "hello"}));
    assert_eq!(
        gateway.call("agent", json!({"sessionKey": DESK, "message": "fork yourself"}))["reply"],
        "done"
    );
    until_delivered(&gateway, 1);
    let list = gateway.call("sessions.list", json!({}));
    let sessions = list["sessions"].as_array().unwrap();
    let child =
        sessions.iter().find(|session| session["key"].as_str().unwrap().contains("subagent")).unwrap();
    let said: Vec<_> = history(&gateway, &child["key"]).into_iter().map(|(_, text)| text).collect();
    assert_eq!(said, ["hello", "heard: hello", "fork yourself", "count", "heard: count"]);
    gateway.stop();
}

#[test]
fn a_spawn_that_cannot_be_is_refused_typed_and_nothing_is_promised() {
    let script = "agents:\n  '*':\n    - delayMs: 600000\n      reply: never\n";
    let gateway = Gateway::start(Some(script));
    let refused = |params: Value| gateway.refused("sessions.spawn", params);
    // Depth: each child may have children, down to the third level.
    let mut requester = json!(DESK);
    for _ in 0..3 {
        let answer = gateway.call("sessions.spawn", json!({"requester": requester, "task": "dig"}));
        requester = answer["childSessionKey"].clone();
    }
    let (exit, wire) = refused(json!({"requester": requester, "task": "dig"}));
    assert_eq!((exit, &wire["code"]), (65, &json!("request.format")), "{wire}");
    assert!(wire["message"].as_str().unwrap().contains("3 levels deep"), "{wire}");
    // A fork of another agent's history.
    let (exit, wire) =
        refused(json!({"requester": DESK, "task": "dig", "agent": "other", "context": "fork"}));
    assert_eq!((exit, &wire["code"]), (65, &json!("request.format")), "{wire}");
    let (_, wire) = refused(json!({"requester": DESK, "task": "dig", "context": "shared"}));
    assert!(wire["message"].as_str().unwrap().contains("isolated"), "{wire}");
    let (exit, wire) = refused(json!({"requester": DESK, "task": "dig", "idempotencyKey": "x".repeat(257)}));
    assert_eq!((exit, &wire["code"]), (65, &json!("request.format")), "{wire}");
    // One requester's children at once: 32, of which one is there already.
    let mut last = Value::Null;
    for _ in 1..32 {
        last = gateway.call("sessions.spawn", json!({"requester": DESK, "task": "dig"}));
    }
    let (exit, wire) = refused(json!({"requester": DESK, "task": "dig"}));
    assert_eq!((exit, &wire["code"]), (75, &json!("coordination.lane_timeout")), "{wire}");
    // One that ends makes room.
    gateway.call("agent.abort", json!({"runId": last["runId"]}));
    gateway.call("agent.wait", json!({"runId": last["runId"]}));
    assert_eq!(gateway.call("sessions.spawn", json!({"requester": DESK, "task": "dig"}))["accepted"], true);
    let health = gateway.call("health", json!({}));
    assert_eq!(health["spawns"]["accepted"], 3 + 31 + 1);
}

#[test]
fn an_announce_that_is_not_there_is_bad_input() {
    let gateway = Gateway::start(None);
    for args in [["announce", "retry", "4711"], ["announce", "dismiss", "4711"]] {
        let output = gateway.run(&[args[0], args[1], args[2], "--json"]);
        assert_eq!(crate::code(&output), 65, "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(json(&output.stderr)["code"], "request.format");
    }
    gateway.stop();
}

#[test]
fn a_key_with_another_request_is_refused_before_and_after_a_restart() {
    let mut gateway = Gateway::start(None);
    let spawn = |agent: &str, context: &str| json!({"requester": DESK, "task": "count", "agent": agent, "context": context, "idempotencyKey": "k"});
    let send =
        |from: &str| json!({"from": from, "to": "agent:b:x", "message": "hello", "idempotencyKey": "s"});
    let child = gateway.call("sessions.spawn", spawn("main", "isolated"))["runId"].clone();
    assert_eq!(gateway.call("sessions.send", send(DESK))["replied"], true);
    until_delivered(&gateway, 1);
    for restarted in [false, true] {
        if restarted {
            gateway.kill_and_restart();
        }
        assert_eq!(gateway.call("sessions.spawn", spawn("main", "isolated"))["runId"], child);
        assert_eq!(gateway.call("sessions.send", send(DESK))["accepted"], true);
        for (method, other) in [
            ("sessions.spawn", spawn("other", "isolated")),
            ("sessions.spawn", spawn("main", "fork")),
            ("sessions.send", send("agent:main:somebody")),
        ] {
            let (exit, wire) = gateway.refused(method, other);
            assert_eq!((exit, &wire["code"]), (65, &json!("request.format")), "{wire}");
        }
    }
    assert_eq!(gateway.stop()["spawns"], json!({"of": 1, "ok": 1}));
}

#[test]
fn a_child_with_nothing_to_say_is_settled_and_its_model_is_not_asked_again() {
    let script = "agents:\n  main:\n    - reply: 'NO_REPLY'\n";
    let mut gateway = Gateway::start(Some(script));
    let child = gateway.call("sessions.spawn", json!({"requester": DESK, "task": "count"}));
    let settled = |gateway: &Gateway| {
        gateway.events().iter().filter(|line| line["event"] == "announce_settled").count()
    };
    until("the end of it", || settled(&gateway) == 1);
    for _ in 0..2 {
        gateway.kill_and_restart();
        assert_eq!(history(&gateway, &child["childSessionKey"]).len(), 2);
        let runs = gateway.events().iter().filter(|line| line["event"] == "run_accepted").count();
        assert_eq!(runs, 1, "driven again");
    }
    assert_eq!(gateway.stop()["spawns"], json!({"of": 1, "ok": 1}));
}

#[test]
fn a_child_that_failed_before_a_crash_is_delivered_as_it_was() {
    let script = "
agents:
  main:
    - when: 'sub-agent'
      reply: 'noted'
    - when: 'busy'
      delayMs: 3000
      reply: 'done'
  broken:
    - fail: { code: request.format, times: 100 }
      reply: 'never'
";
    let mut gateway = Gateway::start(Some(script));
    let busy = json!({"sessionKey": DESK, "message": "busy", "timeoutMs": 1});
    gateway.call("agent", busy);
    let spawn = json!({"requester": DESK, "task": "count", "agent": "broken"});
    let child = gateway.call("sessions.spawn", spawn);
    // In the outbox, and the requester is busy.
    until("the row", || gateway.call("announce.list", json!({}))["rows"].as_array().unwrap().len() == 1);
    gateway.kill_and_restart();
    until_delivered(&gateway, 1);
    let of_child =
        |line: &&Value| line["event"] == "run_accepted" && line["sessionKey"] == child["childSessionKey"];
    assert_eq!(gateway.events().iter().filter(of_child).count(), 1, "its model was asked again");
    let said = history(&gateway, &json!(DESK));
    assert!(said.iter().any(|(_, text)| text.contains("request.format")), "{said:?}");
    assert_eq!(gateway.stop()["spawns"], json!({"of": 1, "ok": 1}));
}

#[test]
fn children_that_are_driven_again_count_to_the_limit() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("state")).unwrap();
    std::fs::write(dir.path().join("state/config.yaml"), "limits: { spawnChildren: 2 }\n").unwrap();
    let script = "agents:\n  '*':\n    - delayMs: 600000\n      reply: never\n";
    std::fs::write(dir.path().join("script.yaml"), script).unwrap();
    let mut gateway = Gateway::start_in(dir, "info");
    let spawn = json!({"requester": DESK, "task": "dig"});
    for _ in 0..2 {
        gateway.call("sessions.spawn", spawn.clone());
    }
    gateway.kill_and_restart();
    let (exit, wire) = gateway.refused("sessions.spawn", spawn.clone());
    assert_eq!((exit, &wire["code"]), (75, &json!("coordination.lane_timeout")), "{wire}");
    let child = gateway.open_runs(None).remove(0);
    gateway.call("agent.abort", json!({"runId": child}));
    gateway.call("agent.wait", json!({"runId": child}));
    assert_eq!(gateway.call("sessions.spawn", spawn)["accepted"], true);
}

/// An orderly end is no worse than a kill: what is under way or waits is handed over, not failed.
#[test]
fn a_shutdown_hands_children_and_sends_over_to_the_next_gateway() {
    let script = "agents:\n  quick:\n    - reply: 'heard: {message}'\n  '*':\n    - delayMs: 1500\n      reply: 'done: {message}'\n";
    let mut gateway = Gateway::start(Some(script));
    let desk = "agent:quick:desk";
    gateway.call("sessions.spawn", json!({"requester": desk, "agent": "main", "task": "dig"}));
    for number in 0..2 {
        let send = json!({"from": desk, "to": "agent:main:s", "message": format!("message {number}"), "timeoutMs": 0, "maxPingPong": 0});
        gateway.call("sessions.send", send);
    }
    until("the turns", || gateway.open_runs(None).len() == 3);
    gateway.end();
    let settled = |line: &&Value| line["event"] == "send_failed" || line["event"] == "announce_prepared";
    assert_eq!(gateway.events().iter().filter(settled).count(), 0);
    gateway.restart();
    until_delivered(&gateway, 1);
    let results = || {
        history(&gateway, &json!(desk))
            .into_iter()
            .filter(|(role, text)| role == "user" && text.contains("done: "))
    };
    until("the results", || results().count() >= 3);
    until("the receipts", || {
        let rows = gateway.call("announce.list", json!({}));
        gateway.call("health", json!({}))["sends"]["open"] == 0
            && rows["rows"].as_array().unwrap().iter().all(|row| row["state"] == "delivered")
    });
    for done in ["done: dig", "done: message 0", "done: message 1"] {
        assert_eq!(results().filter(|(_, text)| text.contains(done)).count(), 1, "{done}");
    }
    let audit = gateway.stop();
    assert_eq!((&audit["sends"], &audit["spawns"]), (&json!({"of": 2, "ok": 2}), &json!({"of": 1, "ok": 1})));
    assert_eq!((&audit["lost"], &audit["duplicated"]), (&json!(0), &json!(0)));
}

/// How many children were accepted.
fn children(gateway: &Gateway) -> usize {
    gateway.events().iter().filter(|line| line["event"] == "spawn_accepted").count()
}

#[test]
fn a_spawn_whose_outcome_got_lost_is_not_made_twice_by_a_model_that_calls_again() {
    // Nobody is done before the test says so: what comes in would begin another rule.
    let script = "
agents:
  main:
    - when: 'go'
      tools:
        - { name: sessions_spawn, arguments: { agent: slow, task: 'count' } }
        - { name: sessions_send, arguments: { to: 'agent:slow:s', message: 'wait' }, withPrevious: true }
        - { name: sessions_spawn, arguments: { agent: slow, task: 'count' } }
        - { name: sessions_spawn, arguments: { agent: slow, task: 'count' } }
      reply: 'it is {result}'
    - reply: 'NO_REPLY'
  slow:
    - delayMs: 600000
      reply: 'never'
";
    let mut gateway = Gateway::start(Some(script));
    let go =
        |wait: u64| json!({"sessionKey": DESK, "message": "go", "timeoutMs": wait, "idempotencyKey": "go"});
    gateway.call("agent", go(1));
    // The child is accepted, and the turn that asked for it has not heard so: its other tool is at work.
    until("the second tool", || gateway.open_runs(Some("agent:slow:s")).len() == 1);
    assert_eq!(children(&gateway), 1);
    gateway.kill_and_restart();
    let reply = gateway.call("agent", go(30_000))["reply"].clone();
    // It was told that the outcome is not known, called again, and then once more for another one.
    assert!(reply.as_str().unwrap().contains("\"accepted\":true"), "{reply}");
    assert_eq!(children(&gateway), 2);
    for run in gateway.open_runs(None) {
        gateway.call("agent.abort", json!({"runId": run}));
    }
    until_delivered(&gateway, 2);
    assert_eq!(gateway.stop()["spawns"], json!({"of": 2, "ok": 2}));
}

#[test]
fn a_model_that_wants_the_same_child_twice_gets_two() {
    let script = "
agents:
  main:
    - when: 'sub-agent'
      reply: 'NO_REPLY'
    - when: 'go'
      tools:
        - { name: sessions_spawn, arguments: { agent: quick, task: 'count' } }
        - { name: sessions_spawn, arguments: { agent: quick, task: 'count' }, withPrevious: true }
        - { name: sessions_spawn, arguments: { agent: quick, task: 'count' } }
      reply: 'it is {result}'
  quick:
    - reply: 'done'
";
    let gateway = Gateway::start(Some(script));
    gateway.call("agent", json!({"sessionKey": DESK, "message": "go"}));
    assert_eq!(children(&gateway), 3);
    until_delivered(&gateway, 3);
    assert_eq!(gateway.stop()["spawns"], json!({"of": 3, "ok": 3}));
}

#[test]
fn a_result_that_the_outbox_does_not_take_arrives_cut_with_a_note() {
    let reply = "{message}".repeat(45);
    let script = format!("agents:\n  main:\n    - reply: 'noted'\n  chatty:\n    - reply: '{reply}'\n");
    let gateway = Gateway::start(Some(&script));
    let task = "é".repeat(50_000);
    let spawn = json!({"requester": DESK, "agent": "chatty", "task": task});
    let child = gateway.call("sessions.spawn", spawn)["childSessionKey"].clone();
    until_delivered(&gateway, 1);
    let said = std::fs::read_to_string(gateway.state().join("sessions/main/desk.jsonl")).unwrap();
    let note =
        format!("[cut: the whole text of 4500000 bytes is in the transcript of {}]", child.as_str().unwrap());
    assert!(said.contains(&note), "{} bytes", said.len());
    let prepared = gateway.events().iter().filter(|line| line["event"] == "announce_prepared").count();
    assert_eq!(prepared, 1);
    assert_eq!(gateway.stop()["spawns"], json!({"of": 1, "ok": 1}));
}
