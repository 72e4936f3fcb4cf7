//! A real gateway for a test, and ways to talk to it.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{code, json, moorline, until};

/// Models of every kind: one that fails once, one that talks for half a minute, one that never answers, and the rest.
pub(crate) const MODELS: &str = "agents:
  moody:
    - fail: { code: provider.rate_limit, times: 1 }
      reply: better now
  talking:
    - stream: { chunks: 60, delayMs: 500 }
      reply: '<img src=x onerror=window.pwned=1> and so it goes on, word after word, for half a minute'
  slow:
    - delayMs: 600000
      reply: never
  '*':
    - reply: 'heard: {message}'
";

/// A running gateway on a state directory of its own; ended with the test.
pub(crate) struct Gateway {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) child: Child,
    log: &'static str,
}

impl Gateway {
    pub(crate) fn start(script: Option<&str>) -> Self {
        Self::start_logging(script, "info")
    }

    /// With a filter of what it logs; [`Gateway::log`] has it.
    pub(crate) fn start_logging(script: Option<&str>, log: &'static str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        if let Some(script) = script {
            std::fs::write(dir.path().join("script.yaml"), script).unwrap();
        }
        Self::start_in(dir, log)
    }

    /// In a directory that a test prepared.
    pub(crate) fn start_in(dir: tempfile::TempDir, log: &'static str) -> Self {
        let child = Self::serve(dir.path(), log);
        let gateway = Self { dir, child, log };
        gateway.until_up();
        gateway
    }

    pub(crate) fn serve(dir: &Path, log: &str) -> Child {
        let mut command = moorline(dir);
        command.args(["serve", "--port", "0", "--state", "state"]);
        if dir.join("script.yaml").exists() {
            command.args(["--script", "script.yaml"]);
        }
        let told =
            std::fs::OpenOptions::new().append(true).create(true).open(dir.join("gateway.log")).unwrap();
        command.env("MOORLINE_LOG", log).stdout(Stdio::null()).stderr(told).spawn().unwrap()
    }

    /// What it logged, and any gateway before it on the same state directory.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("gateway.log")).unwrap()
    }

    pub(crate) fn until_up(&self) {
        until("the gateway", || {
            std::fs::read(self.state().join("gateway.json"))
                .is_ok_and(|bytes| json(&bytes)["pid"] == self.child.id())
        });
    }

    /// Kills the gateway where it stands and starts another on the same state directory.
    pub(crate) fn kill_and_restart(&mut self) {
        self.kill();
        self.restart();
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn restart(&mut self) {
        self.child = Self::serve(self.dir.path(), self.log);
        self.until_up();
    }

    /// Every whole line of the event files, those of one process in order.
    pub(crate) fn events(&self) -> Vec<Value> {
        let files = std::fs::read_dir(self.state().join("events")).unwrap();
        let texts: Vec<_> =
            files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        let lines = texts.iter().flat_map(|text| text.split_inclusive('\n'));
        lines.filter(|line| line.ends_with('\n')).map(|line| json(line.as_bytes())).collect()
    }

    /// Ids of the runs of a session, or of all, that have not ended.
    pub(crate) fn open_runs(&self, session: Option<&str>) -> Vec<String> {
        let events = self.events();
        let of = |event: &str| events.iter().filter(move |line| line["event"] == event).collect::<Vec<_>>();
        let ended: Vec<_> = of("run_ended").iter().map(|line| line["runId"].clone()).collect();
        let of_session =
            |line: &&Value| session.is_none_or(|session| line["sessionKey"].as_str() == Some(session));
        let begun = of("run_accepted").into_iter().filter(of_session);
        let open = begun.filter(|line| !ended.contains(&line["runId"]));
        open.map(|line| line["runId"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn address(&self) -> String {
        json(&std::fs::read(self.state().join("gateway.json")).unwrap())["address"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    pub(crate) fn token(&self) -> String {
        std::fs::read_to_string(self.state().join("token")).unwrap()
    }

    pub(crate) fn run(&self, args: &[&str]) -> Output {
        moorline(self.dir.path()).args(args).args(["--state", "state"]).output().unwrap()
    }

    pub(crate) fn call(&self, method: &str, params: Value) -> Value {
        let output = self.run(&["call", "--json", method, &params.to_string()]);
        assert_eq!(code(&output), 0, "{method}: {}", String::from_utf8_lossy(&output.stderr));
        json(&output.stdout)
    }

    pub(crate) fn refused(&self, method: &str, params: Value) -> (i32, Value) {
        let output = self.run(&["call", "--json", method, &params.to_string()]);
        (code(&output), json(&output.stderr))
    }

    /// One raw HTTP request; the status and the body.
    pub(crate) fn http(&self, headers: &str, body: &str) -> (u16, String) {
        self.http_claiming(headers, body, body.len())
    }

    /// The same with a stated length of its own: what is too long is refused before it is sent.
    pub(crate) fn http_claiming(&self, headers: &str, body: &str, length: usize) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{headers}\r\n{body}",
            self.address()
        );
        stream.write_all(request.as_bytes()).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    /// What a path shows to somebody with the token.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        let (host, token) = (self.address(), self.token());
        let head = format!("Host: {host}\r\nConnection: close\r\nAuthorization: Bearer {token}");
        write!(stream, "GET {path} HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default())
    }

    /// Ends the gateway in order and audits what it left.
    pub(crate) fn stop(mut self) -> Value {
        self.end();
        let output = self.run(&["audit", "--json"]);
        let audit = json(&output.stdout);
        assert_eq!(code(&output), 0, "{audit:#}");
        audit
    }

    /// Ends the gateway in order.
    pub(crate) fn end(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        assert!(!self.state().join("gateway.json").exists());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
