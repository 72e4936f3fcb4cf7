//! The gateway of the directory and its outbox: who serves it, whether he answers, what could not be delivered.
//!
//! Who holds the directory is read from the kernel's list of locks: trying the lock would for a moment be a second owner.
//! The outbox of a running gateway is asked for, since it has one opener; without one a copy is opened, never the file.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use moorline_announce::{Filter, Outbox, SqliteOutbox};
use serde_json::{Value, json};

use super::Finding;
use crate::{
    engine::row,
    exit::{self, Exit},
    outbox,
    rpc::client::Client,
    state_dir::StateDir,
};

const CHECK: &str = "gateway";
const OUTBOX: &str = "outbox";

pub(super) async fn look(state: &StateDir) -> Vec<Finding> {
    let mut findings = Vec::new();
    let holder = holder(&state.root().join("gateway.lock"));
    let listening = match state.listening() {
        Ok(listening) => Some(listening),
        Err(error) => {
            if exit::of(&error) != Exit::Unavailable {
                let next = "restart the gateway, which writes it anew, or remove it if none runs";
                let place = state.root().join("gateway.json");
                findings.push(Finding::fail(CHECK, error.to_string(), next).at(&place));
            }
            None
        }
    };
    let mut client = None;
    let finding = match (holder, listening) {
        (None, None) => Finding::ok(CHECK, "none runs"),
        (None, Some(left)) => Finding::warn(
            CHECK,
            format!(
                "pid {} was killed: it left the note of where it listened, and perhaps open promises",
                left.pid
            ),
            "start `moorline serve`: it goes on with what was promised",
        ),
        (Some(pid), None) => Finding::warn(
            CHECK,
            format!("pid {pid} serves the directory and does not say where"),
            "it is starting, or ending; if that lasts, look at its log",
        ),
        (Some(pid), Some(listening)) if pid != listening.pid => Finding::fail(
            CHECK,
            format!("pid {pid} holds the directory, and pid {} says that it serves it", listening.pid),
            "end both and start one",
        ),
        (Some(pid), Some(listening)) => match ask(state, "health").await {
            Ok((_, asked)) => {
                client = Some(asked);
                Finding::ok(CHECK, format!("pid {pid} answers at {}", listening.address))
            }
            Err(error) => Finding::fail(
                CHECK,
                format!("pid {pid} serves the directory and does not answer: {error}"),
                format!("look at its log; if it is stopped, `kill -CONT {pid}`; else end and restart it"),
            ),
        },
    };
    findings.push(finding.at(state.root()));
    findings.push(outbox(state, client, holder.is_some()).await.at(&state.outbox()));
    findings
}

async fn ask(state: &StateDir, method: &str) -> anyhow::Result<(Value, Client)> {
    let client = Client::connect(state)?;
    let patience = std::time::Duration::from_secs(5);
    let answer = tokio::time::timeout(patience, client.call(method, json!({})))
        .await
        .map_err(|_| anyhow::anyhow!("no answer within 5 s"))??;
    Ok((answer, client))
}

/// Who holds a lock on the file, as the kernel lists it: `1: FLOCK ADVISORY WRITE 4711 08:01:131 0 EOF`.
fn holder(path: &Path) -> Option<u32> {
    let file = fs::metadata(path).ok()?;
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let (major, minor) = (rustix::fs::major(file.dev()), rustix::fs::minor(file.dev()));
    let place = format!("{major:02x}:{minor:02x}:{}", file.ino());
    let line =
        locks.lines().find(|line| line.contains(" FLOCK ") && line.split(' ').any(|word| word == place))?;
    line.split_whitespace().rev().nth(3)?.parse().ok()
}

async fn outbox(state: &StateDir, client: Option<Client>, is_served: bool) -> Finding {
    let rows = match client {
        Some(client) => match client.call("announce.list", json!({})).await {
            Ok(answer) => answer.get("rows").and_then(Value::as_array).cloned().unwrap_or_default(),
            Err(error) => {
                return Finding::fail(
                    OUTBOX,
                    format!("the gateway cannot list it: {error}"),
                    "look at its log",
                );
            }
        },
        None if is_served => return Finding::ok(OUTBOX, "a gateway has it open; it was not looked at"),
        None if !state.outbox().exists() => return Finding::ok(OUTBOX, "none yet"),
        None => match copied(state).await {
            Ok(rows) => rows,
            // The first layer names the copy.
            Err(error) => {
                let what = format!("it cannot be read: {}", error.root_cause());
                return Finding::fail(OUTBOX, what, outbox::ADVICE);
            }
        },
    };
    let count = |states: &[&str]| {
        rows.iter().filter(|row| row["state"].as_str().is_some_and(|state| states.contains(&state))).count()
    };
    let (lost, open) = (count(&["rejected", "expired"]), count(&["prepared", "sending", "uncertain"]));
    let what = format!("{} results, {open} on their way, {lost} that could not be delivered", rows.len());
    match (lost, open, is_served) {
        (0, 0, _) | (0, _, true) => Finding::ok(OUTBOX, what),
        (0, _, false) => Finding::warn(OUTBOX, what, "start `moorline serve`: it delivers them"),
        (_, _, _) => Finding::warn(OUTBOX, what, "`moorline announce list`, then retry or dismiss"),
    }
}

/// The rows of a copy: opening the file itself would write to it.
async fn copied(state: &StateDir) -> anyhow::Result<Vec<Value>> {
    let copy = tempfile::tempdir()?;
    let name = copy.path().join("outbox.sqlite");
    fs::copy(state.outbox(), &name)?;
    let log = state.root().join("outbox.sqlite-wal");
    if log.exists() {
        fs::copy(log, copy.path().join("outbox.sqlite-wal"))?;
    }
    let outbox = SqliteOutbox::open(&name).await?;
    Ok(outbox.list(&Filter::default()).await?.iter().map(row).collect())
}
