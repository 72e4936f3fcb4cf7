//! A pid that was used again, for real: the same number, another process, in a pid namespace of its own.

use std::process::Command;

use super::{
    support::{LOCK, dir},
    worker::PROGRAM,
};

/// Runs a shell script as pid 1 of a fresh pid namespace; `$WORKER` and `$DIR` are set, and `at N IN OUT COMMAND`
/// starts a command with exactly that pid.
fn in_namespace(dir: &std::path::Path, script: &str) -> String {
    let script = format!(
        "set -eu
         at() {{ local in=$2 out=$3; echo $(($1 - 1)) > /proc/sys/kernel/ns_last_pid; shift 3; \"$@\" <$in >$out & }}
         {script}"
    );
    let output = Command::new("timeout")
        .args(["60", "unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", "-c", &script])
        .env("WORKER", PROGRAM)
        .env("DIR", dir)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The owner had pid 4242, was killed, and pid 4242 is another process now.
const RECYCLE: &str = "
    mkfifo $DIR/in
    exec 3<>$DIR/in
    at 4242 $DIR/in $DIR/out $WORKER serve $DIR
    owner=$!
    echo 'acquire session.jsonl' >&3
    while ! grep -q '^ok' $DIR/out; do sleep 0.02; done
    kill -KILL $owner
    wait $owner || true
    at 4242 /dev/null /dev/null sleep 600
    [ $owner = $! ]";

#[test]
#[ignore = "needs root and pid namespaces"]
fn a_recycled_pid_does_not_keep_a_dead_lock_alive() {
    let dir = dir();
    let out = in_namespace(
        dir.path(),
        &format!(
            "{RECYCLE}\n echo inspect session.jsonl | $WORKER serve $DIR\n echo acquire session.jsonl timeout=1000 | $WORKER serve $DIR"
        ),
    );
    assert!(out.contains("\"state\":\"dead\"") && out.contains("recycled-pid"), "{out}");
    assert!(out.lines().next_back().unwrap().starts_with("ok "), "{out}");
}

/// The same for another program's record, where the pid is all there is beside the kernel's word.
#[test]
#[ignore = "needs root and pid namespaces"]
fn a_recycled_pid_is_seen_in_a_foreign_record() {
    let dir = dir();
    let script = format!(
        "{RECYCLE}
         start=$(grep -o '\"starttime\": [0-9]*' {lock} | grep -o '[0-9]*')
         now=$(date -u +%Y-%m-%dT%H:%M:%S.000Z)
         echo '{{\"pid\": 4242, \"createdAt\": \"'$now'\", \"maxHoldMs\": 300000, \"starttime\": '$start'}}' > $DIR/new
         mv $DIR/new {lock}
         echo inspect session.jsonl | $WORKER serve $DIR",
        lock = dir.path().join(LOCK).display()
    );
    let out = in_namespace(dir.path(), &script);
    assert!(out.contains("\"state\":\"dead\"") && out.contains("recycled-pid"), "{out}");
}

#[test]
#[ignore = "needs root and pid namespaces"]
fn a_live_owner_in_its_own_namespace_is_live_under_any_pid() {
    let dir = dir();
    let out = in_namespace(
        dir.path(),
        "mkfifo $DIR/in
         exec 3<>$DIR/in
         at 4242 $DIR/in $DIR/out $WORKER serve $DIR
         echo 'acquire session.jsonl' >&3
         while ! grep -q '^ok' $DIR/out; do sleep 0.02; done
         echo inspect session.jsonl | $WORKER serve $DIR
         echo acquire session.jsonl timeout=200 | $WORKER serve $DIR",
    );
    assert!(out.contains("\"state\":\"live\""), "{out}");
    assert!(out.lines().next_back().unwrap().contains("coordination.lock_timeout"), "{out}");
}
