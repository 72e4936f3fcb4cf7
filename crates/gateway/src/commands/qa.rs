//! `moorline qa run FILE...`: scenarios against a live gateway, its own or a running one.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::Context;
use async_trait::async_trait;
use moorline_qa_retry::{Contention, Gateway, Hold, Outcome, Run, Scenario, junit, read_scenarios, summary};
use moorline_retry::SystemClock;
use moorline_taxonomy::{Coordination, Local, RemoteError, Request, Wire};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{
    cli::QaRun,
    exit::{self, Exit, Failure},
    processes,
    rpc::client::Client,
    session_key::SessionKey,
    state_dir::StateDir,
    terminal::{colours, say},
};

/// The models that the scenarios of this repository talk to.
const MODELS: &str = include_str!("../../../qa-retry/scenarios/models/qa.yaml");
/// The acquire timeout of a gateway started here: contention that a scenario makes must be met within its patience.
const ACQUIRE_TIMEOUT_MS: &str = "1000";
/// How long a gateway may take to come up or to end.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) fn run(args: &QaRun) -> anyhow::Result<Exit> {
    let scenarios = read(&args.files)?;
    args.junit.as_deref().map_or(Ok(()), super::check_writable)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match &args.state {
            Some(state) => {
                let state = StateDir::existing(Some(state))?;
                against(&state, &Client::connect(&state)?, &scenarios, args).await
            }
            None => {
                let folder = tempfile::Builder::new().prefix("moorline-qa-").tempdir()?;
                let state = StateDir::open(&folder.path().join("state"))?;
                let script = state.root().join("models.yaml");
                std::fs::write(&script, MODELS)?;
                let mut gateway = processes::Gateway::start(&state, PATIENCE, |command| {
                    command.arg("--script").arg(&script);
                    command.env("MOORLINE_SESSION_WRITE_LOCK_ACQUIRE_TIMEOUT_MS", ACQUIRE_TIMEOUT_MS);
                })
                .await?;
                let exit = against(&state, gateway.client(), &scenarios, args).await;
                gateway.stop(PATIENCE).await?;
                exit
            }
        }
    })
}

fn read(files: &[PathBuf]) -> anyhow::Result<Vec<Scenario>> {
    let bad = |message: String| Failure::new(Exit::BadInput, Request::Format, message);
    let mut scenarios = Vec::new();
    for file in files {
        let name = file.display().to_string();
        let text =
            std::fs::read_to_string(file).map_err(|error| bad(format!("cannot read {name}: {error}")))?;
        scenarios.extend(read_scenarios(&name, &text).map_err(|error| bad(error.to_string()))?);
    }
    if scenarios.is_empty() {
        return Err(bad("there is no scenario in these files".to_owned()).into());
    }
    Ok(scenarios)
}

async fn against(
    state: &StateDir,
    client: &Client,
    scenarios: &[Scenario],
    args: &QaRun,
) -> anyhow::Result<Exit> {
    let gateway = OverRpc(client.clone());
    let locks = ByProcess(state.clone());
    let mut run = Run::new(ulid::Ulid::generate().to_string(), &gateway, &SystemClock)?
        .contention(&locks)
        .observed_by(|progress| tell(args.json, &progress.to_string()))
        .cancelled_by(interrupted());
    if let Some(retries) = args.retries {
        run = run.retries(retries);
    }
    let report = run.run(scenarios).await;
    if args.json {
        say(serde_json::to_string_pretty(&report)?);
    } else {
        say(summary(&report, colours()).trim_end());
    }
    if let Some(path) = &args.junit {
        std::fs::write(path, junit(&report)?).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(match report.outcome {
        Outcome::Passed => Exit::Ok,
        Outcome::Failed => Exit::Findings,
        Outcome::BadInput => Exit::BadInput,
    })
}

/// Progress goes to people who watch, beside the results.
#[allow(clippy::print_stderr, reason = "progress is not a result")]
fn tell(json: bool, progress: &str) {
    use std::io::IsTerminal;
    if !json && std::io::stderr().is_terminal() {
        eprintln!("  {progress}");
    }
}

#[allow(clippy::disallowed_methods, reason = "the program installs handlers, its libraries do not")]
async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

struct OverRpc(Client);

#[async_trait]
impl Gateway for OverRpc {
    async fn call(&self, method: &str, params: Value, deadline: Duration) -> Result<Value, Wire> {
        match tokio::time::timeout(deadline, self.0.call(method, params)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(match error.downcast_ref::<RemoteError>() {
                Some(remote) => remote.wire().clone(),
                None => exit::wire(&error),
            }),
            Err(_) => {
                Err(Wire::new(Local::Unclassified, format!("the gateway did not answer {method} in time")))
            }
        }
    }
}

/// Real contention: another process holds the session's lock.
struct ByProcess(StateDir);

#[async_trait]
impl Contention for ByProcess {
    async fn hold(&self, key: &str, duration: Duration) -> Result<Hold, Wire> {
        let failed = |message: String| Wire::new(Local::Unclassified, message);
        let key: SessionKey = key.parse().map_err(|error: Failure| failed(error.to_string()))?;
        let transcript = self.0.transcript(&key).map_err(|error| failed(error.to_string()))?;
        hold(&transcript, duration).await.map_err(|error| failed(error.to_string()))?.ok_or_else(|| {
            Wire::new(
                Coordination::LockTimeout,
                format!("the lock of {key} could not be held for the scenario"),
            )
        })
    }
}

async fn hold(transcript: &Path, duration: Duration) -> anyhow::Result<Option<Hold>> {
    let script = format!("echo held; exec sleep {}", duration.as_secs_f64());
    let mut child = tokio::process::Command::new(std::env::current_exe()?)
        .args(["lock", "exec"])
        .arg(transcript)
        .args(["--", "sh", "-c", &script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let mut out = BufReader::new(child.stdout.take().context("no output")?);
    let mut line = String::new();
    out.read_line(&mut line).await?;
    Ok((line.trim() == "held").then(|| Hold::new((child, out))))
}
