//! The protocol as it is documented: the document describes the server, its examples are accepted, and the page is true.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{json, moorline, running::Gateway, until};

/// One call by POST; the whole answer.
fn post(gateway: &Gateway, message: &Value) -> Value {
    let token = format!("Authorization: Bearer {}\r\n", gateway.token());
    let (status, body) = gateway.http(&token, &message.to_string());
    assert_eq!(status, 200, "{body}");
    json(body.as_bytes())
}

fn ask(gateway: &Gateway, method: &str, params: &Value) -> Value {
    post(gateway, &json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
}

fn get(gateway: &Gateway, path: &str) -> String {
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = format!(
        "GET {path} HTTP/1.0\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        gateway.token()
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// The schema of a method's result, with what it refers to.
fn schema(document: &Value, of: &Value) -> jsonschema::Validator {
    let mut whole = of.clone();
    if whole.is_boolean() {
        whole = json!({});
    }
    whole["components"] = document["components"].clone();
    jsonschema::validator_for(&whole).unwrap()
}

#[test]
fn every_documented_example_is_accepted_and_answered_as_documented() {
    let gateway = Gateway::start(None);
    let document = json(get(&gateway, "/openrpc.json").as_bytes());
    assert_eq!(ask(&gateway, "rpc.discover", &json!({}))["result"], document);
    let wire = schema(&document, &document["components"]["schemas"]["WireError"]);
    // What an example refers to, and no example makes.
    let run = ask(&gateway, "sessions.send", &json!({"to": "agent:main:chat", "message": "first"}));
    let run = run["result"]["runId"].as_str().unwrap().to_owned();
    let mut errors = Vec::new();
    for method in document["methods"].as_array().unwrap() {
        let name = method["name"].as_str().unwrap();
        let mut params = serde_json::Map::new();
        for given in method["examples"][0]["params"].as_array().unwrap() {
            let value = if given["value"] == "RUN" { json!(run) } else { given["value"].clone() };
            let field = given["name"].as_str().unwrap();
            let described = method["params"].as_array().unwrap().iter().find(|param| param["name"] == field);
            let described = described.unwrap_or_else(|| panic!("{name}: {field} is not described"));
            assert!(schema(&document, &described["schema"]).is_valid(&value), "{name}: {field}");
            params.insert(field.to_owned(), value);
        }
        let answer = ask(&gateway, name, &Value::Object(params.clone()));
        if let Some(error) = answer.get("error") {
            assert!(error["code"] == -32000, "{name}: {error}");
            assert!(wire.is_valid(&error["data"]), "{name}: {error}");
            errors.push(name);
        } else {
            let result = schema(&document, &method["result"]["schema"]);
            let wrong: Vec<String> =
                result.iter_errors(&answer["result"]).map(|error| error.to_string()).collect();
            assert!(wrong.is_empty(), "{name}: {wrong:?} in {answer}");
        }
        // What nobody described is refused, typed.
        params.insert("nobodyDescribedThis".to_owned(), json!(1));
        let refused = ask(&gateway, name, &Value::Object(params));
        let socket_only = name.starts_with("events.") || name == "rpc.discover";
        assert!(socket_only || refused["error"]["code"] == -32602, "{name}: {refused}");
        assert!(socket_only || refused["error"]["data"]["code"] == "request.format", "{name}: {refused}");
    }
    // Nothing is parked or given up here, and events need a WebSocket.
    let expected = [
        "announce.retry",
        "announce.dismiss",
        "parked.append",
        "parked.dismiss",
        "events.subscribe",
        "events.unsubscribe",
    ];
    assert!(errors.iter().all(|name| expected.contains(name)), "{errors:?}");
}

#[test]
fn the_methods_of_the_design_are_all_there() {
    let gateway = Gateway::start(None);
    let document = ask(&gateway, "rpc.discover", &json!({}))["result"].clone();
    let mut names: Vec<&str> = document["methods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|method| method["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    let expected = [
        "agent",
        "agent.abort",
        "agent.wait",
        "announce.dismiss",
        "announce.list",
        "announce.retry",
        "events.subscribe",
        "events.unsubscribe",
        "health",
        "locks.inspect",
        "locks.revoke",
        "locks.waiting",
        "parked.append",
        "parked.dismiss",
        "parked.list",
        "rpc.discover",
        "sessions.create",
        "sessions.history",
        "sessions.list",
        "sessions.resolve",
        "sessions.send",
        "sessions.spawn",
    ];
    assert_eq!(names, expected);
}

#[test]
fn who_waits_for_a_session_lock_is_listed_and_counted() {
    let gateway = Gateway::start(None);
    gateway.call("sessions.create", json!({"key": "agent:main:desk"}));
    let mut holder = moorline(gateway.dir.path())
        .args(["lock", "exec", "state/sessions/main/desk.jsonl", "--", "sh", "-c", "echo held; exec cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let waiting = || gateway.call("locks.waiting", json!({}))["waiting"].as_array().unwrap().clone();
    assert!(waiting().is_empty());
    let sent =
        gateway.call("sessions.send", json!({"to": "agent:main:desk", "message": "hello", "timeoutMs": 0}));
    until("a waiter", || waiting().len() == 1);
    let waiter = waiting().remove(0);
    assert_eq!((&waiter["sessionKey"], &waiter["runId"]), (&json!("agent:main:desk"), &sent["runId"]));
    assert!(waiter["lockPath"].as_str().unwrap().ends_with("sessions/main/desk.jsonl.lock"), "{waiter}");
    let gauge =
        |waiters: usize| gateway.get("/metrics").1.contains(&format!("moorline_lock_waiters {waiters}\n"));
    assert!(gauge(1));
    drop(holder.stdin.take());
    holder.wait().unwrap();
    until("the end of the wait", || waiting().is_empty() && gauge(0));
}

#[test]
fn errors_of_the_protocol_carry_the_wire_form() {
    let gateway = Gateway::start(None);
    let token = format!("Authorization: Bearer {}\r\n", gateway.token());
    let many: Vec<Value> =
        (0..33).map(|id| json!({"jsonrpc": "2.0", "id": id, "method": "health"})).collect();
    for (body, number, code) in [
        ("{".to_owned(), -32700, "request.format"),
        ("hello".to_owned(), -32700, "request.format"),
        (String::new(), -32700, "request.format"),
        ("{}".to_owned(), -32600, "request.format"),
        ("[]".to_owned(), -32600, "request.format"),
        (json!({"jsonrpc": "1.0", "id": 1, "method": "health"}).to_string(), -32600, "request.format"),
        (json!({"jsonrpc": "2.0", "id": 1, "method": "nobody"}).to_string(), -32601, "local.config"),
        (
            json!({"jsonrpc": "2.0", "id": 1, "method": "health", "params": [1]}).to_string(),
            -32602,
            "request.format",
        ),
        (json!(many).to_string(), -32010, "request.payload_too_large"),
    ] {
        let (_, answer) = gateway.http(&token, &body);
        let error = json(answer.as_bytes())["error"].clone();
        let said = (&error["code"], &error["data"]["code"], &error["data"]["effect"]);
        assert_eq!(said, (&json!(number), &json!(code), &json!("none")), "{body} was answered {answer}");
    }
    // A notification is not answered, and does nothing.
    let notification =
        json!({"jsonrpc": "2.0", "method": "sessions.create", "params": {"key": "agent:main:n"}});
    assert_eq!(gateway.http(&token, &notification.to_string()), (204, String::new()));
    assert_eq!(gateway.call("sessions.list", json!({}))["sessions"], json!([]));
}

#[test]
fn the_command_line_says_why_a_call_was_not_admitted() {
    let gateway = Gateway::start(None);
    let file = gateway.state().join("token");
    std::fs::write(&file, "b".repeat(64)).unwrap();
    let refused = gateway.run(&["call", "health", "--json"]);
    let wire = json(&refused.stderr);
    assert_eq!((refused.status.code(), &wire["code"]), (Some(77), &json!("local.permission")), "{wire}");
    assert!(wire["message"].as_str().unwrap().contains(file.to_str().unwrap()), "{wire}");
    let wrong = "Authorization: Bearer wrong\r\n";
    let mut slowed = refused;
    until("guessing is slowed", || {
        while gateway.http(wrong, "{}").0 != 429 {}
        slowed = gateway.run(&["call", "health", "--json"]);
        slowed.status.code() == Some(75)
    });
    let wire = json(&slowed.stderr);
    assert_eq!((slowed.status.code(), &wire["effect"]), (Some(75), &json!("none")), "{wire}");
    assert!(wire["retryAfterMs"].as_u64().unwrap() > 0, "{wire}");
}

#[test]
fn what_is_outside_or_contradicts_itself_is_refused() {
    let gateway = Gateway::start(None);
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), gateway.state().join("link")).unwrap();
    let (exit, wire) = gateway.refused("locks.inspect", json!({"path": "link"}));
    assert_eq!((exit, &wire["code"]), (65, &json!("request.format")), "{wire}");
    let (exit, wire) = gateway.refused("sessions.create", json!({"key": "agent:z:1", "agent": "y"}));
    assert_eq!((exit, &wire["code"]), (65, &json!("request.format")), "{wire}");
    gateway.call("sessions.create", json!({"key": "agent:z:1", "agent": "z"}));
}

/// Written as text: a library of ours would not carry some of these ids either.
#[test]
fn every_call_with_an_id_is_answered_under_it() {
    let gateway = Gateway::start(None);
    let token = format!("Authorization: Bearer {}\r\n", gateway.token());
    let call = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"health"}}"#);
    let numbers = ["-1", "1.5", "1.0", "-0", "1e400", "99999999999999999999999", "0", r#""a""#, "null"];
    for id in numbers {
        let (status, answer) = gateway.http(&token, &call(id));
        assert_eq!(status, 200, "{id}");
        assert!(answer.contains(&format!("\"id\":{id},")) && answer.contains("\"result\""), "{id}: {answer}");
    }
    for id in ["true", "{}", "[1]"] {
        let (status, answer) = gateway.http(&token, &call(id));
        let answer = json(answer.as_bytes());
        assert_eq!((status, &answer["id"], &answer["error"]["code"]), (200, &Value::Null, &json!(-32600)));
        assert_eq!(answer["error"]["data"]["code"], "request.format");
    }
    // In a batch beside each other, with a notification and something that is no call.
    let notification = r#"{"jsonrpc":"2.0","method":"health"}"#;
    let batch: Vec<String> = numbers.iter().map(|id| call(id)).collect();
    let batch = format!("[{},{notification},7,{}]", batch.join(","), call("true"));
    let (_, answer) = gateway.http(&token, &batch);
    assert_eq!(json(answer.replace("1e400", "0").as_bytes()).as_array().unwrap().len(), numbers.len() + 2);
    for id in numbers {
        assert!(answer.contains(&format!("\"id\":{id},")), "{id}: {answer}");
    }
    assert_eq!(answer.matches("-32600").count(), 2, "{answer}");
    assert_eq!(answer.matches("\"result\"").count(), numbers.len(), "{answer}");
}

#[test]
fn what_is_asked_twice_at_once_is_accepted_once() {
    let gateway =
        Gateway::start(Some("agents:\n  '*':\n    - delayMs: 200\n      reply: 'heard {message}'\n"));
    let both = |method: &str, params: Value| {
        let answers: Vec<Value> = std::thread::scope(|scope| {
            let ask = || ask(&gateway, method, &params);
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            asking.into_iter().map(|asking| asking.join().unwrap()).collect()
        });
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{method}: {answers:?}");
        assert!(answers[0].get("error").is_none(), "{answers:?}");
        answers[0]["result"].clone()
    };
    both("sessions.create", json!({"agent": "main", "idempotencyKey": "c"}));
    both("sessions.send", json!({"to": "agent:main:x", "message": "pay", "idempotencyKey": "s"}));
    both("sessions.spawn", json!({"requester": "agent:main:x", "task": "dig", "idempotencyKey": "p"}));
    let run = both("agent", json!({"sessionKey": "agent:main:x", "message": "go", "idempotencyKey": "a"}));
    both("agent.abort", json!({"runId": run["runId"], "idempotencyKey": "b"}));
    both("locks.revoke", json!({"path": "sessions/main/x.jsonl", "idempotencyKey": "r"}));
    until("the announce", || gateway.call("health", json!({}))["announces"]["delivered"] == 1);
    until("the end of the turns", || gateway.call("health", json!({}))["lanes"]["turns"] == 0);
    let other = ask(&gateway, "sessions.create", &json!({"agent": "other", "idempotencyKey": "c"}));
    assert_eq!(other["error"]["data"]["code"], "request.format", "{other}");
    let audit = gateway.stop();
    assert_eq!((&audit["sends"]["of"], &audit["spawns"]["of"]), (&json!(1), &json!(1)));
}

#[test]
fn a_deadline_bounds_a_change_that_waits_for_a_lock() {
    let gateway = Gateway::start(None);
    ask(&gateway, "sessions.create", &json!({"key": "agent:main:x"}));
    let parked = gateway.state().join("sessions/main/x.jsonl.parked");
    let line = json!({"id": "p1", "parkedAt": "2026-01-01T00:00:00.000Z", "runId": "r", "sessionKey": "agent:main:x",
        "idempotencyKey": "k", "reason": "superseded", "text": "late", "messages": [{"role": "assistant", "content": [{"type": "text", "text": "late"}]}]});
    std::fs::write(&parked, format!("{line}\n")).unwrap();
    let hold = ["lock", "exec", "state/sessions/main/x.jsonl", "--", "sh", "-c", "echo held; read line"];
    let mut holder = crate::moorline(gateway.dir.path())
        .args(hold)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 5];
    holder.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
    let append = json!({"sessionKey": "agent:main:x", "id": "p1", "idempotencyKey": "once", "timeoutMs": 50});
    let late = ask(&gateway, "parked.append", &append);
    let data = &late["error"]["data"];
    assert_eq!((&data["code"], &data["effect"]), (&json!("coordination.lane_timeout"), &json!("possible")));
    drop(holder.stdin.take());
    holder.wait().unwrap();
    let append = json!({"sessionKey": "agent:main:x", "id": "p1", "idempotencyKey": "once"});
    let first = ask(&gateway, "parked.append", &append);
    assert_eq!(first["result"]["appended"], true, "{first}");
    assert_eq!(ask(&gateway, "parked.append", &append), first);
}

/// Whether an answer has everything that is shown; `"..."` stands for anything.
fn shows(shown: &Value, answer: &Value) -> bool {
    match (shown, answer) {
        (Value::String(text), _) if text == "..." => !answer.is_null(),
        (Value::Object(fields), _) => {
            fields.iter().all(|(name, value)| answer.get(name).is_some_and(|answer| shows(value, answer)))
        }
        (Value::Array(items), Value::Array(answers)) => {
            items.len() == answers.len()
                && items.iter().zip(answers).all(|(item, answer)| shows(item, answer))
        }
        (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_), _) => {
            shown == answer
        }
    }
}

#[test]
#[ignore = "needs curl"]
fn the_commands_of_the_page_answer_what_the_page_shows() {
    let gateway = Gateway::start(None);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rpc.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut blocks = page.split("```").skip(1).step_by(2).map(|block| block.split_once('\n').unwrap());
    let (kind, setup) = blocks.next().unwrap();
    assert_eq!(kind, "sh");
    let mut asked: Option<(&str, Value)> = None;
    let mut compared = 0;
    for (kind, text) in blocks {
        if kind == "sh" {
            let output = Command::new("sh")
                .args(["-ec", &format!("{setup}\n{text}")])
                .env("MOORLINE_STATE_DIR", gateway.state())
                .output()
                .unwrap();
            assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
            asked = Some((text, json(&output.stdout)));
        } else if let Some((command, answer)) = asked.take() {
            assert!(shows(&json(text.as_bytes()), &answer), "{command} answered {answer}");
            compared += 1;
        }
    }
    assert!(compared >= 8, "{compared}");
}
