//! The session tools before an MCP client of others (`tests/peers/mcp.mjs`), over both transports.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{json, moorline, running::Gateway, until};

const SLOW: &str = "agents:\n  slow:\n    - delayMs: 1500\n      reply: 'late: {message}'\n  '*':\n    - reply: 'heard: {message}'\n";

/// A client process; commands go in, outcomes come out under the names that were given.
struct Client {
    child: Child,
    say: Option<ChildStdin>,
    hear: BufReader<ChildStdout>,
    outcomes: HashMap<String, Value>,
}

impl Client {
    fn start(args: &[&str]) -> Self {
        let mut client = Self::spawn(args);
        let hello = client.outcome("connect");
        assert_eq!(hello["result"]["server"]["name"], "moorline", "{hello}");
        client
    }

    fn spawn(args: &[&str]) -> Self {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers");
        assert!(
            peers.join("node_modules").exists(),
            "run `npm ci --prefix tests/peers` first, as .ci/run does"
        );
        let mut child = Command::new("node")
            .arg(peers.join("mcp.mjs"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (say, hear) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, say, hear, outcomes: HashMap::new() }
    }

    fn stdio(gateway: &Gateway, more: &[&str]) -> Self {
        let state = gateway.state().display().to_string();
        let mut args = vec!["stdio", env!("CARGO_BIN_EXE_moorline"), "mcp", "--state", &state];
        args.extend(more);
        Self::start(&args)
    }

    fn http(gateway: &Gateway, more: &[(&str, &str)]) -> Self {
        let mut headers = json!({"Authorization": format!("Bearer {}", gateway.token())});
        for (name, value) in more {
            headers[*name] = json!(value);
        }
        Self::start(&["http", &format!("http://{}/mcp", gateway.address()), &headers.to_string()])
    }

    fn tell(&mut self, command: &Value) {
        writeln!(self.say.as_mut().unwrap(), "{command}").unwrap();
    }

    /// Waits for what came of a command.
    fn outcome(&mut self, name: &str) -> Value {
        loop {
            if let Some(outcome) = self.outcomes.remove(name) {
                return outcome;
            }
            let mut line = String::new();
            assert_ne!(self.hear.read_line(&mut line).unwrap(), 0, "the client ended before {name}");
            let mut outcome = json(line.as_bytes());
            let name = outcome["as"].take().as_str().unwrap().to_owned();
            self.outcomes.insert(name, outcome);
        }
    }

    fn begin(&mut self, name: &str, tool: &str, arguments: Value) {
        self.tell(&json!({"op": "call", "as": name, "name": tool, "arguments": arguments}));
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.begin("call", tool, arguments);
        self.outcome("call")
    }

    /// The structured answer of a call that must succeed.
    fn answer(&mut self, tool: &str, arguments: Value) -> Value {
        let outcome = self.call(tool, arguments);
        assert_eq!(outcome["result"]["isError"], false, "{tool}: {outcome}");
        // A client that knows no structured content reads the same as text.
        let text = outcome["result"]["content"][0]["text"].as_str().unwrap();
        assert_eq!(json(text.as_bytes()), outcome["result"]["structuredContent"]);
        outcome["result"]["structuredContent"].clone()
    }

    /// The wire form of a call that must be refused.
    fn refused(&mut self, tool: &str, arguments: Value) -> Value {
        let outcome = self.call(tool, arguments);
        assert_eq!(outcome["result"]["isError"], true, "{tool}: {outcome}");
        let wire = outcome["result"]["structuredContent"].clone();
        let text = outcome["result"]["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(wire["code"].as_str().unwrap()), "{text}");
        wire
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.say.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn transcript(gateway: &Gateway, file: &str) -> PathBuf {
    gateway.state().join("sessions").join(file)
}

/// How often a text stands in a transcript.
fn times(gateway: &Gateway, file: &str, text: &str) -> usize {
    std::fs::read_to_string(transcript(gateway, file)).unwrap_or_default().matches(text).count()
}

fn every_tool_works_and_errors_can_be_read(client: &mut Client, gateway: &Gateway) {
    client.tell(&json!({"op": "list", "as": "list"}));
    let listed = client.outcome("list");
    let tools = listed["result"]["tools"].as_array().unwrap();
    let mut names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["session_status", "sessions_history", "sessions_list", "sessions_send", "sessions_spawn"]
    );
    assert!(
        tools.iter().all(|tool| tool["inputSchema"]["type"] == "object" && tool["description"].is_string())
    );

    let desk = "agent:main:desk";
    let sent = client.answer("sessions_send", json!({"to": desk, "message": "a question"}));
    assert_eq!((&sent["replied"], &sent["reply"]), (&json!(true), &json!("heard: a question")));
    let spawned = client.answer("sessions_spawn", json!({"requester": desk, "task": "dig"}));
    assert!(spawned["childSessionKey"].as_str().unwrap().starts_with("agent:main:subagent:"));
    until("the announce", || gateway.call("health", json!({}))["announces"]["delivered"] == 1);
    let sessions = client.answer("sessions_list", json!({}));
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 2, "{sessions}");
    let history = client.answer("sessions_history", json!({"key": desk, "limit": 2}));
    assert_eq!(history["messages"].as_array().unwrap().len(), 2);
    assert!(history["messages"][0]["text"].as_str().unwrap().contains("sub-agent result"), "{history}");
    assert_eq!(client.answer("session_status", json!({}))["ok"], true);

    let wire = client.refused("sessions_send", json!({"to": "../../etc/passwd", "message": "hi"}));
    assert_eq!((&wire["code"], &wire["domain"]), (&json!("request.format"), &json!("request")));
    assert!(wire["message"].as_str().unwrap().contains("`to`"), "{wire}");
    let wire = client.refused("sessions_send", json!({"to": desk}));
    assert!(wire["message"].as_str().unwrap().contains("`message` is missing"), "{wire}");
    let wire = client.refused("sessions_send", json!({"to": desk, "message": "  "}));
    assert_eq!(wire["code"], "request.format");
    let unknown = client.call("sessions_delete", json!({}));
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
}

fn a_repeated_request_is_the_same_send(client: &mut Client, gateway: &Gateway) {
    let request = json!({"id": "again", "method": "tools/call", "params": {
        "name": "sessions_send", "arguments": {"to": "agent:main:once", "message": "only once"},
    }});
    let mut run = Value::Null;
    for _ in 0..3 {
        client.tell(&json!({"op": "by-hand", "as": "answer", "request": request}));
        let answer = client.outcome("answer")["result"]["structuredContent"].clone();
        assert_eq!(answer["reply"], "heard: only once", "{answer}");
        assert!(run.is_null() || run == answer["runId"]);
        run = answer["runId"].clone();
    }
    // The same key from anywhere is the same send, another request under it is refused.
    let keyed = |text: &str| json!({"to": "agent:main:once", "message": text, "idempotencyKey": "mine"});
    let first = client.answer("sessions_send", keyed("with a key"));
    assert_eq!(client.answer("sessions_send", keyed("with a key"))["runId"], first["runId"]);
    assert_eq!(client.refused("sessions_send", keyed("another"))["code"], "request.format");
    assert_eq!(times(gateway, "main/once.jsonl", "\"only once\""), 1);
    assert_eq!(times(gateway, "main/once.jsonl", "\"with a key\""), 1);
}

fn a_cancelled_call_ends_the_wait_and_not_the_send(client: &mut Client, gateway: &Gateway) {
    client.begin("slow", "sessions_send", json!({"to": "agent:slow:a", "message": "take your time"}));
    until("the message", || times(gateway, "slow/a.jsonl", "take your time") > 0);
    client.tell(&json!({"op": "cancel", "as": "slow"}));
    let cancelled = client.outcome("slow");
    assert!(cancelled["error"]["message"].as_str().unwrap().contains("no longer wanted"), "{cancelled}");
    assert_eq!(times(gateway, "slow/a.jsonl", "late: "), 0);
    // The connection serves on, and the turn goes to its end.
    assert_eq!(client.answer("session_status", json!({}))["ok"], true);
    until("the reply", || times(gateway, "slow/a.jsonl", "late: take your time") == 1);
}

#[test]
#[ignore = "needs node and the npm registry"]
fn a_client_of_others_uses_the_tools_over_stdio() {
    let gateway = Gateway::start(Some(SLOW));
    let mut client = Client::stdio(&gateway, &[]);
    every_tool_works_and_errors_can_be_read(&mut client, &gateway);
    a_repeated_request_is_the_same_send(&mut client, &gateway);
    a_cancelled_call_ends_the_wait_and_not_the_send(&mut client, &gateway);
    drop(client);
    let audit = gateway.stop();
    assert_eq!((&audit["lost"], &audit["duplicated"]), (&json!(0), &json!(0)));
}

#[test]
#[ignore = "needs node and the npm registry"]
fn a_client_of_others_uses_the_tools_over_http() {
    let gateway = Gateway::start_logging(Some(SLOW), "trace");
    let mut client = Client::http(&gateway, &[]);
    every_tool_works_and_errors_can_be_read(&mut client, &gateway);
    a_repeated_request_is_the_same_send(&mut client, &gateway);
    a_cancelled_call_ends_the_wait_and_not_the_send(&mut client, &gateway);
    let mut bound = Client::http(&gateway, &[("Moorline-Session", "agent:main:me")]);
    bound.answer("sessions_spawn", json!({"task": "dig"}));
    until("the announce", || times(&gateway, "main/me.jsonl", "sub-agent result") > 0);
    let mut wrong = Client::http(&gateway, &[("Moorline-Session", "../x")]);
    let wire = wrong.refused("sessions_list", json!({}));
    assert!(wire["message"].as_str().unwrap().contains("moorline-session"), "{wire}");
    // Their streams are open, and do not keep the gateway from ending. Whatever it is asked to log, what they said and the
    // token are not in it.
    let mut gateway = gateway;
    gateway.end();
    let log = gateway.log();
    assert!(log.contains("shutting down") && !log.contains("did not end in time"), "{log}");
    for secret in [gateway.token().as_str(), "a question", "only once", "heard: "] {
        let told = log.lines().find(|line| line.contains(secret));
        assert_eq!(told, None, "{secret:?} was logged");
    }
}

#[test]
#[ignore = "needs node and the npm registry"]
fn a_client_without_the_token_is_told_nothing() {
    let gateway = Gateway::start(None);
    for headers in ["{}", "{\"Authorization\":\"Bearer wrong\"}"] {
        let mut client = Client::spawn(&["http", &format!("http://{}/mcp", gateway.address()), headers]);
        let refused = client.outcome("connect");
        assert!(refused["error"]["message"].as_str().unwrap().contains("Bearer"), "{refused}");
    }
}

#[test]
#[ignore = "needs node and the npm registry"]
fn a_client_that_speaks_for_a_session_gets_the_results_there() {
    let gateway = Gateway::start(None);
    let mut client = Client::stdio(&gateway, &["--session", "agent:main:me"]);
    let spawned = client.answer("sessions_spawn", json!({"task": "dig"}));
    assert!(spawned["childSessionKey"].as_str().unwrap().starts_with("agent:main:subagent:"));
    until("the announce", || times(&gateway, "main/me.jsonl", "sub-agent result") > 0);
    let wire = client.refused("sessions_spawn", json!({"task": "dig", "requester": "agent:main:other"}));
    assert!(wire["message"].as_str().unwrap().contains("`requester`"), "{wire}");
}

#[test]
#[ignore = "needs node and the npm registry"]
fn a_gateway_that_is_gone_is_a_typed_result_and_the_next_one_is_found() {
    let mut gateway = Gateway::start(None);
    let mut client = Client::stdio(&gateway, &[]);
    assert_eq!(client.answer("session_status", json!({}))["ok"], true);
    gateway.kill_and_restart();
    assert_eq!(client.answer("session_status", json!({}))["ok"], true);
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("sessions")).unwrap();
    let state = dir.path().display().to_string();
    let mut alone = Client::start(&["stdio", env!("CARGO_BIN_EXE_moorline"), "mcp", "--state", &state]);
    let wire = alone.refused("sessions_list", json!({}));
    assert_eq!(wire["code"], "local.config");
    assert!(wire["message"].as_str().unwrap().contains("moorline serve"), "{wire}");
}

#[test]
fn what_is_no_request_does_not_end_the_connection() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("state/sessions")).unwrap();
    let mut mcp = moorline(dir.path());
    mcp.args(["mcp", "--state", "state"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = mcp.spawn().unwrap();
    let (mut say, mut hear) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
    let mut next = || {
        let mut line = String::new();
        assert_ne!(hear.read_line(&mut line).unwrap(), 0, "the connection ended");
        json(line.as_bytes())
    };
    let hello = json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}});
    writeln!(say, "{}", json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})).unwrap();
    assert_eq!(next()["id"], 1);
    writeln!(say, "{}", json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).unwrap();
    let ping = |id: u32| json!({"jsonrpc": "2.0", "id": id, "method": "ping"});
    writeln!(say, "{{no json\n{}\n{}", "x".repeat(2 * 1024 * 1024), ping(2)).unwrap();
    assert_eq!(next()["id"], 2, "what is not JSON is passed over");
    writeln!(say, "{{\"jsonrpc\":\"2.0\",\"id\":3}}\n{}", ping(4)).unwrap();
    assert_eq!(next()["error"]["code"], -32600);
    assert_eq!(next()["id"], 4);
    drop(say);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn an_mcp_server_ends_with_its_client_and_says_what_is_wrong_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let mcp =
        |args: &[&str]| moorline(dir.path()).arg("mcp").args(args).stdin(Stdio::null()).output().unwrap();
    assert_eq!(mcp(&["--state", "nowhere"]).status.code(), Some(65));
    std::fs::create_dir_all(dir.path().join("state/sessions")).unwrap();
    assert_eq!(mcp(&["--state", "state"]).status.code(), Some(0));
    let output = mcp(&["--state", "state", "--session", "../x"]);
    assert_eq!(output.status.code(), Some(65));
    assert!(String::from_utf8_lossy(&output.stderr).contains("session key"));
    assert_eq!(output.stdout, b"");
}
