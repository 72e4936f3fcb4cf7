//! `moorline parked list | append | dismiss`: replies that were paid for and could not be written, because another writer had
//! continued the session.

use std::path::PathBuf;

use moorline_lock_core::{LockConfig, Locks, Wait};
use moorline_runner::{Parked, append_parked, dismiss_parked, list_parked};
use serde_json::json;

use crate::{
    cli::{ParkedCommand, ParkedId, ParkedList},
    clock,
    exit::Exit,
    session_key::SessionKey,
    state_dir::StateDir,
    terminal::{Tone, beginning, cell, say, table},
};

pub(crate) fn run(command: &ParkedCommand) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match command {
        ParkedCommand::List(args) => list(args),
        ParkedCommand::Append(args) => runtime.block_on(append(args)),
        ParkedCommand::Dismiss(args) => runtime.block_on(dismiss(args)),
    }
}

fn list(args: &ParkedList) -> anyhow::Result<Exit> {
    let state = StateDir::existing(args.state.as_deref())?;
    let keys = match &args.session {
        Some(session) => vec![session.parse::<SessionKey>()?],
        None => state.session_keys()?,
    };
    let mut all: Vec<(SessionKey, Parked)> = Vec::new();
    for key in keys {
        let transcript = state.transcript(&key)?;
        all.extend(list_parked(&transcript)?.into_iter().map(|parked| (key.clone(), parked)));
    }
    if args.json {
        let rows: Vec<_> = all.iter().map(|(_, parked)| parked).collect();
        say(serde_json::to_string_pretty(&rows)?);
        return Ok(Exit::Ok);
    }
    if all.is_empty() {
        say("no parked replies");
        return Ok(Exit::Ok);
    }
    let mut shown = table(["session", "id", "parked", "why", "reply"]);
    for (key, parked) in &all {
        shown.add_row([
            cell(key, Tone::Plain),
            cell(&parked.id, Tone::Plain),
            cell(&parked.parked_at, Tone::Faint),
            cell(&parked.reason, Tone::Warn),
            cell(beginning(&parked.text, 60), Tone::Plain),
        ]);
    }
    say(shown.to_string());
    say(
        "Write one with `moorline parked append --session KEY ID`, or drop it with `moorline parked dismiss --session KEY ID`.",
    );
    Ok(Exit::Ok)
}

async fn append(args: &ParkedId) -> anyhow::Result<Exit> {
    let (transcript, config) = of(args)?;
    let wait = Wait { timeout: config.acquire_timeout, on_stale: None, max_hold: None };
    let added = append_parked(&Locks::new(config), &transcript, &args.id, wait, clock::wall()).await?;
    if args.json {
        say(json!({"id": args.id, "appended": true, "entryId": added.entry_id}).to_string());
    } else {
        say(format!("{} is in the transcript now", args.id));
    }
    Ok(Exit::Ok)
}

async fn dismiss(args: &ParkedId) -> anyhow::Result<Exit> {
    let (transcript, config) = of(args)?;
    let parked = dismiss_parked(&Locks::new(config), &transcript, &args.id).await?;
    if args.json {
        say(json!({"id": parked.id, "dismissed": true}).to_string());
    } else {
        say(format!("{} is dismissed", parked.id));
    }
    Ok(Exit::Ok)
}

fn of(args: &ParkedId) -> anyhow::Result<(PathBuf, LockConfig)> {
    let state = StateDir::existing(args.state.as_deref())?;
    Ok((state.transcript(&args.session.parse()?)?, LockConfig::from_env()?))
}
