//! `moorline lock`.

use std::{os::unix::process::ExitStatusExt, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::{code, json, moorline, run, until};

fn kill(child: &std::process::Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn exec_holds_the_lock_while_the_command_runs_and_ends_with_its_status() {
    let dir = tempfile::tempdir().unwrap();
    let output = run(
        dir.path(),
        &["lock", "exec", "--run-id", "R", "s.jsonl", "--", "sh", "-c", "cat s.jsonl.lock; exit 3"],
    );
    assert_eq!(code(&output), 3);
    let record = json(&output.stdout);
    assert_eq!(record["runId"], "R");
    assert_eq!(record["flock"], 1);
    let keys: Vec<&String> = record.as_object().unwrap().keys().collect();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let order: Vec<usize> = ["pid", "createdAt", "maxHoldMs", "starttime", "nonce"]
        .iter()
        .map(|key| text.find(&format!("\"{key}\"")).unwrap())
        .collect();
    assert!(order.is_sorted(), "{keys:?}");
    assert!(!dir.path().join("s.jsonl.lock").exists());
}

#[test]
fn exec_says_how_a_command_ended_that_a_shell_could_not_run() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(code(&run(dir.path(), &["lock", "exec", "s", "--", "no-such-command"])), 127);
    assert_eq!(code(&run(dir.path(), &["lock", "exec", "s", "--", "/etc/hostname"])), 126);
    assert_eq!(code(&run(dir.path(), &["lock", "exec", "s", "--", "sh", "-c", "kill -TERM $$"])), 143);
    assert_eq!(code(&run(dir.path(), &["lock", "exec", "/no/such/dir/s", "--", "true"])), 74);
    assert_eq!(code(&run(dir.path(), &["lock", "exec", "s"])), 64);
    assert_eq!(code(&run(dir.path(), &["lock", "exec", "--timeout-ms", "-5", "s", "--", "true"])), 64);
    assert_eq!(code(&run(dir.path(), &["lock", "exec", "--timeout-ms", "0", "s", "--", "true"])), 64);
    let output = moorline(dir.path())
        .env("MOORLINE_SESSION_WRITE_LOCK_STALE_MS", "soon")
        .args(["lock", "exec", "s", "--", "true"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 78);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("MOORLINE_SESSION_WRITE_LOCK_STALE_MS") && text.contains("soon"), "{text}");
}

#[test]
fn a_waiter_is_told_who_holds_the_lock_in_wire_form() {
    let dir = tempfile::tempdir().unwrap();
    let mut owner = moorline(dir.path())
        .args(["lock", "exec", "--run-id", "OWNER", "s", "--", "sleep", "60"])
        .spawn()
        .unwrap();
    until("the lock", || dir.path().join("s.lock").exists());
    let output = run(dir.path(), &["lock", "exec", "--json", "--timeout-ms", "150", "s", "--", "true"]);
    assert_eq!(code(&output), 75);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let wire = json(stderr.as_bytes());
    assert_eq!(wire["code"], "coordination.lock_timeout");
    assert_eq!(wire["legacyCode"], "OPENCLAW_SESSION_WRITE_LOCK_TIMEOUT");
    assert_eq!(wire["owner"]["pid"], owner.id());
    assert_eq!(wire["owner"]["runId"], "OWNER");
    assert!(wire["waitedMs"].as_u64().unwrap() >= 150);
    assert!(wire["lockPath"].as_str().unwrap().ends_with("/s.lock"));
    let output = run(dir.path(), &["lock", "exec", "--json", "--run-id", "OWNER", "s", "--", "true"]);
    assert_eq!(code(&output), 75);
    assert!(json(&output.stderr)["waitedMs"].as_u64().unwrap() < 5_000, "self-contention is told at once");
    kill(&owner, Signal::TERM);
    assert_eq!(owner.wait().unwrap().code(), Some(143));
    assert!(!dir.path().join("s.lock").exists());
}

#[test]
fn a_live_stale_lock_is_reported_shown_and_left_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut owner = moorline(dir.path())
        .args(["lock", "exec", "--max-hold-ms", "50", "s", "--", "sleep", "60"])
        .spawn()
        .unwrap();
    until("the lock", || dir.path().join("s.lock").exists());
    let before = std::fs::read(dir.path().join("s.lock")).unwrap();
    kill(&owner, Signal::STOP);
    std::thread::sleep(std::time::Duration::from_millis(100));
    let output = run(dir.path(), &["lock", "exec", "--json", "s", "--", "true"]);
    assert_eq!(code(&output), 75);
    let wire = json(&output.stderr);
    assert_eq!(wire["code"], "coordination.lock_stale");
    assert_eq!(wire["staleReasons"], serde_json::json!(["hold-exceeded"]));
    let views = json(&run(dir.path(), &["lock", "inspect", "s", "--json"]).stdout);
    assert_eq!(views[0]["state"], "stale");
    assert_eq!(views[0]["removable"], false);
    assert_eq!(views[0]["pidAlive"], true);
    assert_eq!(views[0]["evidence"]["flock"], "held");
    assert_eq!(views[0]["evidence"]["lease"], "held");
    let swept = json(&run(dir.path(), &["lock", "sweep", ".", "--json"]).stdout);
    assert_eq!(swept[0]["action"], "kept");
    assert_eq!(std::fs::read(dir.path().join("s.lock")).unwrap(), before);
    kill(&owner, Signal::CONT);
    kill(&owner, Signal::TERM);
    owner.wait().unwrap();
}

#[test]
fn the_lock_lives_as_long_as_its_writer_even_if_exec_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut owner = moorline(dir.path())
        .args(["lock", "exec", "s", "--", "sh", "-c", "echo $$ > pid; exec sleep 60"])
        .spawn()
        .unwrap();
    until("the command", || {
        std::fs::read_to_string(dir.path().join("pid")).is_ok_and(|text| text.ends_with('\n'))
    });
    kill(&owner, Signal::KILL);
    assert_eq!(owner.wait().unwrap().signal(), Some(9));
    let look = || {
        json(&run(dir.path(), &["lock", "inspect", "s.lock", "--json"]).stdout)[0]["state"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(look(), "live");
    assert_eq!(code(&run(dir.path(), &["lock", "exec", "--timeout-ms", "100", "s", "--", "true"])), 75);
    let writer = std::fs::read_to_string(dir.path().join("pid")).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(writer).unwrap(), Signal::KILL).unwrap();
    until("the writer's end", || look() == "dead");
    assert_eq!(code(&run(dir.path(), &["lock", "exec", "s", "--", "true"])), 0);
}

#[test]
fn revoke_ends_the_command_and_releases_without_deleting_anything_itself() {
    let dir = tempfile::tempdir().unwrap();
    let mut owner = moorline(dir.path())
        .args(["lock", "exec", "s", "--", "sleep", "60"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    until("the lock", || dir.path().join("s.lock").exists());
    // The control socket comes up right after the lock.
    let mut answer = serde_json::Value::Null;
    until("the control socket", || {
        let output = run(dir.path(), &["lock", "revoke", "s", "--json"]);
        if code(&output) == 0 {
            answer = json(&output.stdout);
        }
        code(&output) == 0
    });
    assert_eq!(answer["asked"], true);
    assert_eq!(answer["released"], true);
    assert_eq!((&answer["stateBefore"], &answer["state"]), (&"live".into(), &"free".into()), "{answer}");
    assert_eq!(owner.wait().unwrap().code(), Some(143));
    let free = json(&run(dir.path(), &["lock", "revoke", "s", "--json"]).stdout);
    assert_eq!((&free["state"], &free["asked"]), (&"free".into(), &false.into()));
}

#[test]
fn a_lock_of_another_program_cannot_be_revoked_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let created = "2026-01-01T00:00:00.000Z";
    let foreign = format!(
        "{{\n  \"pid\": {},\n  \"createdAt\": \"{created}\",\n  \"maxHoldMs\": 1000\n}}\n",
        std::process::id()
    );
    // Such a program keeps its write handle open for the whole hold.
    let mut handle = std::fs::File::create_new(dir.path().join("s.lock")).unwrap();
    std::io::Write::write_all(&mut handle, foreign.as_bytes()).unwrap();
    let output = run(dir.path(), &["lock", "revoke", "s", "--json"]);
    assert_eq!(code(&output), 69);
    assert_eq!(std::fs::read_to_string(dir.path().join("s.lock")).unwrap(), foreign);
}

#[test]
fn sweep_removes_the_dead_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let mut owner = moorline(dir.path())
        .args(["lock", "exec", "dead", "--", "sh", "-c", "echo $$ > pid; exec sleep 60"])
        .spawn()
        .unwrap();
    let pid = || std::fs::read_to_string(dir.path().join("pid")).ok().filter(|text| text.ends_with('\n'));
    until("the command", || pid().is_some());
    kill(&owner, Signal::KILL);
    owner.wait().unwrap();
    // Its command still holds the lock; end it too.
    let views = json(&run(dir.path(), &["lock", "inspect", ".", "--json"]).stdout);
    assert_eq!(views[0]["state"], "live");
    let writer = Pid::from_raw(pid().unwrap().trim().parse().unwrap()).unwrap();
    kill_process(writer, Signal::KILL).unwrap();
    let inspect = || json(&run(dir.path(), &["lock", "inspect", ".", "--json"]).stdout);
    until("the command's end", || inspect()[0]["state"] == "dead");
    let dry = json(&run(dir.path(), &["lock", "sweep", "--dry-run", ".", "--json"]).stdout);
    assert_eq!(dry[0]["action"], "would-remove");
    assert!(dir.path().join("dead.lock").exists());
    std::fs::write(dir.path().join("new.lock"), "").unwrap();
    let swept = json(&run(dir.path(), &["lock", "sweep", ".", "--json"]).stdout);
    assert_eq!(swept[0]["action"], "removed");
    assert_eq!(swept[1]["action"], "kept");
    assert_eq!(inspect().as_array().unwrap().len(), 1);
}

#[test]
fn help_says_that_age_never_removes_a_lock() {
    let dir = tempfile::tempdir().unwrap();
    for args in
        [&["--help"][..], &["lock", "--help"], &["lock", "exec", "--help"], &["lock", "revoke", "--help"]]
    {
        let output = run(dir.path(), args);
        assert_eq!(code(&output), 0);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("never removed while its owner lives"), "{text}");
    }
}

#[test]
fn signals_are_forwarded_and_release_comes_after_the_command() {
    let dir = tempfile::tempdir().unwrap();
    let script = "trap 'sleep 0.2; test -e s.lock && echo held > seen; exit 7' TERM; echo ready > ready; while :; do sleep 0.05; done";
    let mut owner =
        moorline(dir.path()).args(["lock", "exec", "s", "--", "sh", "-c", script]).spawn().unwrap();
    until("the command", || dir.path().join("ready").exists());
    kill(&owner, Signal::TERM);
    assert_eq!(owner.wait().unwrap().code(), Some(7));
    assert_eq!(std::fs::read_to_string(dir.path().join("seen")).unwrap(), "held\n");
    assert!(!dir.path().join("s.lock").exists());
}

#[test]
fn files_of_other_programs_that_end_in_lock_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let theirs =
        [("Cargo.lock", "# This file is generated\n[[package]]\n"), ("flake.lock", "{\"nodes\":{}}\n")];
    for (name, text) in theirs {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let swept = json(&run(dir.path(), &["lock", "sweep", ".", "--json"]).stdout);
    let swept = swept.as_array().unwrap();
    assert_eq!(swept.len(), theirs.len());
    assert!(swept.iter().all(|one| one["action"] == "kept"), "{swept:?}");
    // Whoever meets such a file says the same of it.
    let words = "a file that is no lock (another program's, or a broken one)";
    assert!(swept.iter().all(|one| one["error"] == words), "{swept:?}");
    for args in [&["lock", "inspect", "."][..], &["lock", "inspect", "Cargo.lock"], &["lock", "sweep", "."]] {
        let says = String::from_utf8(run(dir.path(), args).stdout).unwrap();
        assert!(says.contains(words), "{args:?}: {says}");
    }
    let waited = run(dir.path(), &["lock", "exec", "--timeout-ms", "50", "Cargo", "--", "true"]);
    assert_eq!(code(&waited), 75);
    assert!(String::from_utf8(waited.stderr).unwrap().contains(words));
    for (name, text) in theirs {
        assert_eq!(std::fs::read_to_string(dir.path().join(name)).unwrap(), text);
    }
}

#[test]
fn contention_between_commands_loses_nothing_and_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let script = "echo begin $$ >> s; echo end $$ >> s";
    let spawn = || {
        moorline(dir.path())
            .args(["lock", "exec", "s", "--", "sh", "-c", script])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..30).map(|_| spawn()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert_eq!(code(&output), 0);
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    }
    let text = std::fs::read_to_string(dir.path().join("s")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 60);
    for pair in lines.chunks(2) {
        assert_eq!(pair[0].strip_prefix("begin "), pair[1].strip_prefix("end "));
    }
}
