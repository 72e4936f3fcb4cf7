//! `moorline agent`: one turn of a session in a process of its own, beside the gateway and other runners.
//!
//! Both meet at the session's lock: this process acquires it as everybody does, and fails typed when it cannot. Tools that
//! concern other sessions go to the running gateway, if there is one.

use std::{
    io::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use moorline_lock_core::{Durability, Journal, Locks, OnStale, RunTag, Target, control};
use moorline_taxonomy::{Cancelled, RemoteError};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    cli::AgentArgs,
    engine::{Incoming, TurnEnd, Turns, check_message, remote_tools},
    events::{Event, Events},
    exit::{self, Exit},
    model::Models,
    rpc::client::Client,
    session_key::SessionKey,
    settings,
    signals::{self, Ending},
    state_dir::{StateDir, unwritable},
    terminal::{Tone, paint, say},
};

pub(crate) fn run(args: &AgentArgs) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit = runtime.block_on(turn(args));
    runtime.shutdown_background();
    exit
}

async fn turn(args: &AgentArgs) -> anyhow::Result<Exit> {
    let session: SessionKey = args.session.parse()?;
    check_message(&args.message)?;
    let state = StateDir::open(&StateDir::default_root(args.state.as_deref())?)?;
    let settings = settings::load(&state, OnStale::Report)?;
    let models = Models::open(&settings, args.script.as_deref(), &state)?;
    let events = Events::open(&state.events(), "agent").with_context(|| unwritable(&state.events()))?;
    let mut ending = Ending::install()?;
    let (cancel, cancelled) = watch::channel(None);
    let turns = Turns::new(state.clone(), settings.lock, events.clone(), models);
    let run_id = ulid::Ulid::generate().to_string();
    let incoming =
        Incoming { text: args.message.clone(), key: run_id.clone(), from: None, session: session.clone() };
    turns.create(&session).await?;
    events.write(Event::RunAccepted {
        run_id: run_id.clone(),
        session_key: session.clone(),
        message_key: incoming.key.clone(),
        recovered: false,
    })?;
    let tools = Arc::new(remote_tools(Client::connect(&state).ok(), &session));
    let deadline = tokio::time::Instant::now() + settings.limits.longest_turn();
    let work = async {
        if let Some(ms) = args.compact_first_ms
            && let Err(error) =
                compact(turns.locks(), &state, &session, &run_id, &events, Duration::from_millis(ms)).await
        {
            return TurnEnd::failed(exit::wire(&error));
        }
        turns.take(&incoming, &run_id, tools, deadline, cancelled, None).await
    };
    tokio::pin!(work);
    let control = control::serve();
    tokio::pin!(control);
    let (mut askable, mut ended_by) = (true, None);
    let end = loop {
        tokio::select! {
            end = &mut work => break end,
            number = ending.next() => {
                // The run is told; it lets go of its lock within moments and ends as cancelled.
                ended_by = Some(number);
                cancel.send_replace(Some(Cancelled::User));
            }
            ended = &mut control, if askable => {
                askable = false;
                if let Err(error) = ended {
                    tracing::warn!(%error, "no control socket: this run's lock cannot be revoked from outside");
                }
            }
        }
    };
    events.note(Event::RunEnded {
        run_id: run_id.clone(),
        outcome: end.word.to_owned(),
        code: end.outcome.as_ref().err().map(|wire| wire.code.to_string()),
    });
    if let Some(number) = ended_by {
        signals::end_by(number);
    }
    finish(args, &run_id, end)
}

fn finish(args: &AgentArgs, run_id: &str, end: TurnEnd) -> anyhow::Result<Exit> {
    match end.outcome {
        Ok(reply) => {
            if args.json {
                say(json!({"runId": run_id, "outcome": end.word, "reply": reply}).to_string());
            } else {
                say(reply);
            }
            Ok(Exit::Ok)
        }
        Err(wire) => {
            if let Some(parked) = &end.parked {
                let note = format!("the reply is parked in {}", parked.display());
                if !args.json {
                    say(paint(&note, Tone::Warn));
                }
            }
            Err(RemoteError::from(*wire).into())
        }
    }
}

/// Rewrites the transcript under the session lock, as a compaction does, slowly enough to be looked at.
#[allow(clippy::disallowed_methods, reason = "stands for the time a compaction takes; nothing is waited for")]
async fn compact(
    locks: &Locks,
    state: &StateDir,
    session: &SessionKey,
    run_id: &str,
    events: &Events,
    at_least: Duration,
) -> anyhow::Result<()> {
    let target = Target::sidecar_of(&state.transcript(session)?)?;
    let tag = RunTag::new(run_id).in_session(session.as_str());
    let held = locks.acquire(&target, &tag).await?;
    let (mut journal, _) = Journal::open(&held, Durability::Turn, |line| {
        serde_json::from_slice::<serde_json::Value>(line).is_ok()
    })
    .await?;
    events.note(Event::LockHeld {
        lock_path: target.lock_path().display().to_string(),
        run_id: run_id.to_owned(),
    });
    let old = std::fs::read(target.path())?;
    let began = Instant::now();
    journal
        .replace(&held, |file| {
            file.write_all(&old)?;
            // The slow part of a compaction is the thinking; the lock is held meanwhile, and nobody sees the new file.
            while began.elapsed() < at_least {
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(())
        })
        .await?;
    held.release().await?;
    Ok(())
}
