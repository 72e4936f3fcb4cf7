//! The numbers at `/metrics`, read by a parser nobody here wrote: the one of the Prometheus project's Python client.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::{
    moorline,
    running::{Gateway, MODELS},
    until,
};

/// Reads the text form strictly and prints every sample by name and labels.
const PARSER: &str = r#"
import json, sys
from prometheus_client.parser import text_string_to_metric_families
out = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.documentation, family.name
    for sample in family.samples:
        labels = ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))
        out[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
json.dump(out, sys.stdout)
"#;

fn look(gateway: &Gateway) -> BTreeMap<String, f64> {
    let (status, text) = gateway.get("/metrics");
    assert_eq!(status, 200);
    let mut parser = Command::new("/usr/bin/python3")
        .args(["-c", PARSER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    parser.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = parser.wait_with_output().unwrap();
    assert!(output.status.success(), "{text}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Takes the lock of a session, is killed with it, and so leaves a dead owner's.
fn leave_a_dead_lock(gateway: &Gateway, transcript: &str) {
    let mut child = moorline(gateway.dir.path())
        .args(["lock", "exec", transcript, "--", "sh", "-c", "echo held; exec sleep 600"])
        .stdout(Stdio::piped())
        .process_group()
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
        .unwrap();
    assert_eq!(line, "held\n");
    let group = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process_group(group, rustix::process::Signal::KILL).unwrap();
    child.wait().unwrap();
}

trait OwnGroup {
    fn process_group(&mut self) -> &mut Self;
}

impl OwnGroup for Command {
    fn process_group(&mut self) -> &mut Self {
        std::os::unix::process::CommandExt::process_group(self, 0)
    }
}

#[test]
#[ignore = "needs python3-prometheus-client"]
fn the_numbers_move_as_what_happens_says() {
    let gateway = Gateway::start(Some(MODELS));
    let at = |numbers: &BTreeMap<String, f64>, name: &str| numbers.get(name).copied().unwrap_or(0.0);
    let before = look(&gateway);
    assert_eq!((at(&before, "moorline_runs_accepted_total"), at(&before, "moorline_sends_open")), (0.0, 0.0));

    let send = |to: &str, timeout: u64| {
        gateway.call("sessions.send", json!({"to": to, "message": "SECRET words", "timeoutMs": timeout}))
    };
    for _ in 0..3 {
        assert_eq!(send("agent:main:desk", 30000)["replied"], true);
    }
    assert_eq!(send("agent:moody:a", 30000)["reply"], "better now");
    let (_, wire) = gateway.refused("sessions.send", json!({"to": "agent:main:desk", "message": " "}));
    assert_eq!(wire["code"], "request.format");
    let (_, _) = gateway.refused("no.such.method", json!({}));
    gateway.call("sessions.spawn", json!({"requester": "agent:main:desk", "task": "dig"}));
    until("the announce", || gateway.call("health", json!({}))["announces"]["delivered"] == 1);
    leave_a_dead_lock(&gateway, "state/sessions/main/desk.jsonl");
    assert_eq!(send("agent:main:desk", 30000)["replied"], true);
    // Two for a session whose first turn does not end.
    for _ in 0..2 {
        send("agent:slow:a", 0);
    }

    let after = look(&gateway);
    let moved = |name: &str| at(&after, name) - at(&before, name);
    for (name, by) in [
        ("moorline_sends_accepted_total", 7.0),
        ("moorline_sends_settled_total{outcome=replied}", 5.0),
        ("moorline_sends_open", 2.0),
        ("moorline_lanes", 1.0),
        ("moorline_turns_open", 2.0),
        ("moorline_lane_turns_max", 2.0),
        ("moorline_spawns_accepted_total", 1.0),
        ("moorline_announces{state=delivered}", 1.0),
        ("moorline_announces_delivered_total", 1.0),
        ("moorline_model_calls_total{code=provider.rate_limit}", 1.0),
        ("moorline_candidates_burned_total{code=provider.rate_limit}", 1.0),
        ("moorline_cooldowns_total{why=rate_limit}", 1.0),
        ("moorline_rpc_requests_total{code=ok,method=sessions.send}", 7.0),
        ("moorline_rpc_requests_total{code=request.format,method=sessions.send}", 1.0),
        ("moorline_rpc_requests_total{code=local.config,method=unknown}", 1.0),
        ("moorline_rpc_requests_total{code=ok,method=sessions.spawn}", 1.0),
        ("moorline_takeovers_total", 0.0),
        ("moorline_lock_safety_ticks_total", 0.0),
    ] {
        assert_eq!(moved(name), by, "{name} in {after:#?}");
    }
    let reclaims: f64 = after
        .iter()
        .filter(|(name, _)| name.starts_with("moorline_lock_reclaims_total{"))
        .map(|(_, n)| n)
        .sum();
    assert_eq!(reclaims, 1.0, "{after:#?}");
    let (waits, acquired) =
        (moved("moorline_lock_wait_seconds_count"), moved("moorline_locks_acquired_total"));
    assert!(waits >= 7.0 && waits == acquired, "{waits} and {acquired}");
    // One more is held or was: the slow turn's.
    let holds = moved("moorline_lock_hold_seconds_count");
    assert!(holds == waits || holds == waits - 1.0, "{holds} and {waits}");
    assert!(moved("moorline_lock_wait_seconds_sum") < 60.0);

    let text = gateway.get("/metrics").1;
    for secret in ["SECRET", "agent:", "desk", "state/", &gateway.token()] {
        assert!(!text.contains(secret), "{secret} is in the metrics");
    }
    let page = include_str!("../../../../docs/metrics.md");
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        assert!(
            page.contains(&format!("| `{name}` | {kind} |")),
            "{name} ({kind}) is not in docs/metrics.md"
        );
    }
}

#[test]
fn metrics_are_behind_the_token() {
    let gateway = Gateway::start(None);
    assert_eq!(gateway.get("/metrics").0, 200);
    let address = gateway.address();
    let mut stream = std::net::TcpStream::connect(&address).unwrap();
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 ") && !answer.contains("moorline_"), "{answer}");
}
