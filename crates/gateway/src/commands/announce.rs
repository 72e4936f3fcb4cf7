//! `moorline announce list | retry | dismiss`: the results of sub-agents that are on their way, or could not be delivered.
//!
//! A running gateway alone opens the outbox, so it is asked. Without one, this process takes the gateway's place for the
//! moment it needs; what is retried then is sent when a gateway runs again.

use std::sync::Arc;

use moorline_announce::{Announcer, Filter, Limits, Outbox, Transport};
use moorline_retry::SystemClock;
use serde_json::{Value, json};

use crate::{
    cli::{AnnounceCommand, AnnounceList, AnnounceSeq},
    engine::{NobodySends, row},
    exit::{self, Exit},
    outbox,
    rpc::client::Client,
    state_dir::StateDir,
    terminal::{Tone, cell, say, table},
};

pub(crate) fn run(command: &AnnounceCommand) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match command {
        AnnounceCommand::List(args) => runtime.block_on(list(args)),
        AnnounceCommand::Retry(args) => runtime.block_on(operate(args, "announce.retry")),
        AnnounceCommand::Dismiss(args) => runtime.block_on(operate(args, "announce.dismiss")),
    }
}

async fn list(args: &AnnounceList) -> anyhow::Result<Exit> {
    let state = StateDir::existing(args.state.as_deref())?;
    let answer = ask(&state, "announce.list", json!({})).await?;
    let rows = answer.get("rows").and_then(Value::as_array).cloned().unwrap_or_default();
    if args.json {
        say(serde_json::to_string_pretty(&rows)?);
        return Ok(Exit::Ok);
    }
    if rows.is_empty() {
        say("no announces");
        return Ok(Exit::Ok);
    }
    let mut shown = table(["seq", "state", "requester", "child run", "sends", "cause"]);
    for row in &rows {
        let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
        let number = |name: &str| row.get(name).and_then(Value::as_u64).unwrap_or_default();
        let tone = match text("state") {
            "delivered" | "silent" => Tone::Good,
            "rejected" | "expired" => Tone::Bad,
            _ => Tone::Warn,
        };
        shown.add_row([
            cell(number("seq"), Tone::Plain),
            cell(text("state"), tone),
            cell(text("requester"), Tone::Plain),
            cell(text("childRunId"), Tone::Plain),
            cell(number("sends"), Tone::Plain),
            cell(text("cause"), Tone::Faint),
        ]);
    }
    say(shown.to_string());
    Ok(Exit::Ok)
}

async fn operate(args: &AnnounceSeq, method: &str) -> anyhow::Result<Exit> {
    let state = StateDir::existing(args.state.as_deref())?;
    let answer = ask(&state, method, json!({"seq": args.seq})).await?;
    if args.json {
        say(serde_json::to_string_pretty(&answer)?);
    } else {
        let now = answer.get("state").and_then(Value::as_str).unwrap_or_default();
        say(format!("announce {} is {now} now", args.seq));
    }
    Ok(Exit::Ok)
}

/// Asks the running gateway, or does it in its place.
async fn ask(state: &StateDir, method: &str, params: Value) -> anyhow::Result<Value> {
    let listening = state.listening();
    if listening.is_ok() {
        return Client::connect(state)?.call(method, params).await;
    }
    // Whoever holds the directory knows what is in the outbox; that it cannot be asked comes first.
    let _served = state.serve().map_err(|held| match listening {
        Err(unreadable) if exit::of(&unreadable) != Exit::Unavailable => unreadable,
        Err(_) | Ok(_) => held,
    })?;
    let outbox: Arc<dyn Outbox> = Arc::new(outbox::open(state).await?);
    let nobody: Arc<dyn Transport> = Arc::new(NobodySends);
    let announcer = Announcer::new(outbox, nobody, Arc::new(SystemClock), Limits::standard()?);
    let seq = params.get("seq").and_then(Value::as_u64).unwrap_or_default();
    Ok(match method {
        "announce.retry" => row(&announcer.retry(seq).await?),
        "announce.dismiss" => row(&announcer.dismiss(seq).await?),
        _ => json!({"rows": announcer.list(&Filter::default()).await?.iter().map(row).collect::<Vec<_>>()}),
    })
}
