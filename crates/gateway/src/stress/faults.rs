//! Doing the planned faults, each for real: signals, file size limits, a false clock, bad weather on the wire.
//!
//! A fault is written down when it is over, with the process it was done to, so that the audit can look for its traces.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;

use super::{
    Stress,
    plan::{Deed, Fault, Harm, Moment},
    record::{Record, Target},
    runners::is_busy,
};
use crate::{
    clock,
    processes::{self, Ended, Runner},
    session_key::SessionKey,
};

/// Longest wait for a runner that is to come to harm.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a runner that is killed or stopped while it holds the lock means to hold it.
const HOLD: Duration = Duration::from_millis(250);
/// Bytes by which files may still grow when the disk is full: enough for part of a line.
const ROOM: u64 = 150;

/// What was done.
struct Done {
    target: Target,
    pid: Option<u32>,
    what: String,
}

impl Stress {
    /// Does a fault when its time comes, and writes it down.
    pub(super) async fn inflict(&self, fault: Fault) -> anyhow::Result<()> {
        tokio::time::sleep_until(self.began + fault.at).await;
        let at = clock::wall_ms();
        let done = self.deed(&fault).await?;
        let line = format!(
            "{:6.2}  {:<5} {:<8} {}",
            self.began.elapsed().as_secs_f64(),
            fault.kind.as_str(),
            format!("{:?}", done.target).to_lowercase(),
            done.what
        );
        self.progress.println(line);
        self.recorder.write(&Record::Fault {
            number: fault.number,
            at,
            until: clock::wall_ms(),
            kind: fault.kind,
            target: done.target,
            pid: done.pid,
            what: done.what,
        })
    }

    async fn deed(&self, fault: &Fault) -> anyhow::Result<Done> {
        let gateway = |pid, what| Done { target: Target::Gateway, pid: Some(pid), what };
        Ok(match &fault.deed {
            Deed::KillGateway => {
                let pid = self.keeper.kill().await?;
                gateway(pid, format!("SIGKILL of pid {pid}; another one serves"))
            }
            Deed::StopGateway { span } => {
                let pid = self.keeper.stop(*span).await?;
                gateway(pid, format!("SIGSTOP of pid {pid} for {} ms", span.as_millis()))
            }
            Deed::FullDiskOfGateway { span } => {
                let room = self.middle_size()? + ROOM;
                let pid = self.keeper.starve(room, *span).await?;
                gateway(pid, format!("no file of pid {pid} beyond {room} bytes for {} ms", span.as_millis()))
            }
            Deed::Net { weather, span } => {
                let proxy = self.proxy.as_ref().context("no proxy was opened")?;
                let spoilt = proxy.spoil(*weather, *span).await;
                let what = format!("{weather:?} for {} ms: {spoilt} pieces", span.as_millis());
                Done { target: Target::Net, pid: None, what }
            }
            Deed::Runner { session, harm } => self.harm(fault.number, session, harm).await?,
        })
    }

    async fn harm(&self, number: usize, session: &SessionKey, harm: &Harm) -> anyhow::Result<Done> {
        let text = format!("fault {number}");
        let (pid, what) = match harm {
            Harm::Kill(moment) => {
                let mut runner = self.runner_at(*moment, session, &text).await?;
                runner.kill()?;
                let ended = runner.wait(PATIENCE).await?;
                (runner.pid(), format!("SIGKILL of pid {} {}", runner.pid(), when(*moment, &ended)))
            }
            Harm::Stop(moment, span) => {
                let mut runner = self.runner_at(*moment, session, &text).await?;
                runner.stop()?;
                tokio::time::sleep(*span).await;
                runner.resume()?;
                let ended = runner.wait(PATIENCE).await?;
                let what = format!(
                    "SIGSTOP of pid {} {} for {} ms, then exit {}",
                    runner.pid(),
                    when(*moment, &ended),
                    span.as_millis(),
                    ended.exit
                );
                (runner.pid(), what)
            }
            Harm::Clock(by) => {
                let mut runner = self.runner(session, &text, &["faketime", "-f", by])?;
                let ended = runner.wait(PATIENCE).await?;
                (runner.pid(), format!("clock {by} for pid {}, exit {}", runner.pid(), ended.exit))
            }
            Harm::FullDisk => {
                let mut runner = self.runner(session, &text, &[])?;
                let room = std::fs::metadata(self.transcript(session)?).map_or(0, |file| file.len()) + ROOM;
                runner.limit_files(Some(room))?;
                let ended = runner.wait(PATIENCE).await?;
                let pid = runner.pid();
                (pid, format!("no file of pid {pid} beyond {room} bytes, exit {}", ended.exit))
            }
        };
        Ok(Done { target: Target::Runner, pid: Some(pid), what: format!("{what} on {session}") })
    }

    /// A runner that has come to the moment. One that is refused because the session is busy is started again, and so is one
    /// whose moment was missed.
    async fn runner_at(&self, moment: Moment, session: &SessionKey, text: &str) -> anyhow::Result<Runner> {
        let after = match moment {
            Moment::After(after) => {
                let runner = self.runner(session, text, &[])?;
                tokio::time::sleep(after).await;
                return Ok(runner);
            }
            Moment::Holding => tokio::time::Instant::now() + PATIENCE,
        };
        let mut lock = self.transcript(session)?.into_os_string();
        lock.push(".lock");
        let lock = PathBuf::from(lock);
        loop {
            let mut runner = self.holding_runner(session, text, HOLD)?;
            let pid = runner.pid();
            tokio::select! {
                held = processes::until_held(&lock, pid, PATIENCE) => {
                    held?;
                    return Ok(runner);
                }
                exited = runner.exited() => exited?,
            }
            let ended = runner.wait(PATIENCE).await?;
            // Refused, or over before this process came to look: on a busy machine that may be longer than it holds.
            anyhow::ensure!(
                (is_busy(&ended) || ended.exit == 0) && tokio::time::Instant::now() < after,
                "a runner that was to hold {session} ended with {}: {}",
                ended.exit,
                ended.stderr
            );
        }
    }

    /// A size that about half of the transcripts have reached.
    fn middle_size(&self) -> anyhow::Result<u64> {
        let mut sizes = Vec::new();
        for session in &self.sessions {
            sizes.extend(std::fs::metadata(self.transcript(session)?).map(|file| file.len()));
        }
        sizes.sort_unstable();
        Ok(sizes.get(sizes.len() / 2).copied().unwrap_or(0))
    }

    fn transcript(&self, session: &SessionKey) -> anyhow::Result<PathBuf> {
        self.state.transcript(session)
    }
}

fn when(moment: Moment, ended: &Ended) -> String {
    let late = if ended.exit < 0 { "" } else { " (it had ended)" };
    match moment {
        Moment::Holding => "holding the lock".to_owned(),
        Moment::After(after) => format!("{} ms after its start{late}", after.as_millis()),
    }
}
