//! This very program, started again as gateway, runner and auditor: for the demo, QA and stress runs.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::Context;
use moorline_lock_core::{LockConfig, LockView, Locks};
use moorline_taxonomy::{Local, Wire};
use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use tokio::{
    io::AsyncReadExt,
    process::{Child, Command},
    time::Instant,
};

use crate::{
    audit::Audit,
    exit::{Exit, Failure},
    rpc::client::Client,
    state_dir::StateDir,
};

/// The longest hold that compacting runners of the demo declare. Short, so that the demo is.
const MAX_HOLD_MS: &str = "400";

fn program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("this program cannot find itself")
}

/// A running gateway process.
pub(crate) struct Gateway {
    child: Child,
    pid: u32,
    state: StateDir,
    client: Client,
    address: String,
}

impl Gateway {
    /// Starts a gateway and waits until it answers; `with` adds to its command line and environment.
    pub(crate) async fn start(
        state: &StateDir,
        patience: Duration,
        with: impl FnOnce(&mut Command),
    ) -> anyhow::Result<Self> {
        let log = state.create_private("gateway.log")?;
        let mut command = Command::new(program()?);
        command.args(["serve", "--with-parent", "--port", "0", "--state"]).arg(state.root());
        with(&mut command);
        let mut child = command
            // Held open for as long as this process lives: if it is killed, the gateway ends too.
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("the gateway cannot be started")?;
        let pid = child.id().context("the gateway ended at once")?;
        let end = Instant::now() + patience;
        loop {
            // A killed gateway leaves its address behind; by now it may be somebody else's.
            if let Ok(listening) = state.listening()
                && listening.pid == pid
            {
                let client = Client::connect(state)?;
                if client.call("health", serde_json::json!({})).await.is_ok() {
                    return Ok(Self { child, pid, state: state.clone(), client, address: listening.address });
                }
            }
            if let Some(status) = child.try_wait()? {
                anyhow::bail!(
                    "the gateway ended with {status}; see {}",
                    state.root().join("gateway.log").display()
                );
            }
            anyhow::ensure!(Instant::now() < end, "the gateway did not come up");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Starts a runner process on a session; with `compact`, it compacts first and holds the lock that long.
    pub(crate) fn runner(
        &self,
        key: &str,
        message: &str,
        compact: Option<Duration>,
    ) -> anyhow::Result<Runner> {
        let mut command = agent(&self.state, key, message, &[])?;
        if let Some(compact) = compact {
            command.args(["--compact-first-ms", &compact.as_millis().to_string()]);
            command.env("MOORLINE_SESSION_WRITE_LOCK_MAX_HOLD_MS", MAX_HOLD_MS);
        }
        Runner::start(command)
    }

    /// Kills it and waits until it is gone.
    pub(crate) async fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Fails when it has ended by itself.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => {
                let log = self.state.root().join("gateway.log");
                let message = format!(
                    "the gateway (pid {}) ended by itself: {status}; see {}",
                    self.pid,
                    log.display()
                );
                Err(Failure::new(Exit::Findings, Local::Bug, message).into())
            }
        }
    }

    pub(crate) fn freeze(&self) -> anyhow::Result<()> {
        signal(self.pid, Signal::STOP)
    }

    pub(crate) fn thaw(&self) -> anyhow::Result<()> {
        signal(self.pid, Signal::CONT)
    }

    /// Keeps every file that it writes from growing beyond `bytes`; `None` lets them grow again.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) -> anyhow::Result<()> {
        limit_files(self.pid, bytes)
    }

    /// Ends the gateway by SIGTERM, as an operator does.
    pub(crate) async fn stop(&mut self, patience: Duration) -> anyhow::Result<String> {
        signal(self.pid, Signal::TERM)?;
        let status =
            tokio::time::timeout(patience, self.child.wait()).await.context("the gateway did not end")??;
        anyhow::ensure!(
            status.success(),
            "the gateway ended with {status}; see {}",
            self.state.root().join("gateway.log").display()
        );
        Ok(status.to_string())
    }
}

/// The command line of a runner process, started by another program where one is named.
pub(crate) fn agent(state: &StateDir, key: &str, message: &str, under: &[&str]) -> anyhow::Result<Command> {
    let mut command = match under {
        [] => Command::new(program()?),
        [outer, arguments @ ..] => {
            let mut command = Command::new(outer);
            command.args(arguments).arg(program()?);
            command
        }
    };
    command.args(["agent", "--json", "--session", key, "--message", message, "--state"]).arg(state.root());
    Ok(command)
}

/// A running runner process.
pub(crate) struct Runner {
    child: Child,
    pid: u32,
}

/// How a runner process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    /// Its outcome in a few words.
    pub(crate) fn says(&self) -> String {
        let answer = serde_json::from_str::<serde_json::Value>(&self.stdout).unwrap_or_default();
        answer.get("outcome").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
    }

    /// Its error, if it wrote one.
    pub(crate) fn wire(&self) -> Option<Wire> {
        self.stderr.lines().find_map(|line| serde_json::from_str(line).ok())
    }
}

impl Runner {
    /// Starts one from [`agent`]'s command line.
    pub(crate) fn start(mut command: Command) -> anyhow::Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("a runner cannot be started")?;
        let pid = child.id().context("a runner ended at once")?;
        Ok(Self { child, pid })
    }

    pub(crate) fn limit_files(&self, bytes: Option<u64>) -> anyhow::Result<()> {
        limit_files(self.pid, bytes)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    pub(crate) fn stop(&self) -> anyhow::Result<()> {
        signal(self.pid, Signal::STOP)
    }

    pub(crate) fn resume(&self) -> anyhow::Result<()> {
        signal(self.pid, Signal::CONT)
    }

    pub(crate) fn kill(&self) -> anyhow::Result<()> {
        signal(self.pid, Signal::KILL)
    }

    /// Completes when it has ended; what it said is still to be read. Cancel-safe.
    pub(crate) async fn exited(&mut self) -> anyhow::Result<()> {
        Ok(self.child.wait().await.map(drop)?)
    }

    pub(crate) async fn wait(&mut self, patience: Duration) -> anyhow::Result<Ended> {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let out = self.child.stdout.take();
        let err = self.child.stderr.take();
        let all = async {
            if let Some(mut out) = out {
                out.read_to_string(&mut stdout).await?;
            }
            if let Some(mut err) = err {
                err.read_to_string(&mut stderr).await?;
            }
            self.child.wait().await
        };
        let status = tokio::time::timeout(patience, all).await.context("a runner did not end")??;
        Ok(Ended { exit: status.code().unwrap_or(-1), stdout, stderr })
    }
}

fn process(pid: u32) -> anyhow::Result<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw).context("no such process")
}

fn limit_files(pid: u32, bytes: Option<u64>) -> anyhow::Result<()> {
    let process = process(pid)?;
    prlimit(Some(process), Resource::Fsize, Rlimit { current: bytes, maximum: None })
        .map(drop)
        .with_context(|| format!("the file size limit of pid {pid} cannot be set"))
}

fn signal(pid: u32, signal: Signal) -> anyhow::Result<()> {
    let pid = process(pid)?;
    kill_process(pid, signal).with_context(|| format!("cannot signal pid {}", pid.as_raw_nonzero()))
}

/// Looks at a lock as an operator would.
pub(crate) fn look(lock: &Path) -> anyhow::Result<LockView> {
    let locks = Locks::new(LockConfig::default());
    locks.inspect(lock)?.into_iter().next().context("nothing to look at")
}

/// Waits until `pid` holds the lock.
pub(crate) async fn until_held(lock: &Path, pid: u32, patience: Duration) -> anyhow::Result<()> {
    until(patience, "a runner did not acquire its lock", || Ok(look(lock)?.pid == Some(pid))).await
}

/// Waits until the lock is judged to be in `state`.
pub(crate) async fn until_state(lock: &Path, state: &str, patience: Duration) -> anyhow::Result<()> {
    until(patience, "the lock did not come into the state expected", || Ok(look(lock)?.state == state)).await
}

/// Waits until a runner sleeps on somebody else's lock: it has an inotify watch.
pub(crate) async fn until_waiting(runner: &Runner, patience: Duration) -> anyhow::Result<()> {
    let folder = format!("/proc/{}/fdinfo", runner.pid());
    until(patience, "a runner did not come to wait", || {
        let watches = std::fs::read_dir(&folder)?.filter_map(Result::ok);
        Ok(watches
            .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
            .any(|info| info.contains("inotify wd:")))
    })
    .await
}

async fn until(
    patience: Duration,
    what: &str,
    mut done: impl FnMut() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let end = Instant::now() + patience;
    while !done()? {
        anyhow::ensure!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Runs the audit as a process of its own and reads what it found.
pub(crate) async fn audited(state: &StateDir) -> anyhow::Result<Audit> {
    let output = Command::new(program()?)
        .args(["audit", "--json", "--state"])
        .arg(state.root())
        .kill_on_drop(true)
        .output()
        .await?;
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("the audit failed: {}", String::from_utf8_lossy(&output.stderr)))
}
