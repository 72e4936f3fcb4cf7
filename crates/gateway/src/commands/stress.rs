//! `moorline stress`: reads the options, performs the run, shows what its audit found.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use moorline_taxonomy::{Local, Request};

use crate::{
    cli::StressArgs,
    events,
    exit::{Exit, Failure},
    holds,
    signals::{self, Ending},
    state_dir::StateDir,
    stress::{
        self,
        plan::{FaultKind, Options, plan},
        record,
        report::{self, Seen},
        summary::Summary,
    },
    terminal::say,
};

pub(crate) fn run(args: &StressArgs) -> anyhow::Result<Exit> {
    let options = options(args)?;
    let home = Home::new(args.state.as_deref())?;
    args.report.as_deref().map_or(Ok(()), super::check_writable)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let state = StateDir::open(&home.root)?;
    let outcome = runtime.block_on(async {
        check_tools(&options).await?;
        let mut ending = Ending::install()?;
        let plan = plan(&options);
        if !args.json {
            say(format!(
                "Moorline stress  seed {}  {} sessions, {} calls, {} faults, {} s; scripted models, no network but loopback",
                options.seed,
                plan.sessions.len(),
                plan.steps.len(),
                plan.faults.len(),
                options.seconds
            ));
            say(format!("state    {}", state.root().display()));
        }
        tokio::select! {
            biased;
            number = ending.next() => Ok(Err(number)),
            found = stress::perform(&state, &options, plan, args.json) => found.map(Ok),
        }
    });
    // What is left of the run is dropped here, and with it its processes: killed, the stopped ones too.
    runtime.shutdown_timeout(Duration::from_secs(5));
    match outcome {
        Ok(Ok(found)) => {
            let records = record::read(state.root())?;
            let summary = Summary::of(&options, &found, &records);
            if args.json {
                say(serde_json::to_string(&summary)?);
            } else {
                super::audit::show(&found, summary.passed);
                show(&summary);
            }
            if !summary.passed || args.state.is_some() {
                home.keep(args.json);
            }
            if let Some(path) = &args.report {
                let lines = &events::read_all(&state.events())?.lines;
                let holds = &holds::read(state.root())?;
                let seen = Seen { summary: &summary, found: &found, records: &records, lines, holds };
                report::write(path, &seen)?;
            }
            Ok(if summary.passed { Exit::Ok } else { Exit::Findings })
        }
        Ok(Err(number)) => {
            home.keep(args.json);
            Ok(signals::interrupted(number))
        }
        Err(error) => {
            home.keep(args.json);
            Err(error)
        }
    }
}

fn show(summary: &Summary) {
    say(format!(
        "{} runs, {}/s; callers waited p50 {} ms, p99 {} ms, at most {} ms; {} retries",
        summary.runs, summary.per_second, summary.p50_ms, summary.p99_ms, summary.max_ms, summary.retries
    ));
    for (kind, injected) in &summary.faults_injected {
        let observed = summary.faults_observed.get(kind).copied().unwrap_or(0);
        say(format!("{kind}: {injected} injected, {observed} of them left a trace"));
    }
    say(format!("again: {}", summary.rerun));
}

fn options(args: &StressArgs) -> anyhow::Result<Options> {
    let seed = match args.seed {
        Some(seed) => seed,
        // Short enough to be typed again.
        None => u64::from(getrandom::u32().map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?),
    };
    Ok(Options {
        agents: args.agents,
        sessions: args.sessions,
        processes: args.processes,
        turns: args.turns,
        seconds: args.seconds,
        faults: args.faults.0.clone(),
        seed,
    })
}

/// A fault whose program is missing is refused before anything is started.
async fn check_tools(options: &Options) -> anyhow::Result<()> {
    if !options.faults.contains(&FaultKind::Clock) {
        return Ok(());
    }
    let found = tokio::process::Command::new("faketime").args(["-f", "+1d", "true"]).output().await;
    if found.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    let message = "the fault `clock` needs the program `faketime`; install the package faketime, or leave clock out of --faults";
    Err(Failure::new(Exit::Unavailable, Local::Config, message).into())
}

/// Where the state lies: the directory that was given, or a temporary one that goes unless it is worth keeping.
struct Home {
    root: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl Home {
    fn new(given: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(given) = given {
            let empty = std::fs::read_dir(given).map_or(true, |mut entries| entries.next().is_none());
            if !empty {
                let message = format!(
                    "{} is not empty: a stress run wants a state directory of its own, since it harms what is in it",
                    given.display()
                );
                return Err(Failure::new(Exit::BadInput, Request::Format, message).into());
            }
            return Ok(Self { root: given.to_owned(), temporary: None });
        }
        let folder = tempfile::Builder::new()
            .prefix("moorline-stress-")
            .tempdir()
            .context("no temporary directory")?;
        Ok(Self { root: folder.path().join("state"), temporary: Some(folder) })
    }

    fn keep(self, json: bool) {
        let root = self.root.clone();
        if let Some(folder) = self.temporary {
            let _ = folder.keep();
        }
        if !json {
            say(format!("kept: {}", root.display()));
            say(format!("try:  moorline audit --state {}", root.display()));
        }
    }
}
