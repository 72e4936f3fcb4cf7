//! Events over WebSocket, with a client of another library: what comes, who is told what, and who is never slowed.

use std::{net::TcpStream, time::Duration};

use serde_json::{Value, json};
use tungstenite::{Message, WebSocket, client::IntoClientRequest};

use crate::{running::Gateway, until};

type Socket = WebSocket<TcpStream>;

/// A connection with the token; reads wait ten seconds at most, which only ends a test that has failed.
fn connect(gateway: &Gateway, path: &str) -> Socket {
    let stream = TcpStream::connect(gateway.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut request = format!("ws://{}{path}", gateway.address()).into_client_request().unwrap();
    let token = format!("Bearer {}", gateway.token());
    request.headers_mut().insert("authorization", token.parse().unwrap());
    tungstenite::client(request, stream).unwrap().0
}

fn say(socket: &mut Socket, message: &Value) {
    socket.send(Message::text(message.to_string())).unwrap();
}

/// The next message that is text.
fn hear(socket: &mut Socket) -> Value {
    loop {
        match socket.read().unwrap() {
            Message::Text(text) => return serde_json::from_str(&text).unwrap(),
            Message::Ping(_) | Message::Pong(_) => {}
            other @ (Message::Binary(_) | Message::Close(_) | Message::Frame(_)) => panic!("{other:?}"),
        }
    }
}

fn ask(socket: &mut Socket, method: &str, params: Value) -> Value {
    say(socket, &json!({"jsonrpc": "2.0", "id": method, "method": method, "params": params}));
    loop {
        let answer = hear(socket);
        if answer["id"] == method {
            return answer;
        }
    }
}

/// Reads notices until one is the event, and returns all of them.
fn events_until(socket: &mut Socket, event: &str) -> Vec<Value> {
    let mut notices = Vec::new();
    loop {
        let message = hear(socket);
        assert_eq!(message["method"], "event", "{message}");
        notices.push(message["params"].clone());
        if message["params"]["result"]["event"] == event {
            return notices;
        }
    }
}

#[test]
fn a_subscriber_hears_what_it_asked_for_without_anybodys_text() {
    let gateway = Gateway::start(None);
    let mut socket = connect(&gateway, "/");
    let sends = ask(&mut socket, "events.subscribe", json!({"kinds": ["sends"]}))["result"].clone();
    let locks = ask(&mut socket, "events.subscribe", json!({"kinds": ["locks", "runs"]}))["result"].clone();
    assert_ne!(sends, locks);
    gateway.call("sessions.send", json!({"to": "agent:main:x", "message": "PRIVATE", "idempotencyKey": "k"}));
    let mut notices = events_until(&mut socket, "send_replied");
    let of = |notices: &[Value], subscription: &Value| -> Vec<String> {
        let mine = notices.iter().filter(|notice| notice["subscription"] == *subscription);
        mine.map(|notice| notice["result"]["event"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(of(&notices, &sends), ["send_accepted", "send_replied"]);
    let heard = of(&notices, &locks);
    for event in ["run_accepted", "lock_acquired", "lock_released", "run_ended"] {
        assert!(heard.iter().any(|heard| heard == event), "{event} is not in {heard:?}");
    }
    assert!(!json!(notices).to_string().contains("PRIVATE"));
    // Ended: the other subscription goes on.
    assert_eq!(ask(&mut socket, "events.unsubscribe", json!({"subscription": sends}))["result"], true);
    assert_eq!(ask(&mut socket, "events.unsubscribe", json!({"subscription": sends}))["result"], false);
    gateway.call("sessions.send", json!({"to": "agent:main:x", "message": "more"}));
    notices = events_until(&mut socket, "run_ended");
    assert_eq!(of(&notices, &sends), Vec::<String>::new());
}

#[test]
fn what_a_model_says_is_heard_while_it_is_said_and_written_nowhere() {
    let script = "agents:\n  main:\n    - stream: { chunks: 4, delayMs: 1 }\n      reply: 'one piece after the other'\n";
    let gateway = Gateway::start(Some(script));
    let mut socket = connect(&gateway, "/");
    let all = ask(&mut socket, "events.subscribe", json!({}))["result"].clone();
    let said = ask(&mut socket, "events.subscribe", json!({"kinds": ["deltas"]}))["result"].clone();
    let sent = gateway.call("sessions.send", json!({"to": "agent:main:x", "message": "hi"}));
    let notices = events_until(&mut socket, "run_ended");
    let deltas: Vec<&Value> =
        notices.iter().filter(|notice| notice["result"]["event"] == "run_delta").collect();
    assert_eq!(deltas.len(), 4);
    for delta in &deltas {
        assert_eq!(delta["subscription"], said, "only who names them: {all}");
        assert_eq!(delta["result"]["sessionKey"], "agent:main:x");
        assert_eq!(delta["result"]["runId"], sent["runId"]);
    }
    let text: String = deltas.iter().map(|delta| delta["result"]["text"].as_str().unwrap()).collect();
    assert_eq!(text, "one piece after the other");
    assert!(gateway.events().iter().all(|line| line["event"] != "run_delta"));
    assert!(!gateway.log().contains("piece after"));
}

#[test]
fn a_candidate_that_is_passed_over_is_told_with_the_reason() {
    let script = "
agents:
  main:
    - when: 'first'
      fail: { code: provider.rate_limit }
      reply: 'late'
    - reply: 'ok'
";
    let gateway = Gateway::start(Some(script));
    let mut socket = connect(&gateway, "/");
    ask(&mut socket, "events.subscribe", json!({"kinds": ["decisions"]}));
    gateway.call("agent", json!({"sessionKey": "agent:main:x", "message": "first"}));
    let run = gateway.call("agent", json!({"sessionKey": "agent:main:x", "message": "second"}));
    let notices = events_until(&mut socket, "candidate_skipped");
    let told = |at: usize| notices[at]["result"].clone();
    assert_eq!((&told(0)["event"], &told(1)["event"]), (&json!("model_failed"), &json!("cooldown_set")));
    let skipped = notices.last().unwrap()["result"].clone();
    assert_eq!((&skipped["candidate"], &skipped["why"]), (&json!("scripted/a"), &json!("cooling")));
    assert_eq!((&skipped["runId"], &skipped["until"]), (&run["runId"], &told(1)["until"]));
}

#[test]
fn calls_of_a_connection_run_beside_each_other_and_wrong_ones_are_typed() {
    let gateway = Gateway::start(Some(
        "agents:\n  slow:\n    - delayMs: 60000\n      reply: never\n  '*':\n    - reply: ok\n",
    ));
    let mut socket = connect(&gateway, "/rpc");
    say(
        &mut socket,
        &json!({"jsonrpc": "2.0", "id": "slow", "method": "agent", "params": {"sessionKey": "agent:slow:x", "message": "hi"}}),
    );
    assert_eq!(ask(&mut socket, "health", json!({}))["result"]["ok"], true);
    for (message, number, code) in [
        ("not json", -32700, "request.format"),
        ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"no.such\"}", -32601, "local.config"),
        ("{\"id\":1}", -32600, "request.format"),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events.subscribe\",\"params\":{\"kinds\":[\"x\"]}}",
            -32602,
            "request.format",
        ),
        (
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sessions.send\",\"params\":{}}",
            -32602,
            "request.format",
        ),
    ] {
        socket.send(Message::text(message)).unwrap();
        let error = hear(&mut socket)["error"].clone();
        assert_eq!((&error["code"], &error["data"]["code"]), (&json!(number), &json!(code)), "{message}");
        assert!(error["data"]["message"].as_str().unwrap().len() > 20, "{error}");
    }
    // A batch is answered as one, with the wire form in each error.
    socket.send(Message::text("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"health\"},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"no\"},7]")).unwrap();
    let answers = hear(&mut socket);
    assert_eq!(answers[0]["result"]["ok"], true);
    assert_eq!(answers[1]["error"]["data"]["code"], "local.config");
    assert_eq!(answers[2]["error"]["data"]["code"], "request.format");
}

#[test]
fn a_client_that_does_not_read_misses_events_and_slows_nobody() {
    let gateway = Gateway::start(None);
    let mut slow = connect(&gateway, "/");
    ask(&mut slow, "events.subscribe", json!({}));
    let mut quick = connect(&gateway, "/");
    let mut driver = connect(&gateway, "/");
    ask(&mut quick, "events.subscribe", json!({"kinds": ["sends"]}));
    // Until the slow one's buffers in both kernels are full and the ring has gone round behind it. Nothing says so from
    // outside, so it is more than they can hold: each send is some eight notices of 150 bytes to each of many subscriptions.
    for _ in 0..15 {
        ask(&mut slow, "events.subscribe", json!({}));
    }
    let (rounds, at_once) = (12, 48);
    let sends = rounds * at_once;
    for _ in 0..rounds {
        for number in 0..at_once {
            let params = json!({"to": format!("agent:main:s{number}"), "message": "hi", "timeoutMs": 60000});
            say(
                &mut driver,
                &json!({"jsonrpc": "2.0", "id": number, "method": "sessions.send", "params": params}),
            );
        }
        for _ in 0..at_once {
            let answer = hear(&mut driver);
            assert_eq!(answer["result"]["replied"], true, "{answer}");
        }
    }
    let mut replied = 0;
    while replied < sends {
        let notice = hear(&mut quick)["params"]["result"].clone();
        assert_ne!(notice["event"], "lagged", "the quick one missed something");
        replied += usize::from(notice["event"] == "send_replied");
    }
    // The slow one reads at last, and is told.
    let notices = events_until(&mut slow, "lagged");
    assert!(notices.last().unwrap()["result"]["missed"].as_u64().unwrap() > 0);
}

#[test]
fn the_end_of_the_gateway_answers_what_is_under_way_and_closes_with_a_reason() {
    let gateway = Gateway::start(Some("agents:\n  '*':\n    - delayMs: 60000\n      reply: never\n"));
    let mut socket = connect(&gateway, "/");
    say(
        &mut socket,
        &json!({"jsonrpc": "2.0", "id": 1, "method": "agent", "params": {"sessionKey": "agent:main:x", "message": "hi"}}),
    );
    until("the turn", || gateway.call("health", json!({}))["lanes"]["turns"] == 1);
    let audit = std::thread::spawn(move || gateway.stop());
    let answer = hear(&mut socket);
    assert_eq!(answer["result"]["outcome"], "cancelled", "{answer}");
    // The message is in the transcript.
    assert_eq!(answer["result"]["error"]["effect"], "done", "{answer}");
    let last = socket.read().unwrap();
    let Message::Close(Some(frame)) = &last else { panic!("{last:?}") };
    assert_eq!(u16::from(frame.code), 1001);
    audit.join().unwrap();
}
