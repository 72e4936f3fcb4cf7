//! `moorline serve`, `call`, `agent`, `audit` and `demo`.

use std::{path::Path, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::{code, json, moorline, run, running::Gateway, until};

fn health() -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "health"}).to_string()
}

#[test]
fn nobody_gets_in_without_the_token_or_from_another_origin() {
    let gateway = Gateway::start(None);
    assert_eq!(gateway.http("", &health()).0, 401);
    assert_eq!(gateway.http("Authorization: Bearer wrong\r\n", &health()).0, 401);
    assert_eq!(gateway.http(&format!("Authorization: Basic {}\r\n", gateway.token()), &health()).0, 401);
    let token = format!("Authorization: Bearer {}\r\n", gateway.token());
    let (status, body) = gateway.http(&token, &health());
    assert_eq!((status, &json(body.as_bytes())["result"]["ok"]), (200, &json!(true)));
    assert_eq!(gateway.http(&format!("{token}Origin: http://evil.example\r\n"), &health()).0, 403);
    assert_eq!(gateway.http(&format!("{token}Origin: http://{}\r\n", gateway.address()), &health()).0, 200);
    assert_eq!(gateway.http_claiming(&token, "", 2 << 20).0, 413);
    assert_eq!(gateway.http(&token, &health()).0, 200);
    use std::os::unix::fs::PermissionsExt;
    let mode =
        |name: &str| std::fs::metadata(gateway.state().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("token"), mode("gateway.json"), mode("")), (0o600, 0o600, 0o700));
}

#[test]
fn a_second_gateway_is_told_who_owns_the_state_directory() {
    let gateway = Gateway::start(None);
    let output = gateway.run(&["serve", "--port", "0"]);
    assert_eq!(code(&output), 75);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains(&format!("pid {}", gateway.child.id())), "{text}");
}

#[test]
fn keys_that_look_like_paths_are_refused_typed() {
    let gateway = Gateway::start(None);
    for key in ["../../etc/passwd", "agent:main:../../x", "agent:..:x", "agent:main:a/b", "agent:main:"] {
        let (exit, wire) = gateway.refused("sessions.create", json!({"key": key}));
        assert_ne!(exit, 0);
        assert_eq!(wire["code"], "request.format", "{wire}");
    }
    for path in ["/etc/passwd", "../token", "sessions/../../token"] {
        let (_, wire) = gateway.refused("locks.inspect", json!({"path": path}));
        assert!(wire["message"].as_str().unwrap().contains("state directory"), "{wire}");
    }
    let (exit, wire) = gateway.refused("no.such.method", json!({}));
    assert_eq!((exit, &wire["code"]), (64, &json!("local.config")));
    let (_, wire) = gateway.refused("sessions.send", json!({"to": "agent:main:x", "message": "   "}));
    assert_eq!(wire["code"], "request.format");
    let (_, wire) =
        gateway.refused("sessions.send", json!({"to": "agent:main:x", "message": "hi", "maxPingPong": 21}));
    assert!(wire["message"].as_str().unwrap().contains("0 to 20"), "{wire}");
}

#[test]
fn a_send_is_replied_once_however_often_it_is_asked_for() {
    let gateway = Gateway::start(None);
    let params = json!({"from": "agent:review:desk", "to": "agent:main:desk", "message": "a question", "idempotencyKey": "k1", "maxPingPong": 1});
    let first = gateway.call("sessions.send", params.clone());
    assert_eq!(
        (&first["accepted"], &first["delivered"], &first["replied"]),
        (&json!(true), &json!(true), &json!(true))
    );
    assert_eq!(first["reply"], "main heard: a question");
    let second = gateway.call("sessions.send", params);
    assert_eq!(second["runId"], first["runId"]);
    let history = gateway.call("sessions.history", json!({"key": "agent:main:desk"}));
    assert_eq!(history["messages"].as_array().unwrap().len(), 2);
    // The reply reaches the sender's own transcript as a turn.
    until("the reply", || {
        let history = gateway.call("sessions.history", json!({"key": "agent:review:desk"}));
        history["messages"]
            .as_array()
            .unwrap()
            .iter()
            .any(|message| message["text"].as_str().unwrap().contains("main heard: a question"))
    });
    until("the end of the exchange", || gateway.call("health", json!({}))["lanes"]["turns"] == 0);
    let audit = gateway.stop();
    assert_eq!(audit["sends"], json!({"of": 1, "ok": 1}));
}

#[test]
fn a_deadline_bounds_the_caller_not_the_send() {
    let gateway = Gateway::start(Some("agents:\n  '*':\n    - delayMs: 400\n      reply: late\n"));
    let answer =
        gateway.call("sessions.send", json!({"to": "agent:main:x", "message": "hi", "timeoutMs": 20}));
    assert_eq!((&answer["accepted"], &answer["replied"]), (&json!(true), &json!(false)));
    let waited = gateway.call("agent.wait", json!({"runId": answer["runId"]}));
    assert_eq!((&waited["outcome"], &waited["reply"]), (&json!("replied"), &json!("late")));
    assert_eq!(gateway.stop()["sends"], json!({"of": 1, "ok": 1}));
}

#[test]
fn the_results_of_a_burst_of_spawns_arrive_once_each() {
    let gateway = Gateway::start(None);
    for number in 0..12 {
        let answer = gateway.call(
            "sessions.spawn",
            json!({"requester": "agent:main:desk", "agent": "research", "task": format!("topic {number}")}),
        );
        assert_eq!(answer["accepted"], true);
        assert!(answer["childSessionKey"].as_str().unwrap().starts_with("agent:research:subagent:"));
    }
    until("the announces", || gateway.call("health", json!({}))["announces"]["delivered"] == 12);
    let rows = gateway.call("announce.list", json!({}));
    assert!(rows["rows"].as_array().unwrap().iter().all(|row| row["state"] == "delivered"), "{rows}");
    let audit = gateway.stop();
    assert_eq!(audit["spawns"], json!({"of": 12, "ok": 12}));
    assert_eq!(audit["announces"], json!({"of": 12, "ok": 12}));
}

#[test]
fn a_wedged_run_is_aborted_without_deleting_anything() {
    let gateway = Gateway::start(Some("agents:\n  '*':\n    - delayMs: 600000\n      reply: never\n"));
    let answer =
        gateway.call("sessions.send", json!({"to": "agent:main:x", "message": "hi", "timeoutMs": 50}));
    gateway.call("agent.abort", json!({"runId": answer["runId"]}));
    let waited = gateway.call("agent.wait", json!({"runId": answer["runId"], "timeoutMs": 5000}));
    assert_eq!(waited["outcome"], "cancelled", "{waited}");
    assert_eq!(waited["error"]["code"], "cancelled.user");
    gateway.stop();
}

#[test]
fn a_runner_process_and_the_gateway_meet_at_the_lock() {
    let gateway = Gateway::start(None);
    let output = gateway.run(&["agent", "--session", "agent:main:desk", "--message", "hello", "--json"]);
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(json(&output.stdout)["reply"], "main heard: hello");
    let history = gateway.call("sessions.history", json!({"key": "agent:main:desk"}));
    assert_eq!(history["messages"].as_array().unwrap().len(), 2);
    assert_eq!(gateway.stop()["turns"], json!({"of": 1, "ok": 1}));
}

#[test]
fn the_audit_finds_what_is_missing_doubled_and_torn() {
    let gateway = Gateway::start(None);
    gateway.call("sessions.send", json!({"to": "agent:main:desk", "message": "one", "idempotencyKey": "k1"}));
    let state = gateway.state();
    let audit = |state: &Path| {
        let output = moorline(state).args(["audit", "--json", "--state", "."]).output().unwrap();
        (code(&output), json(&output.stdout))
    };
    let transcript = state.join("sessions/main/desk.jsonl");
    let whole = std::fs::read_to_string(&transcript).unwrap();
    let mut gateway = gateway;
    kill_process(Pid::from_child(&gateway.child), Signal::TERM).unwrap();
    gateway.child.wait().unwrap();
    assert_eq!(audit(&state).0, 0);
    let user = whole.lines().find(|line| line.contains("k1")).unwrap();
    std::fs::write(&transcript, format!("{whole}{user}\n")).unwrap();
    // The copy is a message, an entry and a key that are there twice.
    assert_ne!(audit(&state).1["duplicated"], 0);
    std::fs::write(&transcript, whole.replace(user, "{}")).unwrap();
    assert_eq!(audit(&state).1["lost"], 1);
    std::fs::write(&transcript, &whole[..whole.len() - 5]).unwrap();
    // The reply that is cut was promised; the torn end itself is not held against anybody.
    let cut = audit(&state);
    assert_eq!(
        (cut.0, &cut.1["lost"], &cut.1["torn"], &cut.1["tornTails"]),
        (1, &json!(1), &json!(0), &json!(1))
    );
    std::fs::write(&transcript, whole.replacen('\n', "\n{\"half\n", 1)).unwrap();
    let torn = audit(&state);
    assert_eq!((torn.0, &torn.1["torn"]), (1, &json!(1)));
}

/// What a kill leaves, and the next owner puts right, is no violation; a lock that is held says that somebody still writes.
#[test]
fn the_audit_passes_what_the_next_owner_puts_right() {
    let dir = tempfile::tempdir().unwrap();
    let turn = |more: &[&str]| {
        let mut command = moorline(dir.path());
        command
            .args(["agent", "--state", "state", "--session", "agent:main:desk", "--message", "hello"])
            .args(more);
        command.stdout(Stdio::null());
        command
    };
    assert!(turn(&[]).status().unwrap().success());
    let audit = || {
        let output = run(dir.path(), &["audit", "--json", "--state", "state"]);
        (code(&output), json(&output.stdout))
    };
    let mut owner = turn(&["--compact-first-ms", "60000"]).spawn().unwrap();
    let events = dir.path().join("state/events");
    until("its lock", || {
        let files = std::fs::read_dir(&events).unwrap();
        files
            .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
            .any(|text| text.contains("\"lock_held\""))
    });
    let (exit, found) = audit();
    assert_eq!((exit, &found["deadLocks"], &found["locksLeft"]), (1, &json!(0), &json!(1)), "{found}");
    assert!(found["problems"].to_string().contains("somebody may still write"), "{found}");
    owner.kill().unwrap();
    owner.wait().unwrap();
    let transcript = dir.path().join("state/sessions/main/desk.jsonl");
    let whole = std::fs::read_to_string(&transcript).unwrap();
    std::fs::write(&transcript, format!("{whole}{{\"half")).unwrap();
    let (exit, found) = audit();
    assert_eq!((exit, &found["deadLocks"], &found["tornTails"]), (0, &json!(1), &json!(1)), "{found}");
    let table = String::from_utf8(run(dir.path(), &["audit", "--state", "state"]).stdout).unwrap();
    assert!(
        table.contains("dead lock: ") && table.contains("torn tail: ") && table.ends_with("PASS\n"),
        "{table}"
    );
}

/// A hangup ends in order, as SIGTERM does. Started by `nohup`, the program does not hear it.
#[test]
fn a_hangup_ends_in_order() {
    let mut gateway = Gateway::start(None);
    kill_process(Pid::from_child(&gateway.child), Signal::HUP).unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&gateway.child.wait().unwrap()), Some(1));
    assert!(!gateway.state().join("gateway.json").exists());
    let state = gateway.dir.path().to_str().unwrap();
    let line =
        format!("trap '' HUP; exec {} serve --port 0 --state {state}/state", env!("CARGO_BIN_EXE_moorline"));
    gateway.child =
        std::process::Command::new("sh").args(["-c", &line]).stdout(Stdio::null()).spawn().unwrap();
    gateway.until_up();
    kill_process(Pid::from_child(&gateway.child), Signal::HUP).unwrap();
    gateway.end();
}

/// An interrupted demo leaves no process, not even the runner that it had stopped.
#[test]
fn an_interrupted_demo_ends_every_process() {
    for (signal, code, number) in [(Signal::INT, Some(130), None), (Signal::TERM, None, Some(15))] {
        let dir = tempfile::tempdir().unwrap();
        let mut command = moorline(dir.path());
        command.arg("demo").env("TMPDIR", dir.path());
        let mut demo = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut said = std::io::BufReader::new(demo.stdout.take().unwrap());
        let mut lines = String::new();
        while !lines.contains("SIGSTOP") {
            assert!(std::io::BufRead::read_line(&mut said, &mut lines).unwrap() > 0, "{lines}");
        }
        kill_process(Pid::from_child(&demo), signal).unwrap();
        let status = demo.wait().unwrap();
        assert_eq!((status.code(), std::os::unix::process::ExitStatusExt::signal(&status)), (code, number));
        std::io::Read::read_to_string(&mut said, &mut lines).unwrap();
        let (_, kept) = lines.split_once("kept: ").expect(&lines);
        let root = Path::new(kept.lines().next().unwrap()).canonicalize().unwrap();
        until("the end of every process", || crate::stress::processes_of(&root).is_empty());
    }
}

#[test]
fn the_demo_runs_and_its_audit_passes() {
    let dir = tempfile::tempdir().unwrap();
    let output = moorline(dir.path()).arg("demo").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    for part in ["coordination.lock_stale", "SIGKILL", "took over", "PASS", "nothing was lost"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn what_a_killed_gateway_promised_the_next_one_keeps_once() {
    let mut gateway = Gateway::start(Some(
        "agents:\n  slow:\n    - delayMs: 300\n      reply: 'slow heard: {message}'\n  '*':\n    - reply: 'heard: {message}'\n",
    ));
    for round in 0..4 {
        for number in 0..3 {
            let message = format!("round {round} number {number}");
            let send = json!({"from": "agent:main:desk", "to": format!("agent:slow:s{number}"), "message": message, "timeoutMs": 0, "maxPingPong": 1});
            gateway.call("sessions.send", send);
            gateway.call(
                "sessions.spawn",
                json!({"requester": "agent:main:desk", "agent": "slow", "task": message}),
            );
        }
        // Killed at another moment each time: before, during and after the model's answer.
        std::thread::sleep(std::time::Duration::from_millis(120 * round));
        gateway.kill_and_restart();
    }
    // Counted by the rows of the outbox: a gateway's own counters know nothing of what the one before it had kept.
    until("everything to be settled", || {
        let health = gateway.call("health", json!({}));
        let rows = gateway.call("announce.list", json!({}))["rows"].take();
        let rows = rows.as_array().unwrap();
        health["sends"]["open"] == 0
            && health["lanes"]["turns"] == 0
            && rows.iter().filter(|row| row["kind"] == "completion").count() == 12
            && rows.iter().all(|row| !row["settledAt"].is_null())
    });
    let audit = gateway.stop();
    assert_eq!(audit["sends"], json!({"of": 12, "ok": 12}));
    assert_eq!(audit["spawns"], json!({"of": 12, "ok": 12}));
    assert_eq!((&audit["lost"], &audit["duplicated"], &audit["torn"]), (&json!(0), &json!(0), &json!(0)));
}

#[test]
fn a_qa_run_shows_its_retries_and_fails_for_what_is_no_contention() {
    let dir = tempfile::tempdir().unwrap();
    let scenario = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    scenario(
        "held.yaml",
        "name: held\nsteps:\n  - create: { key: 'agent:review:d-{run}' }\n  - contention: { key: 'agent:review:d-{run}', holdMs: 1500 }\n  - send: { to: 'agent:review:d-{run}', message: knock, timeoutMs: 5000 }\n  - expect:\n      reply: { contains: knock }\n      attempts: { min: 2 }\n",
    );
    scenario(
        "wrong.yaml",
        "name: wrong\nsteps:\n  - send: { to: 'agent:review:w-{run}', message: 'session file locked (timeout 60000ms)', timeoutMs: 5000 }\n  - expect:\n      reply: { equals: something else }\n",
    );
    scenario("bad.yaml", "name: bad\nsteps:\n  - sned: {}\n");
    let qa = |args: &[&str]| moorline(dir.path()).args(["qa", "run", "--json"]).args(args).output().unwrap();
    let held = qa(&["held.yaml", "--junit", "held.xml"]);
    let report = json(&held.stdout);
    assert_eq!(code(&held), 0, "{report:#}");
    assert_eq!(report["counts"]["passedAfterRetry"], 1);
    assert!(std::fs::read_to_string(dir.path().join("held.xml")).unwrap().contains("flaky"));
    let wrong = qa(&["wrong.yaml"]);
    assert_eq!(code(&wrong), 1);
    assert_eq!(json(&wrong.stdout)["retries"], 0);
    assert_eq!(code(&qa(&["bad.yaml"])), 65);
    assert_eq!(code(&qa(&["no-such.yaml"])), 65);
}

#[test]
fn a_runner_that_is_asked_to_end_releases_and_ends_by_the_signal() {
    use std::os::unix::process::ExitStatusExt;
    let gateway = Gateway::start(Some("agents:\n  '*':\n    - delayMs: 600000\n      reply: never\n"));
    let agent = [
        "agent",
        "--session",
        "agent:main:desk",
        "--message",
        "hello",
        "--state",
        "state",
        "--script",
        "script.yaml",
    ];
    for signal in [Signal::TERM, Signal::INT, Signal::QUIT, Signal::ABORT] {
        let mut child = moorline(gateway.dir.path()).args(agent).stderr(Stdio::null()).spawn().unwrap();
        let pid = child.id();
        // Its turn is accepted, so its model thinks now or in a moment.
        until("the turn", || {
            let events = std::fs::read_dir(gateway.state().join("events")).unwrap().filter_map(Result::ok);
            let mine = events
                .map(|entry| entry.path())
                .find(|path| path.to_string_lossy().ends_with(&format!("-{pid}.jsonl")));
            mine.is_some_and(|path| std::fs::read_to_string(path).unwrap().contains("run_accepted"))
        });
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal.as_raw()));
        assert!(!gateway.state().join("sessions/main/desk.jsonl.lock").exists());
    }
    let audit = gateway.stop();
    assert_eq!(audit["turns"], json!({"of": 4, "ok": 4}));
    assert_eq!(audit["interrupted"], 0);
}

#[test]
fn an_idempotency_key_is_the_same_request_after_a_restart_and_no_other_one() {
    let mut gateway = Gateway::start(Some("agents:\n  '*':\n    - reply: 'heard: {message}'\n"));
    let send = json!({"to": "agent:main:a", "message": "pay once", "idempotencyKey": "PAY1"});
    let spawn = json!({"requester": "agent:main:a", "task": "dig", "idempotencyKey": "SP1"});
    assert_eq!(gateway.call("sessions.send", send.clone())["reply"], "heard: pay once");
    let child = gateway.call("sessions.spawn", spawn.clone())["childSessionKey"].clone();
    until("the announce", || gateway.call("health", json!({}))["announces"]["delivered"] == 1);
    let lines = |gateway: &Gateway| {
        std::fs::read_to_string(gateway.state().join("sessions/main/a.jsonl")).unwrap().lines().count()
    };
    let before = lines(&gateway);
    gateway.kill_and_restart();
    let again = gateway.call("sessions.send", send.clone());
    assert_eq!((&again["replied"], &again["reply"]), (&json!(true), &json!("heard: pay once")));
    assert_eq!(gateway.call("sessions.spawn", spawn)["childSessionKey"], child);
    assert_eq!(lines(&gateway), before);
    let (exit, wire) = gateway.refused(
        "sessions.send",
        json!({"to": "agent:main:a", "message": "pay twice", "idempotencyKey": "PAY1"}),
    );
    assert_eq!((exit, &wire["code"]), (65, &json!("request.format")));
    let audit = gateway.stop();
    assert_eq!((&audit["sends"], &audit["spawns"]), (&json!({"of": 1, "ok": 1}), &json!({"of": 1, "ok": 1})));
}

#[test]
fn reading_commands_do_not_make_up_a_state_directory() {
    let dir = tempfile::tempdir().unwrap();
    for args in [&["audit"][..], &["call", "health"], &["announce", "list"], &["parked", "list"]] {
        let output = moorline(dir.path()).args(args).args(["--state", "typo"]).output().unwrap();
        assert_eq!(code(&output), 65, "{args:?}");
        assert!(!dir.path().join("typo").exists());
    }
}

#[test]
fn the_settings_file_is_read_and_wrong_values_are_named() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("state")).unwrap();
    let agent = |config: &str| {
        std::fs::write(dir.path().join("state/config.yaml"), config).unwrap();
        let args = ["agent", "--state", "state", "--session", "agent:main:x", "--message", "hi", "--json"];
        moorline(dir.path()).args(args).output().unwrap()
    };
    assert_eq!(code(&agent("session:\n  writeLock:\n    staleMs: 5000\n    compat: { fsSafe: true }\n")), 0);
    for (config, names) in [
        ("session:\n  writeLock:\n    staleMs: soon\n", "session.writeLock.staleMs"),
        ("session:\n  writeLock:\n    stallMs: 5\n", "session.writeLock.stallMs"),
        ("sessions: {}\n", "sessions"),
        ("session: [", "config.yaml"),
    ] {
        let output = agent(config);
        assert_eq!(code(&output), 78, "{config}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains(names), "{text}");
    }
}

#[test]
fn a_gateway_that_was_started_for_somebody_ends_with_him() {
    let dir = tempfile::tempdir().unwrap();
    let mut demo = moorline(dir.path())
        .arg("demo")
        .env("TMPDIR", dir.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let gateway_pid = || {
        let folder = std::fs::read_dir(dir.path()).unwrap().filter_map(Result::ok).next()?;
        let bytes = std::fs::read(folder.path().join("state/gateway.json")).ok()?;
        json(&bytes)["pid"].as_i64()
    };
    until("the demo's gateway", || gateway_pid().is_some());
    let pid = Pid::from_raw(i32::try_from(gateway_pid().unwrap()).unwrap()).unwrap();
    demo.kill().unwrap();
    demo.wait().unwrap();
    until("the gateway's end", || rustix::process::test_kill_process(pid).is_err());
}
