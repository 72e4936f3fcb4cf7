//! `moorline demo`: the main job on a temporary state directory, with real processes, real kills and real files.
//!
//! It starts a gateway and runner processes, lets agents send to and spawn each other, stops one runner past `maxHoldMs` and
//! kills another while each holds its lock, and says what happens as it happens. Whether anything was lost is not for it
//! to say: at the end a separate process audits the files. An interrupt ends every process that it started.

mod story;

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use serde_json::json;

use crate::processes::{self, Gateway};
use crate::{
    cli::DemoArgs,
    exit::Exit,
    signals::{self, Ending},
    state_dir::StateDir,
    terminal::{Tone, paint, say},
};
use story::Story;

/// No step may take longer than this; the whole demo takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder =
        tempfile::Builder::new().prefix("moorline-demo-").tempdir().context("no temporary directory")?;
    let root = folder.path().join("state");
    let outcome = runtime.block_on(async {
        let mut ending = Ending::install()?;
        tokio::select! {
            biased;
            number = ending.next() => Ok(Err(number)),
            exit = tell(&root) => exit.map(Ok),
        }
    });
    // What is left of the demo was dropped with its future, and with it its processes: killed, the stopped ones too.
    runtime.shutdown_timeout(PATIENCE);
    let exit = match &outcome {
        Ok(Ok(exit)) => *exit,
        Ok(Err(_)) | Err(_) => Exit::Findings,
    };
    if args.keep || exit != Exit::Ok {
        let kept = folder.keep();
        say(format!("kept: {}", kept.join("state").display()));
        say(format!("try:  moorline lock inspect {}", kept.join("state/sessions/main").display()));
    }
    Ok(match outcome? {
        Ok(exit) => exit,
        Err(number) => signals::interrupted(number),
    })
}

async fn tell(root: &std::path::Path) -> anyhow::Result<Exit> {
    let state = StateDir::open(root)?;
    let mut story = Story::begin();
    say(format!("{}  scripted models, no network but loopback", paint("Moorline demo", Tone::Good)));
    say(format!("state    {} (0700)", state.root().display()));
    let mut gateway = Gateway::start(&state, PATIENCE, |_| {}).await?;
    say(format!("gateway  {} pid {}, bearer token", gateway.address(), gateway.pid()));

    story.chapter("agents talk");
    converse(&mut story, &gateway).await?;
    // The exchanges that the sends began go on for a moment; the next chapters want to be alone with their sessions.
    wait_for_announces(&mut story, &gateway).await?;
    story.chapter("a live owner is never removed");
    stop_an_owner(&mut story, &state, &gateway).await?;
    story.chapter("kill -9");
    kill_an_owner(&mut story, &state, &gateway).await?;
    let status = gateway.stop(PATIENCE).await?;
    story.line("gateway", &format!("pid {} ended by SIGTERM, {status}", gateway.pid()));
    story.chapter("audit, by a separate process, from the files alone");
    let found = processes::audited(&state).await?;
    // Everything was ended in order, so nothing is left for a next owner either.
    let passed = found.passed() && found.left.is_empty();
    crate::commands::audit::show(&found, passed);
    say(format!(
        "{} in {:.1} s",
        if passed { paint("nothing was lost", Tone::Good) } else { paint("the audit failed", Tone::Bad) },
        story.elapsed()
    ));
    Ok(if passed { Exit::Ok } else { Exit::Findings })
}

/// Sends both ways, spawns, and runner processes on the same transcripts.
async fn converse(story: &mut Story, gateway: &Gateway) -> anyhow::Result<()> {
    let rpc = gateway.client();
    for key in ["agent:main:desk", "agent:main:planning", "agent:review:desk", "agent:research:desk"] {
        rpc.call("sessions.create", json!({"key": key})).await?;
        story.line("create", key);
    }
    let mut work = tokio::task::JoinSet::new();
    for (from, to, text) in [
        ("main", "review", "please look at the plan"),
        ("review", "main", "one question about the plan"),
        ("main", "review", "busy hour question"),
        ("review", "main", "a second question"),
    ] {
        let rpc = rpc.clone();
        work.spawn(async move {
            let params = json!({"from": format!("agent:{from}:desk"), "to": format!("agent:{to}:desk"), "message": text, "timeoutMs": 10_000, "maxPingPong": 1});
            (format!("{from} → {to}"), rpc.call("sessions.send", params).await)
        });
    }
    for number in 1..=5 {
        let rpc = rpc.clone();
        work.spawn(async move {
            let params = json!({"requester": "agent:main:desk", "agent": "research", "task": format!("topic {number}")});
            (format!("spawn {number} by main"), rpc.call("sessions.spawn", params).await)
        });
    }
    {
        let rpc = rpc.clone();
        work.spawn(async move {
            let params = json!({"sessionKey": "agent:main:planning", "message": "delegate the survey", "timeoutMs": 10_000});
            ("turn of main:planning, whose model spawns".to_owned(), rpc.call("agent", params).await)
        });
    }
    let mut runners = Vec::new();
    for (number, agent) in ["main", "review", "main"].into_iter().enumerate() {
        let key = format!("agent:{agent}:desk");
        runners.push(gateway.runner(&key, &format!("hello from runner {}", number + 1), None)?);
        story.owner("runner", runners.last().map_or(0, processes::Runner::pid), &format!("started on {key}"));
    }
    while let Some(done) = work.join_next().await {
        let (what, answer) = done?;
        match answer {
            Ok(answer) => story.line(&said(&answer), &what),
            Err(error) => {
                story.line(&crate::exit::wire(&error).code.to_string(), &what);
                return Err(error.context(what));
            }
        }
    }
    for mut runner in runners {
        let ended = runner.wait(PATIENCE).await?;
        match ended.wire() {
            None => story.owner("runner", runner.pid(), &format!("exit {} {}", ended.exit, ended.says())),
            // The gateway or another runner wrote first, twice: the reply that was paid for is parked, not lost.
            Some(wire) => story.owner(
                &wire.code.to_string(),
                runner.pid(),
                "somebody else wrote first; its reply is parked",
            ),
        }
        anyhow::ensure!(ended.exit <= 1, "a runner process failed: {}", ended.stderr);
    }
    Ok(())
}

/// One word for an answer: how far the request got.
fn said(answer: &serde_json::Value) -> String {
    let is = |name: &str| answer.get(name).and_then(serde_json::Value::as_bool) == Some(true);
    let code = answer.pointer("/error/code").and_then(serde_json::Value::as_str);
    match (answer.get("outcome").and_then(serde_json::Value::as_str), code) {
        (Some(outcome), _) => outcome.to_owned(),
        (None, Some(code)) => code.to_owned(),
        (None, None) if is("replied") => "replied".to_owned(),
        (None, None) => "accepted".to_owned(),
    }
}

/// A runner is stopped while it holds the lock, past its `maxHoldMs`.
async fn stop_an_owner(story: &mut Story, state: &StateDir, gateway: &Gateway) -> anyhow::Result<()> {
    let key = "agent:review:desk";
    let lock = lock_of(state, key)?;
    let mut owner = gateway.runner(key, "compact, then answer", Some(Duration::from_millis(900)))?;
    processes::until_held(&lock, owner.pid(), PATIENCE).await?;
    owner.stop()?;
    story.owner(
        "SIGSTOP",
        owner.pid(),
        &format!("while it compacts {key} and holds its lock (maxHoldMs 400)"),
    );
    processes::until_state(&lock, "stale", PATIENCE).await?;
    let mut contender = gateway.runner(key, "may I?", None)?;
    let refused = contender.wait(PATIENCE).await?;
    anyhow::ensure!(
        refused.exit == 75,
        "the contender should have been told that the lock is stale: {refused:?}"
    );
    let wire = refused.wire().context("the contender's error is not in wire form")?;
    let pid = wire.owner.as_ref().and_then(|owner| owner.pid).unwrap_or_default();
    story.owner(
        &wire.code.to_string(),
        pid,
        &format!(
            "told to runner {}: {}, removable no, candidates burned 0",
            contender.pid(),
            wire.stale_reasons.join(" ")
        ),
    );
    let view = processes::look(&lock)?;
    anyhow::ensure!(view.pid == Some(owner.pid()), "the stale lock was not left in place");
    story.owner("in place", owner.pid(), "the lock file is untouched");
    owner.resume()?;
    story.owner("SIGCONT", owner.pid(), "goes on");
    let ended = owner.wait(PATIENCE).await?;
    anyhow::ensure!(ended.exit == 0, "the resumed owner failed: {}", ended.stderr);
    story.owner("finished", owner.pid(), &format!("exit {} {}", ended.exit, ended.says()));
    let mut next = gateway.runner(key, "my turn now", None)?;
    let ended = next.wait(PATIENCE).await?;
    anyhow::ensure!(ended.exit == 0, "the next runner failed: {}", ended.stderr);
    story.owner("acquired", next.pid(), &format!("exit {} {}", ended.exit, ended.says()));
    Ok(())
}

/// A runner is killed while it holds the lock.
async fn kill_an_owner(story: &mut Story, state: &StateDir, gateway: &Gateway) -> anyhow::Result<()> {
    let key = "agent:research:desk";
    let lock = lock_of(state, key)?;
    let mut owner = gateway.runner(key, "compact, then answer", Some(Duration::from_secs(10)))?;
    processes::until_held(&lock, owner.pid(), PATIENCE).await?;
    // Waiting already when the owner dies, so that what is measured is the takeover.
    let mut next = gateway.runner(key, "is anybody there?", None)?;
    processes::until_waiting(&next, PATIENCE).await?;
    let killed_at = crate::clock::wall_ms();
    owner.kill()?;
    story.owner("SIGKILL", owner.pid(), &format!("while it compacts {key} and holds its lock"));
    let ended = next.wait(PATIENCE).await?;
    anyhow::ensure!(ended.exit == 0, "the next runner failed: {}", ended.stderr);
    let taken = crate::events::read_all(&state.events())?.lines.into_iter().find(|line| {
        matches!(line.event, crate::events::Event::LockReclaimed { owner_pid, .. } if owner_pid == Some(owner.pid()))
    });
    let taken = taken.context("nobody wrote down that the dead owner's lock was taken over")?;
    let after = taken.at.saturating_sub(killed_at);
    story.owner(
        "took over",
        next.pid(),
        &format!("from dead pid {} within {after} ms; exit {} {}", owner.pid(), ended.exit, ended.says()),
    );
    owner.wait(PATIENCE).await?;
    Ok(())
}

/// Waits until every finished child's result has reached its requester and no turn is under way.
async fn wait_for_announces(story: &mut Story, gateway: &Gateway) -> anyhow::Result<()> {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let health = gateway.client().call("health", json!({})).await?;
        let number = |name: &str| health.pointer(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
        let (accepted, delivered) = (number("/spawns/accepted"), number("/announces/delivered"));
        let idle = number("/lanes/turns") == 0 && number("/sends/open") == 0;
        if accepted > 0 && delivered == accepted && idle {
            story.line(
                "announced",
                &format!("{delivered} of {accepted} results are in their requester's transcript"),
            );
            return Ok(());
        }
        anyhow::ensure!(
            tokio::time::Instant::now() < end,
            "results are missing: {delivered} of {accepted} delivered; {health}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn lock_of(state: &StateDir, key: &str) -> anyhow::Result<PathBuf> {
    let mut path = state.transcript(&key.parse()?)?.into_os_string();
    path.push(".lock");
    Ok(path.into())
}
