//! A `lock-worker` process as a test sees it: started, spoken to, stopped, killed.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The longest any answer takes on a busy machine; only a failure reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_lock-worker");

pub(crate) struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    /// The worker's own pid, which differs from the child's when a program stands between.
    pid: i32,
}

impl Worker {
    /// Starts `lock-worker MODE DIR ARGS`.
    pub(crate) fn start(mode: &str, dir: &Path, args: &[&str]) -> Self {
        Self::start_with(&[], mode, dir, args)
    }

    /// Starts it through other programs (`faketime`, `unshare`, ...), named first.
    pub(crate) fn start_with(before: &[&str], mode: &str, dir: &Path, args: &[&str]) -> Self {
        let dir = dir.display().to_string();
        let words: Vec<_> =
            before.iter().copied().chain([PROGRAM, mode, &dir]).chain(args.iter().copied()).collect();
        Self::command(&words)
    }

    /// Starts any program that prints lines as a worker does.
    pub(crate) fn command(words: &[&str]) -> Self {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let input = child.stdin.take();
        let output = child.stdout.take().unwrap();
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        let pid = i32::try_from(child.id()).unwrap();
        Self { child, input, lines, pid }
    }

    /// A worker that answers commands, ready.
    pub(crate) fn serve(dir: &Path, args: &[&str]) -> Self {
        Self::serve_with(&[], dir, args)
    }

    pub(crate) fn serve_with(before: &[&str], dir: &Path, args: &[&str]) -> Self {
        let worker = Self::start_with(before, "serve", dir, args);
        let line = worker.line();
        assert!(line.starts_with("ready "), "{line}");
        worker
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// The next line it prints.
    pub(crate) fn line(&self) -> String {
        self.line_within(PATIENCE).unwrap_or_else(|| panic!("worker {} said nothing", self.pid))
    }

    pub(crate) fn line_within(&self, limit: Duration) -> Option<String> {
        self.lines.recv_timeout(limit).ok()
    }

    /// Every line it printed until it ended.
    pub(crate) fn rest(&self) -> Vec<String> {
        self.lines.iter().collect()
    }

    pub(crate) fn send(&mut self, command: &str) {
        writeln!(self.input.as_mut().unwrap(), "{command}").unwrap();
    }

    /// Sends a command and waits for its answer: `Ok` text, or the wire form of the error.
    pub(crate) fn ask(&mut self, command: &str) -> Result<String, Value> {
        self.send(command);
        self.answer()
    }

    pub(crate) fn answer(&self) -> Result<String, Value> {
        parse(&self.line())
    }

    /// As [`Worker::ask`] for a command that must succeed.
    pub(crate) fn ok(&mut self, command: &str) -> String {
        self.ask(command).unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// As [`Worker::ask`] for a command that must fail.
    pub(crate) fn err(&mut self, command: &str) -> Value {
        self.ask(command).expect_err(command)
    }

    pub(crate) fn json(&mut self, command: &str) -> Value {
        serde_json::from_str(&self.ok(command)).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.pid).unwrap(), signal).unwrap();
    }

    /// Waits until the process is in one of these states of /proc/PID/stat.
    pub(crate) fn await_state(&self, states: &str) {
        let end = Instant::now() + PATIENCE;
        loop {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
            let state = stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap_or('X');
            if states.contains(state) {
                return;
            }
            assert!(Instant::now() < end, "worker {} is in state {state}, not in {states}", self.pid);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
        self.await_state("T");
    }

    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills it and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.input = None;
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "worker {} does not end", self.pid);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.kill();
    }
}

fn parse(line: &str) -> Result<String, Value> {
    match line.split_once(' ') {
        Some(("ok", text)) => Ok(text.to_owned()),
        Some(("error", text)) => {
            Err(serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())))
        }
        Some(_) | None => Err(Value::String(format!("not an answer: {line}"))),
    }
}
