//! `moorline doctor`: each thing is broken on purpose, and its finding is seen, with its exit code.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{code, json, moorline, running::Gateway, until};

/// A state directory with one session, which nobody serves.
fn used() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let args = ["agent", "--state", "state", "--session", "agent:main:x", "--message", "hi"];
    assert_eq!(code(&moorline(dir.path()).args(args).output().unwrap()), 0);
    let state = dir.path().join("state");
    (dir, state)
}

fn doctor(dir: &Path) -> (i32, Value) {
    let output = moorline(dir).args(["doctor", "--json", "--state", "state"]).output().unwrap();
    (code(&output), json(&output.stdout))
}

/// The findings of a check that are not ok.
fn found<'a>(report: &'a Value, check: &str) -> Vec<&'a Value> {
    let all = report["checks"].as_array().unwrap().iter();
    all.filter(|finding| finding["check"] == check && finding["state"] != "ok").collect()
}

/// Sees that one check alone complains, in these words, and says what to do.
fn complains(dir: &Path, exit: i32, check: &str, state: &str, says: &str) {
    let (code, report) = doctor(dir);
    assert_eq!(code, exit, "{report:#}");
    let bad: Vec<_> =
        report["checks"].as_array().unwrap().iter().filter(|one| one["state"] != "ok").collect();
    assert_eq!(bad.len(), 1, "{bad:#?}");
    assert_eq!((&bad[0]["check"], &bad[0]["state"]), (&json!(check), &json!(state)), "{:#}", bad[0]);
    assert!(bad[0]["what"].as_str().unwrap().contains(says), "{:#}", bad[0]);
    assert!(!bad[0]["do"].as_str().unwrap().is_empty());
    assert_eq!(report["ok"], false);
}

#[test]
fn a_healthy_directory_has_no_finding_and_is_left_as_it_was() {
    let (dir, state) = used();
    let listing = || {
        let mut all: Vec<_> = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path()).collect();
        all.sort();
        all
    };
    let before = listing();
    let (code, report) = doctor(dir.path());
    assert_eq!(code, 0, "{report:#}");
    assert_eq!(report["ok"], true);
    let checks: Vec<_> =
        report["checks"].as_array().unwrap().iter().map(|one| one["check"].as_str().unwrap()).collect();
    for check in [
        "stateDir",
        "token",
        "clock",
        "settings",
        "models",
        "inotify",
        "openFiles",
        "fileSystem",
        "gateway",
        "outbox",
        "locks",
        "tornTails",
        "parked",
        "events",
    ] {
        assert!(checks.contains(&check), "{check} is missing: {checks:?}");
    }
    assert_eq!(listing(), before);
    let shown = moorline(dir.path()).args(["doctor", "--state", "state"]).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("0 failed") && !shown.contains('\u{1b}'), "no colours in a pipe: {shown}");
}

#[test]
fn a_directory_that_is_none_is_not_made_up() {
    let dir = tempfile::tempdir().unwrap();
    complains(dir.path(), 1, "stateDir", "fail", "cannot be looked at");
    assert!(!dir.path().join("state").exists());
    fs::create_dir(dir.path().join("state")).unwrap();
    fs::set_permissions(dir.path().join("state"), fs::Permissions::from_mode(0o700)).unwrap();
    complains(dir.path(), 1, "stateDir", "fail", "no sessions");
}

#[test]
fn what_others_can_read_is_found_with_its_mode() {
    let (dir, state) = used();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    complains(dir.path(), 1, "permissions", "fail", "mode 755");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(state.join("token"), "x".repeat(40)).unwrap();
    fs::set_permissions(state.join("token"), fs::Permissions::from_mode(0o640)).unwrap();
    complains(dir.path(), 1, "permissions", "fail", "mode 640");
    fs::set_permissions(state.join("token"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(state.join("token"), "short").unwrap();
    complains(dir.path(), 1, "token", "fail", "fewer than 32");
}

#[test]
fn a_wrong_configuration_is_a_code_of_its_own() {
    let (dir, state) = used();
    fs::write(state.join("config.yaml"), "limits: { turn: 3, pingPong: 99 }\n").unwrap();
    let (code, report) = doctor(dir.path());
    assert_eq!(code, 78, "{report:#}");
    let says: Vec<_> = found(&report, "settings").iter().map(|one| one["what"].as_str().unwrap()).collect();
    assert_eq!(says.len(), 2, "{says:?}");
    assert!(says.iter().any(|what| what.contains("did you mean limits.turns?")), "{says:?}");
    fs::write(state.join("config.yaml"), "session: { writeLock: { maxHoldMs: 1800000 } }\n").unwrap();
    complains(dir.path(), 1, "settings", "warn", "not below staleMs");
    fs::remove_file(state.join("config.yaml")).unwrap();
    let mut command = moorline(dir.path());
    command.env("MOORLINE_LIMITS_TURN", "3").args(["doctor", "--json", "--state", "state"]);
    let report = json(&command.output().unwrap().stdout);
    let unknown = found(&report, "settings")[0]["what"].as_str().unwrap();
    assert!(
        unknown.contains("MOORLINE_LIMITS_TURN ") && unknown.contains("MOORLINE_LIMITS_TURNS?"),
        "{unknown}"
    );
}

#[test]
#[cfg(not(feature = "providers"))]
fn models_without_a_build_for_them_are_a_wrong_configuration() {
    let (dir, state) = used();
    fs::write(state.join("config.yaml"), "models: [openai/gpt-5]\n").unwrap();
    complains(dir.path(), 78, "models", "fail", "no providers");
    let serve = moorline(dir.path()).args(["serve", "--port", "0", "--state", "state"]).output().unwrap();
    assert_eq!(code(&serve), 78);
    assert!(String::from_utf8_lossy(&serve.stderr).contains("--features providers"));
}

#[test]
#[cfg(feature = "providers")]
fn a_missing_key_and_a_closed_endpoint_are_found() {
    let (dir, state) = used();
    let provider = "{ api: openai, endpoint: 'http://127.0.0.1:1/v1/', apiKeyEnv: NO_SUCH_KEY }";
    let config = format!("models: [here/m]\nproviders:\n  here: {provider}\n");
    fs::write(state.join("config.yaml"), config).unwrap();
    let (code, report) = doctor(dir.path());
    assert_eq!(code, 78, "{report:#}");
    let says: Vec<_> = found(&report, "models").iter().map(|one| one["what"].as_str().unwrap()).collect();
    assert!(says[0].contains("NO_SUCH_KEY is not set"), "{says:?}");
    assert!(says[1].contains("cannot be reached at 127.0.0.1:1"), "{says:?}");
}

#[test]
fn an_outbox_that_cannot_be_read_and_event_lines_that_cannot_are_found() {
    let (dir, state) = used();
    fs::write(state.join("outbox.sqlite"), vec![7; 4096]).unwrap();
    fs::set_permissions(state.join("outbox.sqlite"), fs::Permissions::from_mode(0o600)).unwrap();
    complains(dir.path(), 1, "outbox", "fail", "cannot be read");
    assert_eq!(fs::read(state.join("outbox.sqlite")).unwrap(), vec![7; 4096], "it was only looked at");
    fs::remove_file(state.join("outbox.sqlite")).unwrap();
    let events = fs::read_dir(state.join("events")).unwrap().next().unwrap().unwrap().path();
    let whole = fs::read_to_string(&events).unwrap();
    fs::write(&events, format!("{whole}{{\"event\": \"of another version\"}}\n")).unwrap();
    complains(dir.path(), 1, "events", "fail", "1 lines cannot be read");
}

#[test]
fn what_a_crash_kept_is_pointed_at() {
    let (dir, state) = used();
    let agent = state.join("sessions/main");
    fs::write(agent.join("x.jsonl.torn-1"), "{\"half").unwrap();
    complains(dir.path(), 1, "tornTails", "warn", "1 kept");
    fs::remove_file(agent.join("x.jsonl.torn-1")).unwrap();
    let transcript = fs::read_dir(&agent)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "jsonl"))
        .unwrap();
    let lock = format!("{}.lock", transcript.display());
    fs::write(&lock, "{\"pid\": 1, \"createdAt\": \"2020-01-01T00:00:00.000Z\", \"host\": \"elsewhere\"}")
        .unwrap();
    let (_, report) = doctor(dir.path());
    let said = found(&report, "locks");
    assert_eq!(said.len(), 1, "{report:#}");
    assert_eq!(said[0]["where"], lock);
    fs::remove_file(lock).unwrap();
    let ahead = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    fs::File::options().write(true).open(&transcript).unwrap().set_modified(ahead).unwrap();
    complains(dir.path(), 1, "clock", "warn", "set back");
}

#[test]
fn a_live_lock_that_is_stale_by_the_settings_is_shown_with_its_owner() {
    let (dir, state) = used();
    fs::write(state.join("config.yaml"), "session: { writeLock: { staleMs: 1 } }\n").unwrap();
    fs::write(state.join("sessions/main/held.jsonl"), "").unwrap();
    let mut holder = moorline(dir.path())
        .args(["lock", "exec", "state/sessions/main/held.jsonl", "--", "sh", "-c", "echo held; read line"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = [0; 5];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut said).unwrap();
    let (code, report) = doctor(dir.path());
    drop(holder.stdin.take());
    holder.wait().unwrap();
    let locks = found(&report, "locks");
    assert_eq!((code, locks.len()), (1, 1), "{report:#}");
    assert!(locks[0]["what"].as_str().unwrap().contains("too-old"), "{locks:#?}");
    assert!(locks[0]["do"].as_str().unwrap().contains("lock revoke"), "{locks:#?}");
}

#[test]
fn a_gateway_is_told_apart_running_stopped_killed_and_lied_about() {
    let mut gateway = Gateway::start(None);
    let said = |gateway: &Gateway| {
        let (code, report) = doctor(gateway.dir.path());
        let all = report["checks"].as_array().unwrap().clone();
        (code, all.into_iter().find(|one| one["check"] == "gateway").unwrap())
    };
    let (code, running) = said(&gateway);
    assert_eq!((code, &running["state"]), (0, &json!("ok")), "{running:#}");
    assert!(running["what"].as_str().unwrap().contains(&gateway.child.id().to_string()));

    let pid = Pid::from_child(&gateway.child);
    kill_process(pid, Signal::STOP).unwrap();
    let (code, stopped) = said(&gateway);
    assert_eq!((code, &stopped["state"]), (1, &json!("fail")), "{stopped:#}");
    assert!(stopped["do"].as_str().unwrap().contains("kill -CONT"), "{stopped:#}");
    kill_process(pid, Signal::CONT).unwrap();
    until("the gateway to go on", || said(&gateway).1["state"] == "ok");

    let note = gateway.state().join("gateway.json");
    let written = fs::read_to_string(&note).unwrap();
    fs::write(&note, written.replace(&gateway.child.id().to_string(), "1")).unwrap();
    let (_, lied) = said(&gateway);
    assert!(lied["what"].as_str().unwrap().contains("says that it serves it"), "{lied:#}");
    fs::write(&note, written).unwrap();

    gateway.kill();
    let (code, killed) = said(&gateway);
    assert_eq!((code, &killed["state"]), (1, &json!("warn")), "{killed:#}");
    assert!(killed["what"].as_str().unwrap().contains("was killed"), "{killed:#}");
}
