//! The operator page in a real browser without a screen (`tests/peers/browser.mjs`).

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::{
    json, moorline,
    running::{Gateway, MODELS},
};

/// A name that would be a program if it were taken for markup.
const HOSTILE: &str = "<img src=x onerror=window.pwned=1>";

struct Browser {
    child: Child,
    say: Option<ChildStdin>,
    hear: BufReader<ChildStdout>,
    _profile: tempfile::TempDir,
}

impl Browser {
    fn start() -> Self {
        let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/peers");
        assert!(
            peers.join("node_modules").exists(),
            "run `npm ci --prefix tests/peers` first, as .ci/run does"
        );
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new("node")
            .arg(peers.join("browser.mjs"))
            .arg("/usr/bin/chromium")
            .arg(profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (say, hear) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, say, hear, _profile: profile }
    }

    fn tell(&mut self, command: &Value) -> Value {
        writeln!(self.say.as_mut().unwrap(), "{command}").unwrap();
        let mut line = String::new();
        assert_ne!(self.hear.read_line(&mut line).unwrap(), 0, "the browser ended at {command}");
        let outcome = json(line.as_bytes());
        assert_eq!(outcome["error"], Value::Null, "{command}");
        outcome["result"].clone()
    }

    fn open(&mut self, url: &str) {
        self.tell(&json!({"op": "open", "url": url}));
    }

    /// Waits until a part of the page says something.
    fn wait(&mut self, part: &str, contains: &str) -> String {
        self.tell(&json!({"op": "wait", "selector": part, "contains": contains})).as_str().unwrap().to_owned()
    }

    fn evaluate(&mut self, js: &str) -> Value {
        self.tell(&json!({"op": "evaluate", "js": js}))
    }

    /// A picture for people, where the environment says that somebody wants one.
    fn picture(&mut self, name: &str, width: u32, scheme: &str) {
        self.tell(&json!({"op": "look", "width": width, "height": 900, "scheme": scheme}));
        let wide = self.evaluate("document.documentElement.scrollWidth");
        assert!(wide.as_u64().unwrap() <= u64::from(width), "{wide} at {width}");
        if let Some(folder) = std::env::var_os("MOORLINE_TEST_PICTURES") {
            let path = Path::new(&folder).join(name).display().to_string();
            self.tell(&json!({"op": "screenshot", "path": path}));
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The end of its input closes the browser in order.
        drop(self.say.take());
        let _ = self.child.wait();
    }
}

/// A process that holds the lock of a file until it is dropped; the run it says it is has a hostile name, too.
struct Holding(Child);

impl Holding {
    fn start(gateway: &Gateway, file: &str, more: &[&str]) -> Self {
        let mut command = moorline(gateway.dir.path());
        command.args(["lock", "exec", "--run-id", HOSTILE]).args(more).arg(file);
        // The command ends when its input does, so it cannot outlive the test.
        command.args(["--", "sh", "-c", "echo held; exec cat"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "held\n");
        Self(child)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs chromium and node"]
fn the_page_shows_what_happens_while_it_happens() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("script.yaml"), MODELS).unwrap();
    std::fs::create_dir(dir.path().join("state")).unwrap();
    // A turn that meets a stale lock reports it after this.
    std::fs::write(
        dir.path().join("state/config.yaml"),
        "session: { writeLock: { acquireTimeoutMs: 5000 } }\n",
    )
    .unwrap();
    let gateway = Gateway::start_in(dir, "info");
    let send = |to: &str, wait: u64| {
        gateway.call("sessions.send", json!({"to": to, "message": "hello", "timeoutMs": wait}))
    };
    send("agent:main:desk", 30000);

    let mut browser = Browser::start();
    let address = gateway.address();
    browser.open(&format!("http://{address}/#token={}", gateway.token()));
    browser.wait("#state", "live");
    assert_eq!(browser.evaluate("location.href"), format!("http://{address}/"));
    // Nothing that the browser would send to another port of the host by itself.
    assert_eq!(browser.tell(&json!({"op": "cookies"})), json!([]));
    let kept = browser.evaluate("Object.values(sessionStorage).join() + Object.values(localStorage).join()");
    assert!(kept.as_str().unwrap().len() == 64 && kept != gateway.token().as_str(), "{kept}");
    browser.wait("#locks", "Nobody holds a lock.");

    // Everything from here on is seen without a reload.
    browser.evaluate("window.sameDocument = true");
    let hostile = Holding::start(&gateway, &format!("state/sessions/main/{HOSTILE}.jsonl"), &[]);
    let locks = browser.wait("#locks", HOSTILE);
    assert!(locks.contains("live") && locks.contains(&format!("pid {}", hostile.0.id())), "{locks}");
    let stuck = Holding::start(&gateway, "state/sessions/main/stuck.jsonl", &["--max-hold-ms", "200"]);
    browser.wait("#locks", "hold-exceeded");
    send("agent:main:stuck", 0);
    browser.wait("#waiting", "agent:main:stuck\tthe session lock");
    let trouble = browser.wait("#trouble", "agent:main:stuck");
    assert!(trouble.contains("left in place"), "{trouble}");
    let spawned = gateway.call("sessions.spawn", json!({"requester": "agent:main:desk", "task": "dig"}));
    let announces = browser.wait("#announces", "delivered");
    assert!(announces.contains(spawned["runId"].as_str().unwrap()), "{announces}");
    assert_eq!(send("agent:moody:a", 30000)["reply"], "better now");
    browser.wait("#decisions", "provider.rate_limit");
    browser.wait("#decisions", "left alone until");
    let runs = browser.wait("#runs", "agent:moody:a");
    assert!(runs.contains("replied"), "{runs}");
    send("agent:talking:a", 0);
    let saying = browser.wait("#runs", "<img src=x onerror=window.pwned=1>");
    assert!(saying.contains("agent:talking:a\topen"), "{saying}");
    for _ in 0..3 {
        send("agent:slow:a", 0);
    }
    browser.wait("#waiting", "agent:slow:a\tthe turn before\t2 turns");

    // Nothing of it was taken for markup, and the console is quiet.
    assert_eq!(
        browser.evaluate("window.pwned === undefined && document.querySelectorAll('main img').length === 0"),
        true
    );
    assert_eq!(browser.evaluate("window.sameDocument"), true);
    for (name, width, scheme) in [
        ("page-light.png", 1200, "light"),
        ("page-dark.png", 1200, "dark"),
        ("page-narrow-light.png", 400, "light"),
        ("page-narrow-dark.png", 400, "dark"),
    ] {
        browser.picture(name, width, scheme);
    }
    assert_eq!(browser.tell(&json!({"op": "errors"})), json!([]));

    drop((hostile, stuck));
    browser.wait("#locks", "Nobody holds a lock.");

    // The login outlives a reload; the page needs no mouse.
    browser.open(&format!("http://{address}/"));
    browser.wait("#state", "live");
    assert_eq!(browser.evaluate("Object.values(sessionStorage).join()"), kept);
    assert_eq!(browser.tell(&json!({"op": "press", "key": "Tab"})), "skip");
    assert_eq!(browser.tell(&json!({"op": "press", "key": "Enter"})), "main");
    assert_eq!(browser.tell(&json!({"op": "errors"})), json!([]));
    drop(gateway);
    browser.wait("#state", "does not answer");
}

#[test]
#[ignore = "needs chromium and node"]
fn who_has_no_token_sees_nothing_until_he_gives_it() {
    let gateway = Gateway::start(None);
    gateway.call("sessions.create", json!({"key": "agent:main:desk"}));
    let mut browser = Browser::start();
    let address = gateway.address();
    browser.open(&format!("http://{address}/#token=wrong"));
    browser.wait("#refused", "not that of this gateway");
    assert_eq!(browser.evaluate("location.hash"), "");
    assert_eq!(browser.evaluate("document.querySelector('main').hidden"), true);
    browser.tell(&json!({"op": "type", "selector": "#token", "text": "wrong again"}));
    browser.wait("#refused", "not the token");
    browser.picture("login.png", 400, "light");
    browser.tell(&json!({"op": "type", "selector": "#token", "text": gateway.token()}));
    browser.wait("#state", "live");
    // No script but the page's own runs, whoever writes it in.
    let inline = "new Promise((done) => { const made = document.createElement('script'); made.src = 'data:text/javascript,window.pwned=1'; made.onload = made.onerror = () => done(window.pwned === undefined); document.head.append(made); }).catch(() => true)";
    assert_eq!(browser.evaluate(inline), true);
}

#[test]
fn the_page_is_served_to_everybody_without_data_and_with_a_strict_policy() {
    let gateway = Gateway::start(None);
    gateway.call("sessions.create", json!({"key": "agent:main:desk"}));
    let address = gateway.address();
    for path in ["/", "/page.css", "/page.js", "/tables.js", "/icon.svg"] {
        let mut stream = std::net::TcpStream::connect(&address).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        let head = answer.split("\r\n\r\n").next().unwrap();
        for needs in
            ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "nosniff", "no-referrer"]
        {
            assert!(head.contains(needs), "{path} lacks {needs}: {head}");
        }
        assert!(!head.contains("unsafe") && !answer.contains("agent:main:desk"), "{path}");
    }
}
