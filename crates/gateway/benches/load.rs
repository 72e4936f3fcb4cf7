//! Load on a real gateway: throughput and latency of concurrent sends, memory of sessions, what a client costs others that
//! does not read, and what ten thousand idle sessions cost.
//!
//! `cargo bench -p moorline-gateway --bench load`; figures are in docs/performance-gateway.md. It starts the program on a
//! temporary state directory and talks to it over loopback with connections that are kept, as a client would. The script
//! answers at once, so that what is measured is the gateway and the disk.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench stands in every room"
)]

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs::DirEntry,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    ops::Range,
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tungstenite::{Message, client::IntoClientRequest};

const SESSIONS: usize = 1_000;
const CLIENTS: usize = 200;
const SENDS: usize = 5_000;
const IDLE_SESSIONS: usize = 10_000;

struct Gateway {
    child: Child,
    address: String,
    token: String,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Gateway {
    fn start(dir: &Path) -> Self {
        let script = dir.join("script.yaml");
        std::fs::write(&script, "agents:\n  '*':\n    - reply: ok\n").unwrap();
        let state = dir.join("state");
        let child = Command::new(env!("CARGO_BIN_EXE_moorline"))
            .args(["serve", "--port", "0", "--state"])
            .arg(&state)
            .arg("--script")
            .arg(&script)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let listening = loop {
            if let Ok(bytes) = std::fs::read(state.join("gateway.json")) {
                break serde_json::from_slice::<Value>(&bytes).unwrap();
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let token = std::fs::read_to_string(state.join("token")).unwrap();
        Self { child, address: listening["address"].as_str().unwrap().to_owned(), token }
    }

    /// Resident memory, in KiB.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Processor time of all its threads. What a round costs shows in it however busy the machine is otherwise.
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: u64 = [11, 12].map(|field| fields[field].parse::<u64>().unwrap()).iter().sum();
        Duration::from_millis(ticks * 10)
    }

    /// Times that each of its threads went to sleep by itself, and was woken for it.
    fn sleeps(&self) -> BTreeMap<OsString, u64> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let count = |task: std::io::Result<DirEntry>| {
            let task = task.ok()?;
            let status = std::fs::read_to_string(task.path().join("status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            Some((task.file_name(), line.trim().parse().ok()?))
        };
        tasks.filter_map(count).collect()
    }

    /// The same, when only threads are left that stay: one for blocking work ends when it has had none for ten seconds.
    fn sleeps_at_rest(&self) -> BTreeMap<OsString, u64> {
        let mut before = self.sleeps();
        loop {
            std::thread::sleep(Duration::from_secs(12));
            let now = self.sleeps();
            if now.keys().eq(before.keys()) {
                return now;
            }
            before = now;
        }
    }
}

/// A connection that is kept, and made anew when the gateway has closed it.
struct Client<'a> {
    gateway: &'a Gateway,
    stream: Option<BufReader<TcpStream>>,
    refused: usize,
}

impl<'a> Client<'a> {
    fn new(gateway: &'a Gateway) -> Self {
        Self { gateway, stream: None, refused: 0 }
    }

    /// Calls; who is told to wait waits, and it is counted.
    fn call(&mut self, method: &str, params: &Value) -> Value {
        loop {
            match self.ask(method, params) {
                Some((200, body)) => {
                    let answer: Value = serde_json::from_slice(&body).unwrap();
                    assert!(answer.get("error").is_none(), "{answer}");
                    return answer["result"].clone();
                }
                Some((429, _)) => {
                    self.refused += 1;
                    std::thread::sleep(Duration::from_millis(20));
                }
                Some((status, body)) => panic!("{status}: {}", String::from_utf8_lossy(&body)),
                None => self.stream = None,
            }
        }
    }

    fn ask(&mut self, method: &str, params: &Value) -> Option<(u16, Vec<u8>)> {
        let stream = self.stream.get_or_insert_with(|| {
            let stream = TcpStream::connect(&self.gateway.address).unwrap();
            stream.set_nodelay(true).unwrap();
            BufReader::new(stream)
        });
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        let (address, token) = (&self.gateway.address, &self.gateway.token);
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.get_mut().write_all((head + &body).as_bytes()).ok()?;
        let (mut status, mut length) = (None, 0);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line.trim().is_empty() {
                break;
            }
            if status.is_none() {
                status = line.split(' ').nth(1)?.parse().ok();
            } else if let Some(stated) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = stated.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        Some((status?, body))
    }
}

fn session(number: usize) -> String {
    format!("agent:main:s{number}")
}

/// Creates so many sessions from this one on.
fn create(client: &mut Client<'_>, sessions: Range<usize>) {
    for number in sessions {
        client.call("sessions.create", &json!({"key": session(number)}));
    }
}

/// Many clients send to many sessions, from this one on; prints what it took.
fn sends(gateway: &Gateway, from: usize, what: &str) {
    let next = AtomicUsize::new(0);
    let (began, cpu) = (Instant::now(), gateway.cpu());
    let (mut times, refused) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let (mut client, mut times) = (Client::new(gateway), Vec::new());
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= SENDS {
                            return (times, client.refused);
                        }
                        let send = json!({"to": session(from + number % SESSIONS), "message": "hello", "timeoutMs": 120_000});
                        let asked = Instant::now();
                        assert_eq!(client.call("sessions.send", &send)["replied"], true);
                        times.push(asked.elapsed());
                    }
                })
            })
            .collect();
        clients.into_iter().map(|client| client.join().unwrap()).fold(
            (Vec::new(), 0),
            |mut all, (times, refused)| {
                all.0.extend(times);
                (all.0, all.1 + refused)
            },
        )
    });
    let took = began.elapsed();
    times.sort();
    let at = |share: usize| times[(times.len() * share / 1000).min(times.len() - 1)].as_secs_f64() * 1e3;
    println!(
        "{what}: {SENDS} sends, {CLIENTS} at once, to {SESSIONS} sessions: {:.0}/s, p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms, {:.2} ms of processor time a send, told to wait {refused}; {} KiB",
        SENDS as f64 / took.as_secs_f64(),
        at(500),
        at(990),
        at(1000),
        (gateway.cpu() - cpu).as_secs_f64() * 1e3 / SENDS as f64,
        gateway.memory(),
    );
}

fn main() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(dir.path());
    let mut client = Client::new(&gateway);
    let before = gateway.memory();
    create(&mut client, 0..SESSIONS);
    let created = gateway.memory();
    println!(
        "memory: {before} KiB at start, {created} KiB with {SESSIONS} sessions: {:.2} KiB a session",
        (created.saturating_sub(before)) as f64 / SESSIONS as f64
    );
    sends(&gateway, 0, "alone");
    // Each round has sessions of its own, because a turn in a longer session costs more.
    create(&mut client, SESSIONS..3 * SESSIONS);
    let mut request = format!("ws://{}/", gateway.address).into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {}", gateway.token).parse().unwrap());
    let stream = TcpStream::connect(&gateway.address).unwrap();
    let (mut slow, _) = tungstenite::client(request, stream).unwrap();
    for id in 0..16 {
        let subscribe = json!({"jsonrpc": "2.0", "id": id, "method": "events.subscribe"});
        slow.send(Message::text(subscribe.to_string())).unwrap();
    }
    sends(&gateway, SESSIONS, "beside a subscriber that does not read");
    drop(slow);
    sends(&gateway, 2 * SESSIONS, "alone again");
    sends(&gateway, 0, "alone, in the first sessions again");
    create(&mut client, 3 * SESSIONS..IDLE_SESSIONS);
    println!("memory: {} KiB with {IDLE_SESSIONS} sessions", gateway.memory());
    drop(client);
    // Kept connections end after ten seconds; from then on nobody is connected.
    std::thread::sleep(Duration::from_secs(10));
    let (asleep, began) = (gateway.sleeps_at_rest(), Instant::now());
    std::thread::sleep(Duration::from_secs(10));
    let woken: u64 =
        gateway.sleeps().iter().map(|(thread, now)| now - asleep.get(thread).unwrap_or(&0)).sum();
    println!(
        "idle: {IDLE_SESSIONS} sessions, nobody connected: {woken} wake-ups of its {} threads in {:.0} s",
        asleep.len(),
        began.elapsed().as_secs_f64()
    );
}
