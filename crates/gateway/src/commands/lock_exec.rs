//! `moorline lock exec FILE -- CMD`: run a command while holding the lock of a file.
//!
//! The command inherits the lock's descriptor, so the lock lives as long as its last writer even if this process is
//! killed. Signals are forwarded; the lock is released after the command has ended. If the lock is revoked or lost, the
//! command is asked to end (SIGTERM) and killed after a grace, because what it writes is not protected any more.

use std::{os::unix::process::ExitStatusExt, process::ExitStatus, time::Duration};

use anyhow::Context;
use moorline_lock_core::{Held, LockConfig, Locks, LostHow, ReleaseError, RunTag, Target, Wait, control};
use moorline_taxonomy::{Coordination, Local};
use tokio::{
    process::{Child, Command},
    signal::unix::{Signal, SignalKind, signal},
};

use crate::{
    cli::{LockExec, OnStale},
    exit::{self, Exit, Failure},
};

/// How long a command may take to end after SIGTERM before it is killed.
const GRACE: Duration = Duration::from_secs(10);

pub(crate) fn run(args: &LockExec) -> anyhow::Result<Exit> {
    let config = config(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let exit = runtime.block_on(exec(args, config));
    // What still runs is the control socket; nothing of it needs to be waited for.
    runtime.shutdown_background();
    exit
}

fn config(args: &LockExec) -> anyhow::Result<LockConfig> {
    let flag = |name: &str| match name {
        "MOORLINE_SESSION_WRITE_LOCK_ACQUIRE_TIMEOUT_MS" => args.timeout_ms.clone(),
        "MOORLINE_SESSION_WRITE_LOCK_STALE_MS" => args.stale_ms.clone(),
        "MOORLINE_SESSION_WRITE_LOCK_MAX_HOLD_MS" => args.max_hold_ms.clone(),
        _ => None,
    };
    let mut config = LockConfig::from_env()?.overridden_by(flag).map_err(|error| {
        // A flag is the command line, not the configuration.
        let name = match error.key.as_str() {
            "MOORLINE_SESSION_WRITE_LOCK_ACQUIRE_TIMEOUT_MS" => "--timeout-ms",
            "MOORLINE_SESSION_WRITE_LOCK_STALE_MS" => "--stale-ms",
            _ => "--max-hold-ms",
        };
        Failure::new(Exit::Usage, Local::Config, format!("{name} is {:?}: {}", error.value, error.problem))
    })?;
    config.check_compat()?;
    if let Some(on_stale) = args.on_stale {
        config.on_stale = match on_stale {
            OnStale::Report => moorline_lock_core::OnStale::Report,
            OnStale::Wait => moorline_lock_core::OnStale::Wait,
        };
    }
    Ok(config)
}

async fn exec(args: &LockExec, config: LockConfig) -> anyhow::Result<Exit> {
    let target = Target::sidecar_of(&args.file)?;
    let tag = args.run_id.as_deref().map_or_else(RunTag::anonymous, RunTag::new);
    // Before the lock is had, so that a signal that comes right after it is not lost with the lock held.
    let mut signals = Signals::install()?;
    let wait = Wait { timeout: config.acquire_timeout, on_stale: None, max_hold: None };
    let locks = Locks::new(config);
    let held = tokio::select! {
        held = locks.acquire_within(&target, &tag, wait) => held?,
        number = signals.next() => return Ok(Exit::Status(128 + u8::try_from(number).unwrap_or(15))),
    };
    let status = hold_and_run(args, &held, &mut signals).await;
    release(held, args.json).await;
    status
}

async fn hold_and_run(args: &LockExec, held: &Held, signals: &mut Signals) -> anyhow::Result<Exit> {
    let descriptor = held.inheritable().context("no descriptor for the command")?;
    let (program, arguments) = args.command.split_first().context("no command")?;
    let spawned = Command::new(program).args(arguments).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return Ok(not_started(program, &error, args.json)),
    };
    // The command has its own copy now; ours would keep the lock alive in whatever else this process starts.
    drop(descriptor);
    let mut killed_after = None;
    let control = control::serve();
    tokio::pin!(control);
    let mut askable = true;
    loop {
        tokio::select! {
            ended = &mut control, if askable => {
                askable = false;
                if let Err(error) = ended {
                    tracing::warn!(%error, "no control socket: this lock cannot be revoked");
                }
            }
            status = child.wait() => return Ok(Exit::Status(status_code(status?))),
            number = signals.next() => forward(&child, number),
            how = held.lost(), if killed_after.is_none() => {
                tell(how, held, args.json);
                forward(&child, libc_term());
                killed_after = Some(tokio::time::Instant::now() + GRACE);
            }
            () = until(killed_after), if killed_after.is_some() => {
                child.start_kill()?;
                killed_after = Some(tokio::time::Instant::now() + GRACE);
            }
        }
    }
}

async fn until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn tell(how: LostHow, held: &Held, json: bool) {
    let message = format!(
        "the lock {} is not ours any more ({}); ending the command",
        held.target().lock_path().display(),
        how.as_str()
    );
    exit::report(&Failure::new(Exit::Findings, Coordination::LockLost, message).into(), json);
}

async fn release(held: Held, json: bool) {
    match held.release().await {
        Ok(()) => {}
        // The status is the command's; that the lock was lost is said beside it.
        Err(ReleaseError::Lost(error)) => exit::report(&error.into(), json),
        Err(ReleaseError::Failed { held, source }) => {
            exit::report(&source.into(), json);
            // Dropping tries once more, and what is left is a dead lock that the next acquire takes over.
            drop(held);
        }
    }
}

fn not_started(program: &std::ffi::OsStr, error: &std::io::Error, json: bool) -> Exit {
    let missing = error.kind() == std::io::ErrorKind::NotFound;
    let exit = Exit::Status(if missing { 127 } else { 126 });
    let message = format!("cannot run {}: {error}", program.to_string_lossy());
    exit::report(&Failure::new(exit, Local::Config, message).into(), json);
    exit
}

fn status_code(status: ExitStatus) -> u8 {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => i32::from(Exit::Internal.code()),
    };
    u8::try_from(code & 0xFF).unwrap_or(Exit::Internal.code())
}

fn forward(child: &Child, number: i32) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(rustix::process::Pid::from_raw);
    let signal = rustix::process::Signal::from_named_raw(number);
    if let (Some(pid), Some(signal)) = (pid, signal) {
        // It may have ended this instant; then there is nobody to tell.
        let _ = rustix::process::kill_process(pid, signal);
    }
}

fn libc_term() -> i32 {
    rustix::process::Signal::TERM.as_raw()
}

/// The signals that are forwarded to the command.
struct Signals {
    all: Vec<(i32, Signal)>,
}

impl Signals {
    #[allow(clippy::disallowed_methods, reason = "the program installs handlers, its libraries do not")]
    fn install() -> std::io::Result<Self> {
        let kinds = [
            SignalKind::hangup(),
            SignalKind::interrupt(),
            SignalKind::quit(),
            SignalKind::terminate(),
            SignalKind::user_defined1(),
            SignalKind::user_defined2(),
            // SIGABRT, which tokio has no name for.
            SignalKind::from_raw(6),
        ];
        let all = kinds.into_iter().map(|kind| signal(kind).map(|signal| (kind.as_raw_value(), signal)));
        Ok(Self { all: all.collect::<Result<_, _>>()? })
    }

    /// The next signal's number. Cancel-safe.
    async fn next(&mut self) -> i32 {
        std::future::poll_fn(|context| {
            for (number, signal) in &mut self.all {
                if signal.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*number);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}
