//! Commands on standard input, one answer line each: `ok ...` or `error {wire form}`.
//!
//! `acquire NAME [timeout=MS] [on_stale=..] [max_hold=MS] [run=ID]`, `append NAME TEXT`, `verify NAME`, `lost NAME MS`,
//! `release NAME`, `abandon NAME`, `child NAME COMMAND...`, `shell COMMAND...` (in the directory, its output on one line), `inspect NAME`, `sweep`, `stats`, `files N`, `exit`.

use std::{collections::HashMap, io::BufRead, os::fd::AsRawFd, time::Duration};

use moorline_lock_core::{Durability, Held, Journal, LockError, Locks, RunTag, Target};
use tokio::sync::mpsc;

use crate::{
    args::{Args, pairs, wait},
    cycle::acknowledge,
};

struct Worker<'a> {
    args: &'a Args,
    locks: Locks,
    held: HashMap<String, Held>,
}

pub(crate) async fn run(args: &Args) -> Result<(), String> {
    let mut worker = Worker { args, locks: args.locks(), held: HashMap::new() };
    let (send, mut lines) = mpsc::channel::<String>(16);
    // A thread of its own: a blocked read must not keep the runtime from ending.
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if send.blocking_send(line).is_err() {
                return;
            }
        }
    });
    if args.text("control") == Some("1") {
        tokio::spawn(moorline_lock_core::control::serve());
    }
    acknowledge(&format!("ready {}\n", std::process::id()));
    while let Some(line) = lines.recv().await {
        if line == "exit" {
            break;
        }
        let answer = match worker.answer(&line).await {
            Ok(answer) => format!("ok {answer}\n"),
            Err(error) => format!("error {error}\n"),
        };
        acknowledge(&answer);
    }
    Ok(())
}

impl Worker<'_> {
    async fn answer(&mut self, line: &str) -> Result<String, String> {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match command {
            "acquire" => self.acquire(name, rest).await,
            "append" => self.append(name, rest).await,
            "verify" => self.of(name)?.verify().map(|()| String::new()).map_err(|error| wire(&error)),
            "lost" => {
                let limit = Duration::from_millis(rest.parse().unwrap_or(200));
                let held = self.of(name)?;
                Ok(match tokio::time::timeout(limit, held.lost()).await {
                    Ok(how) => format!("{how:?}"),
                    Err(_) => "not lost".to_owned(),
                })
            }
            "release" => {
                let held = self.held.remove(name).ok_or("not held")?;
                held.release().await.map(|()| String::new()).map_err(|error| error.to_string())
            }
            "abandon" => {
                self.held.remove(name).ok_or("not held")?.abandon();
                Ok(String::new())
            }
            "child" => self.child(name, rest),
            "shell" => self.shell(&format!("{name} {rest}")),
            "inspect" => {
                let views = self.locks.inspect(&self.args.dir.join(name)).map_err(|error| wire(&error))?;
                serde_json::to_string(&views).map_err(|error| error.to_string())
            }
            "sweep" => {
                let swept = self.locks.sweep(&self.args.dir, name == "dry").map_err(|error| wire(&error))?;
                serde_json::to_string(&swept).map_err(|error| error.to_string())
            }
            "stats" => serde_json::to_string(&Locks::stats()).map_err(|error| error.to_string()),
            "files" => limit_files(name.parse().unwrap_or(64)),
            other => Err(format!("no such command: {other}")),
        }
    }

    fn of(&self, name: &str) -> Result<&Held, String> {
        self.held.get(name).ok_or_else(|| "not held".to_owned())
    }

    async fn acquire(&mut self, name: &str, words: &str) -> Result<String, String> {
        let words = pairs(words.split_whitespace().map(str::to_owned));
        let target = Target::sidecar_of(&self.args.dir.join(name)).map_err(|error| wire(&error))?;
        let run = words.get("run").cloned().unwrap_or_else(|| format!("run-{}", std::process::id()));
        let wait = wait(&self.locks, &words);
        let held = self
            .locks
            .acquire_within(&target, &RunTag::new(&run), wait)
            .await
            .map_err(|error| wire(&error))?;
        let token = held.token().to_owned();
        self.held.insert(name.to_owned(), held);
        Ok(token)
    }

    async fn append(&self, name: &str, text: &str) -> Result<String, String> {
        let held = self.of(name)?;
        let appended = async {
            let (mut journal, _) = Journal::open(held, Durability::None, |_| false).await?;
            journal.append(held, format!("{text}\n").as_bytes()).await
        };
        let appended: Result<u64, moorline_lock_core::JournalError> = appended.await;
        appended
            .map(|len| len.to_string())
            .map_err(|error| serde_json::to_string(&moorline_taxonomy::Wire::of(&error)).unwrap_or_default())
    }

    /// Runs a command where this process is: in its mounts and as its user.
    fn shell(&self, command: &str) -> Result<String, String> {
        let mut shell = std::process::Command::new("sh");
        let output = shell.arg("-c").arg(command).current_dir(&self.args.dir).output();
        let output = output.map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(one_line(&output.stdout)),
            false => Err(format!("\"{}\"", one_line(&output.stderr))),
        }
    }

    /// Starts a command that keeps the lock's descriptor, as `lock exec` does.
    fn child(&self, name: &str, command: &str) -> Result<String, String> {
        let fd = self.of(name)?.inheritable().map_err(|error| error.to_string())?;
        let number = fd.as_raw_fd();
        let child = std::process::Command::new("sh")
            .arg("-c")
            .arg(command)
            .current_dir(&self.args.dir)
            .env("LOCK_FD", number.to_string())
            .spawn()
            .map_err(|error| error.to_string())?;
        // The parent's copy goes; the child's stays.
        drop(fd);
        Ok(child.id().to_string())
    }
}

/// Lines as one line, so that an answer stays one.
fn one_line(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn wire(error: &LockError) -> String {
    let relation = error.report().map(|report| report.relation.as_str());
    let mut wire = serde_json::to_value(error.wire()).unwrap_or_default();
    wire["relation"] = relation.into();
    wire.to_string()
}

/// Lowers the limit of open files so that `more` can still be opened.
fn limit_files(more: u64) -> Result<String, String> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // Descriptors are numbered from below, so the next free number is what the limit is counted from.
    let next = rustix::io::dup(std::io::stdin()).map_err(|error| error.to_string())?;
    let limit = u64::try_from(next.as_raw_fd()).map_err(|error| error.to_string())? + more;
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(limit), maximum })
        .map_err(|error| error.to_string())?;
    Ok(limit.to_string())
}
