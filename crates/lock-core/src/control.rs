//! Asking an owner to let go: the remedy for a live owner that holds a lock too long.
//!
//! Each program that wants to be askable runs [`serve`]. Its socket lives in the abstract namespace and is named by the
//! process identity that is in every lock record (pid namespace, pid, start time), so it can be found from the lock file
//! alone and a killed process leaves nothing behind. The option not taken, a socket file, needs a place that both
//! sides know and litters.
//!
//! Nothing here deletes a lock: the owner's process revokes its own guard, whose writes then fail typed, and releases it.
//! Both sides check that the other runs as the same user or as root.

use std::{io, path::Path, time::Duration};

use moorline_taxonomy::{Coordination, Local, Mark, Owner};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    task::JoinSet,
};

use crate::{
    config::LockConfig,
    error::{LockError, LostHow, pid_alive},
    evidence::Judged,
    inspect::{judge_once, state_word, view},
    judge::State,
    record::Record,
    registry,
    sys::{fs, process::Identity},
    target::Target,
};

/// Requests and answers are short; what is longer is not one.
const MAX_LINE: u64 = 4096;
/// How long the owner's side waits for a revoked lock to be released before it answers that it is not yet.
const DRAIN: Duration = Duration::from_secs(3);
/// Connections served at once; more wait in the socket's backlog.
const MAX_CONNECTIONS: usize = 16;

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    op: String,
    nonce: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    found: bool,
    released: bool,
}

/// What asking an owner came to.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// The lock file.
    pub lock_path: String,
    /// What the lock was judged to be before the owner was asked.
    pub state_before: &'static str,
    /// What it is now, as [`crate::LockView::state`] says it; it may be somebody else's by then.
    pub state: &'static str,
    /// Whether the owner was asked; a free or dead lock has nobody to ask.
    pub asked: bool,
    /// Whether the lock is released now.
    pub released: bool,
    /// Who owned it.
    pub owner: Option<Owner>,
}

/// Why an owner could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeError {
    /// The path could not be looked at.
    #[error("the lock cannot be looked at")]
    Lock(#[from] LockError),
    /// The owner is not a program that can be asked, or runs where it cannot be reached from here.
    #[error("the owner of {lock_path} (pid {}) cannot be asked: {problem}", pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string()))]
    Unreachable {
        /// The lock file.
        lock_path: String,
        /// The owner's pid.
        pid: Option<u32>,
        /// Why.
        problem: &'static str,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
    /// The owner runs as another user.
    #[error("the owner of {lock_path} runs as another user; ask as that user or as root")]
    NotPermitted {
        /// The lock file.
        lock_path: String,
        #[source]
        #[doc(hidden)]
        mark: Mark,
    },
}

/// Serves the control socket of this process until the future is dropped. The program runs it; the library starts nothing.
///
/// # Errors
/// The socket cannot be bound, as when this process already serves one.
pub async fn serve() -> io::Result<()> {
    let identity = registry::global().identity();
    let name = socket_name(identity.pid_ns, identity.pid, identity.starttime);
    let listener = bind(&name)?;
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= MAX_CONNECTIONS {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(async move {
                    let handled = tokio::time::timeout(DRAIN * 2, handle(stream)).await;
                    if let Ok(Err(error)) = handled {
                        tracing::debug!(%error, "control connection failed");
                    }
                });
            }
            Err(error) => {
                // Out of descriptors: wait for some to come back instead of spinning.
                tracing::warn!(%error, "control socket cannot accept");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn handle(stream: UnixStream) -> io::Result<()> {
    if !is_us_or_root(stream.peer_cred()?.uid()) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    (&mut stream).take(MAX_LINE).read_line(&mut line).await?;
    let request: Request = serde_json::from_str(&line)?;
    let answer = match (request.op.as_str(), registry::global().find(&request.nonce)) {
        ("revoke", Some(hold)) => {
            tracing::warn!(lock = %hold.lock_path().display(), run = hold.tag().run_id(), "an operator revoked this session lock");
            hold.revoke(LostHow::Revoked);
            drop(hold);
            Answer { found: true, released: released(&request.nonce).await }
        }
        _ => Answer { found: false, released: false },
    };
    let mut bytes = serde_json::to_vec(&answer)?;
    bytes.push(b'\n');
    stream.get_mut().write_all(&bytes).await
}

async fn released(nonce: &str) -> bool {
    let end = tokio::time::Instant::now() + DRAIN;
    while registry::global().holds(nonce) {
        if tokio::time::Instant::now() >= end {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    true
}

/// Asks the owner of the lock at `path` (a file or its lock) to cancel its run and release. Deletes nothing.
///
/// # Errors
/// See [`RevokeError`].
pub async fn ask_revoke(path: &Path, config: &LockConfig) -> Result<Revoked, RevokeError> {
    let target = Target::of_either(path)?;
    let lock_path = target.lock_path().display().to_string();
    let unavailable = |source| LockError::unavailable(&target.lock_path(), "open", source);
    let Some(file) = fs::open_to_judge(target.dir(), target.lock_name()).map_err(unavailable)? else {
        let free = "free";
        return Ok(Revoked {
            lock_path,
            state_before: free,
            state: free,
            asked: false,
            released: true,
            owner: None,
        });
    };
    let judged = Judged::open(file).map_err(unavailable)?;
    let identity = registry::global().identity();
    let (evidence, judgement) = judge_once(&target, &judged, identity, config);
    let record = &judged.record;
    let owner = Owner {
        pid: record.pid,
        host: record.host.clone(),
        run_id: record.run_id.clone(),
        session_key: record.session_key.clone(),
        ..Owner::default()
    };
    let report = |asked, released| Revoked {
        lock_path: lock_path.clone(),
        state_before: state_word(&judgement),
        state: view(&target, config).map_or("unknown", |view| view.state),
        asked,
        released,
        owner: Some(owner.clone()),
    };
    if judgement.state == State::Dead {
        // Nobody to ask, and nothing in anybody's way: the next acquire takes it over.
        return Ok(report(false, false));
    }
    let unreachable = |problem| RevokeError::Unreachable {
        lock_path: lock_path.clone(),
        pid: record.pid,
        problem,
        mark: Mark::new(Coordination::LockTimeout),
    };
    let (Some(pid), Some(nonce)) = (record.pid, record.nonce.as_deref()) else {
        return Err(unreachable("its record is not one of ours; end that program's run itself"));
    };
    let stream = connect(&socket_of(record, pid, identity))
        .await
        .map_err(|_| {
            let owner_is_gone = pid_alive(evidence.pid) == Some(false);
            unreachable(if owner_is_gone {
                "it has ended, and a process that it started still has the lock; `fuser` on the lock file names it"
            } else {
                "it serves no control socket that can be reached from here (another network namespace, another host, or a program that does not serve one)"
            })
        })?;
    let not_permitted =
        || RevokeError::NotPermitted { lock_path: lock_path.clone(), mark: Mark::new(Local::Permission) };
    match stream.peer_cred() {
        Ok(peer) if peer.uid() == judged.stat.uid || peer.uid() == 0 => {}
        Ok(_) | Err(_) => return Err(not_permitted()),
    }
    let answer = tokio::time::timeout(DRAIN * 2, exchange(stream, nonce)).await;
    match answer {
        Ok(Ok(answer)) if answer.found => Ok(report(true, answer.released)),
        // It answered that it does not hold this lock: released since it was judged.
        Ok(Ok(_)) => Ok(report(true, gone(&target, &judged))),
        // It closed without an answer: it released and ended, as a command under `lock exec` does, or it refused.
        Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            if gone(&target, &judged) {
                Ok(report(true, true))
            } else {
                Err(not_permitted())
            }
        }
        // The request is in its queue and takes effect when it goes on: it may be stopped.
        Ok(Err(_)) | Err(_) => Ok(report(true, gone(&target, &judged))),
    }
}

fn gone(target: &Target, judged: &Judged) -> bool {
    !matches!(fs::stat_at(target.dir(), target.lock_name()), Ok(Some(stat)) if stat.id == judged.stat.id)
}

async fn exchange(stream: UnixStream, nonce: &str) -> io::Result<Answer> {
    let mut stream = BufReader::new(stream);
    let mut bytes = serde_json::to_vec(&Request { op: "revoke".to_owned(), nonce: nonce.to_owned() })?;
    bytes.push(b'\n');
    stream.get_mut().write_all(&bytes).await?;
    let mut line = String::new();
    if (&mut stream).take(MAX_LINE).read_line(&mut line).await? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&line)?)
}

fn socket_of(record: &Record, pid: u32, identity: &Identity) -> String {
    socket_name(record.pid_ns.or(identity.pid_ns), pid, record.starttime)
}

fn socket_name(pid_ns: Option<u64>, pid: u32, starttime: Option<u64>) -> String {
    format!("moorline-control-{}-{pid}-{}", pid_ns.unwrap_or(0), starttime.unwrap_or(0))
}

fn is_us_or_root(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}

#[cfg(target_os = "linux")]
fn bind(name: &str) -> io::Result<UnixListener> {
    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    let listener = std::os::unix::net::UnixListener::bind_addr(&address)?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

#[cfg(target_os = "linux")]
#[allow(
    clippy::unused_async,
    reason = "a local connect never waits; the signature is that of the other systems"
)]
async fn connect(name: &str) -> io::Result<UnixStream> {
    use std::os::linux::net::SocketAddrExt;
    let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
    let stream = std::os::unix::net::UnixStream::connect_addr(&address)?;
    stream.set_nonblocking(true)?;
    UnixStream::from_std(stream)
}

#[cfg(not(target_os = "linux"))]
fn bind(_name: &str) -> io::Result<UnixListener> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
async fn connect(_name: &str) -> io::Result<UnixStream> {
    Err(io::ErrorKind::Unsupported.into())
}
