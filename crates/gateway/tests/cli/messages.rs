//! What people and programs are told when something is in the way: path, advice, wire form, and no control characters.

use std::{os::unix::ffi::OsStrExt, path::Path};

use serde_json::json;

use crate::{code, json, moorline, run, running::Gateway};

/// A state directory with nothing in it.
fn state(dir: &Path) {
    for part in ["sessions/main", "events"] {
        std::fs::create_dir_all(dir.join("state").join(part)).unwrap();
    }
}

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn an_audit_beside_a_gateway_says_what_to_do() {
    let gateway = Gateway::start(None);
    let output = gateway.run(&["audit"]);
    assert_eq!(code(&output), 75);
    let says = stderr(&output);
    assert!(
        says.contains(&format!("pid {}", gateway.child.id())) && says.contains("stop it first"),
        "{says}"
    );
}

/// Root writes through permissions, so a directory stands where a file should be: the path is named all the same.
#[test]
fn a_state_directory_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    state(dir.path());
    std::fs::create_dir(dir.path().join("state/gateway.lock")).unwrap();
    for args in [&["audit"][..], &["announce", "list"], &["serve", "--port", "0"]] {
        let output = moorline(dir.path()).args(args).args(["--state", "state"]).output().unwrap();
        let says = stderr(&output);
        assert_eq!(code(&output), 74, "{args:?}: {says}");
        assert!(says.contains("state/gateway.lock cannot be written; make"), "{args:?}: {says}");
    }
}

#[test]
fn a_file_name_reaches_the_terminal_with_its_control_characters_spelled_out() {
    let dir = tempfile::tempdir().unwrap();
    let name = std::ffi::OsStr::from_bytes(b"a\x1b[31mred\nline\x07.lock");
    std::fs::write(dir.path().join(name), "").unwrap();
    for args in [&["lock", "inspect", "."][..], &["lock", "sweep", "--dry-run", "."]] {
        let output = run(dir.path(), args);
        let says = String::from_utf8(output.stdout).unwrap();
        assert!(says.contains("a\\u{1b}[31mred\\nline\\u{7}.lock"), "{says}");
        assert!(!says.chars().any(|one| one.is_control() && one != '\n'), "{says:?}");
    }
    let missing = run(dir.path(), &["qa", "run", "no\u{1b}[31m.yaml"]);
    assert!(stderr(&missing).contains("no\\u{1b}[31m.yaml") && !stderr(&missing).contains('\u{1b}'));
}

#[test]
fn the_paths_of_a_table_can_be_given_to_the_next_command() {
    let dir = tempfile::tempdir().unwrap();
    state(dir.path());
    let lock = dir.path().canonicalize().unwrap().join("state/sessions/main/desk.jsonl.lock");
    std::fs::write(&lock, "").unwrap();
    let shown =
        |from: &Path, path: &str| String::from_utf8(run(from, &["lock", "inspect", path]).stdout).unwrap();
    assert!(shown(dir.path(), "state/sessions/main").contains("│ state/sessions/main/desk.jsonl.lock "));
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = lock.parent().unwrap().to_str().unwrap();
    assert!(shown(elsewhere.path(), folder).contains(&format!("│ {} ", lock.display())));
    // From above it is found, too, and the gateway's own lock is not taken for a session's.
    std::fs::write(dir.path().join("state/gateway.lock"), "pid 1").unwrap();
    for path in ["state/sessions", "state"] {
        for args in [&["lock", "inspect", path][..], &["lock", "sweep", "--dry-run", path]] {
            let says = String::from_utf8(run(dir.path(), args).stdout).unwrap();
            assert!(says.contains("│ state/sessions/main/desk.jsonl.lock "), "{says}");
            assert!(!says.contains("gateway.lock"), "{says}");
        }
    }
    let empty = String::from_utf8(run(dir.path(), &["lock", "inspect", "state/events"]).stdout).unwrap();
    assert_eq!(empty, "no locks in state/events and the directories in it\n");
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_the_work() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("one.yaml"), "scenarios: []\n").unwrap();
    let output = run(dir.path(), &["stress", "--state", "state", "--report", "nowhere/run.html"]);
    assert_eq!(code(&output), 74);
    assert!(stderr(&output).contains("nowhere/run.html; nothing was started"), "{}", stderr(&output));
    assert!(!dir.path().join("state").exists());
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("../qa-retry/scenarios");
    let first = std::fs::read_dir(scenario).unwrap().map(|file| file.unwrap().path());
    let first = first.filter(|path| path.extension().is_some_and(|end| end == "yaml")).min().unwrap();
    let output = run(dir.path(), &["qa", "run", first.to_str().unwrap(), "--junit", "nowhere/x.xml"]);
    assert_eq!(code(&output), 74);
    assert!(stderr(&output).contains("nowhere/x.xml; nothing was started"), "{}", stderr(&output));
}

#[test]
fn a_command_that_cannot_be_run_is_said_in_the_wire_form() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("plain"), "").unwrap();
    for (program, exit) in [("./missing", 127), ("./plain", 126)] {
        let output = run(dir.path(), &["lock", "exec", "--json", "s", "--", program]);
        assert_eq!(code(&output), exit);
        let wire = json(&output.stderr);
        assert_eq!(wire["code"], "local.config", "{wire}");
        assert!(wire["message"].as_str().unwrap().contains(program), "{wire}");
        assert!(!dir.path().join("s.lock").exists());
    }
}

#[test]
fn a_parked_reply_that_is_not_there_is_wrong_input() {
    let dir = tempfile::tempdir().unwrap();
    state(dir.path());
    for verb in ["append", "dismiss"] {
        let args = ["parked", verb, "--json", "--state", "state", "--session", "agent:main:desk", "01NOBODY"];
        let output = run(dir.path(), &args);
        let wire = json(&output.stderr);
        assert_eq!((code(&output), &wire["code"]), (65, &json!("request.format")), "{wire}");
        assert!(wire["message"].as_str().unwrap().contains("appended or dismissed before"), "{wire}");
    }
}

#[test]
fn a_state_directory_that_other_users_can_get_at_is_warned_of() {
    let mode = std::os::unix::fs::PermissionsExt::from_mode;
    for (bits, warned) in [(0o755, true), (0o700, false)] {
        let dir = tempfile::tempdir().unwrap();
        state(dir.path());
        let path = dir.path().join("state");
        std::fs::set_permissions(&path, mode(bits)).unwrap();
        let gateway = Gateway::start_in(dir, "info");
        let says = gateway.log();
        let line = says.lines().find(|line| line.contains("local.permission"));
        assert_eq!(line.is_some(), warned, "{says}");
        let line = line.unwrap_or_default();
        assert!(!warned || (line.contains("mode 755") && line.contains("chmod 700")), "{line}");
        let found = json(&gateway.run(&["doctor", "--json"]).stdout);
        let found = found["checks"].as_array().unwrap().iter();
        let mut found = found.filter(|one| one["check"] == "permissions" && one["state"] == "fail");
        let at = path.to_str().unwrap();
        assert_eq!(found.any(|one| at.ends_with(one["where"].as_str().unwrap())), warned);
    }
}

#[test]
fn a_note_of_where_the_gateway_listens_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    state(dir.path());
    let in_state =
        |args: &[&str]| moorline(dir.path()).args(args).args(["--state", "state"]).output().unwrap();
    for (text, place) in [
        ("garbage", "line 1 column 1"),
        ("{\"pid\": 1}", "address"),
        ("{\"pid\": 1, \"address\": \"x\"}", "address"),
        ("", "line 1 column 0"),
    ] {
        std::fs::write(dir.path().join("state/gateway.json"), text).unwrap();
        let output = in_state(&["call", "--json", "health"]);
        let wire = json(&output.stderr);
        let says = wire["message"].as_str().unwrap();
        assert_eq!((code(&output), &wire["code"]), (65, &json!("request.format")), "{says}");
        for part in ["state/gateway.json", place, "restart the gateway", "remove it"] {
            assert!(says.contains(part), "{text}: {says}");
        }
        // Nobody serves, so that the outbox can be looked at all the same.
        assert_eq!(code(&in_state(&["announce", "list"])), 0);
        let found = json(&in_state(&["doctor", "--json"]).stdout);
        let found = found["checks"].as_array().unwrap().iter().find(|one| one["check"] == "gateway").unwrap();
        assert_eq!(found["state"], "fail", "{found}");
        assert!(found["where"].as_str().unwrap().ends_with("state/gateway.json"), "{found}");
    }
}

#[test]
fn an_outbox_that_cannot_be_read_is_named_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    state(dir.path());
    let mut gateway = Gateway::start(None);
    gateway.end();
    let mut broken = std::fs::read(gateway.state().join("outbox.sqlite")).unwrap();
    broken.iter_mut().skip(100).for_each(|byte| *byte = 0xFF);
    for bytes in [vec![b'x'; 4096], broken] {
        let path = dir.path().join("state/outbox.sqlite");
        std::fs::write(&path, bytes).unwrap();
        for args in [&["audit"][..], &["announce", "list"], &["serve", "--port", "0"]] {
            let output = moorline(dir.path()).args(args).args(["--state", "state"]).output().unwrap();
            let says = stderr(&output);
            assert_eq!(code(&output), 65, "{args:?}: {says}");
            for part in ["state/outbox.sqlite", "restore it from a backup", "moved away"] {
                assert!(says.contains(part), "{args:?}: {says}");
            }
        }
    }
}

/// What a command prints on a terminal of this width, colours or not.
fn on_a_terminal(dir: &Path, columns: u32, setting: &str, args: &str) -> String {
    let program = env!("CARGO_BIN_EXE_moorline");
    let line = format!("stty cols {columns}; {setting} exec {program} {args}");
    let output = std::process::Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .current_dir(dir)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().replace('\r', "")
}

#[test]
#[ignore = "needs script of util-linux"]
fn a_table_is_as_wide_as_its_terminal_with_and_without_colours() {
    let dir = tempfile::tempdir().unwrap();
    state(dir.path());
    for columns in [40, 60, 200] {
        let plain = on_a_terminal(dir.path(), columns, "NO_COLOR=1", "audit --state state");
        assert!(plain.contains("│ turns") && !plain.contains('\u{1b}'), "{plain:?}");
        let widest = plain.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= usize::try_from(columns).unwrap(), "{widest} of {columns}: {plain}");
        assert!(on_a_terminal(dir.path(), columns, "", "audit --state state").contains('\u{1b}'));
    }
    // The layout of an answer is one, whatever the line was.
    let input = dir.path().join("lines");
    std::fs::write(
        &input,
        "{\"status\":429,\"provider\":\"openai\"}\nbroken\n{\"channel\":\"telegram\",\"status\":403}\n",
    )
    .unwrap();
    let says = on_a_terminal(dir.path(), 80, "NO_COLOR=1", "classify < lines");
    assert_eq!(says.matches("\n  evidence      ").count(), 3, "{says}");
    assert_eq!(says.matches("\n  QA            fail\n").count(), 3, "{says}");
}

#[test]
fn a_table_in_a_pipe_is_neither_cut_nor_wrapped() {
    let dir = tempfile::tempdir().unwrap();
    state(dir.path());
    let key = format!("agent:main:{}", "long".repeat(30));
    let transcript = dir.path().join(format!("state/sessions/main/{}.jsonl", "long".repeat(30)));
    let text = "word ".repeat(100);
    let parked = json!({
        "id": "01J", "parkedAt": "2026-01-01T00:00:00.000Z", "runId": "r", "sessionKey": key,
        "idempotencyKey": "k", "reason": "superseded", "text": text,
    });
    std::fs::write(&transcript, "").unwrap();
    std::fs::write(transcript.with_extension("jsonl.parked"), format!("{parked}\n")).unwrap();
    let output =
        moorline(dir.path()).env("COLUMNS", "40").args(["parked", "list", "--state", "state"]).output();
    let output = output.unwrap();
    let says = String::from_utf8(output.stdout).unwrap();
    let row = says.lines().find(|line| line.contains(&key)).unwrap_or_else(|| panic!("{says}"));
    assert!(row.contains(text.trim_end()), "{row}");
    let audit = moorline(dir.path()).args(["audit", "--state", "state"]).output().unwrap();
    let says = String::from_utf8(audit.stdout).unwrap();
    assert!(says.contains(" steps that follow the step before them: nobody wrote beside or after another "));
}

#[test]
fn results_that_cannot_be_written_are_an_error_and_a_reader_who_has_enough_is_none() {
    let dir = tempfile::tempdir().unwrap();
    state(dir.path());
    for args in [&["help"][..], &["--version"], &["lock", "inspect", "state"], &["audit", "--state", "state"]]
    {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = moorline(dir.path()).args(args).stdout(full).output().unwrap();
        assert_eq!(code(&output), 74, "{args:?}: {}", stderr(&output));
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = moorline(dir.path()).args(args).stdout(writer).output().unwrap();
        assert_eq!((code(&output), stderr(&output).as_str()), (0, ""), "{args:?}");
    }
}

#[test]
#[ignore = "needs root and setpriv of util-linux"]
fn what_this_user_may_not_do_is_77_and_says_so() {
    let mode = std::os::unix::fs::PermissionsExt::from_mode;
    let dir = tempfile::tempdir().unwrap();
    state(dir.path());
    let program = dir.path().join("moorline");
    std::fs::copy(env!("CARGO_BIN_EXE_moorline"), &program).unwrap();
    for (path, bits) in [(dir.path(), 0o755), (&program, 0o755), (&dir.path().join("state"), 0o700)] {
        std::fs::set_permissions(path, mode(bits)).unwrap();
    }
    let agent = ["agent", "--session", "agent:main:x", "--message", "hi"];
    for args in [&["audit"][..], &["call", "health"], &["parked", "list"], &["serve", "--port", "0"], &agent]
    {
        let run = |more: &[&str]| {
            let mut command = std::process::Command::new("setpriv");
            command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(&program);
            command.args(args).args(["--state", "state"]).args(more).current_dir(dir.path()).output().unwrap()
        };
        let output = run(&[]);
        let says = stderr(&output);
        assert_eq!(code(&output), 77, "{args:?}: {says}");
        assert!(says.contains("state") && says.contains("code: local.permission"), "{args:?}: {says}");
        if args[0] != "serve" {
            assert_eq!(json(&run(&["--json"]).stderr)["code"], "local.permission", "{args:?}");
        }
    }
}

#[test]
fn a_port_that_is_taken_and_a_wrong_parameter_are_said_with_their_place() {
    let gateway = Gateway::start(None);
    let address = gateway.address();
    let port = address.rsplit(':').next().unwrap();
    let output = run(gateway.dir.path(), &["serve", "--port", port, "--state", "other"]);
    assert_eq!(code(&output), 69);
    assert!(stderr(&output).contains(&address) && stderr(&output).contains("--port 0"), "{output:?}");
    for (params, place) in [
        (json!({"to": 1, "message": "x"}), "`to`: "),
        (json!({"to": "agent:main:x", "message": "x", "timeoutMs": -1}), "`timeoutMs`: "),
        (json!({"to": "agent:main:x"}), "missing field `message`"),
    ] {
        let (exit, wire) = gateway.refused("sessions.send", params);
        assert!(exit == 65 && wire["message"].as_str().unwrap().contains(place), "{wire}");
    }
}
