//! The door as somebody meets it who should not come in, or who comes in too large, too slow or too often.

use std::{
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{json, moorline, running::Gateway, until};

/// An answer: its status, its head and its body.
struct Answer(u16, String, String);

/// Sends bytes as they are and reads until the gateway ends the connection; the bound only ends a test that has failed.
fn raw(gateway: &Gateway, bytes: &[u8]) -> Option<Answer> {
    let mut stream = TcpStream::connect(gateway.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    // What is refused early is cut off before it is sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some(Answer(head.split(' ').nth(1)?.parse().ok()?, head.to_owned(), body.to_owned()))
}

/// A request with these headers; its status and body.
fn request(gateway: &Gateway, line: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut text = format!("{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "Host") {
        text += &format!("Host: {}\r\n", gateway.address());
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    raw(gateway, format!("{text}\r\n{body}").as_bytes()).unwrap()
}

const JSON: (&str, &str) = ("Content-Type", "application/json");

fn health() -> String {
    json!({"jsonrpc": "2.0", "id": 1, "method": "health"}).to_string()
}

fn is_wire(body: &str, code: &str) {
    let wire = json(body.as_bytes());
    assert_eq!(wire["code"], code, "{wire}");
    assert!(wire["message"].as_str().unwrap().len() > 10, "{wire}");
}

#[test]
fn every_path_but_the_page_asks_who_calls_and_every_refusal_is_typed() {
    let gateway = Gateway::start(None);
    let bearer = format!("Bearer {}", gateway.token());
    for line in
        ["POST /", "POST /rpc", "GET /rpc", "GET /openrpc.json", "GET /metrics", "POST /mcp", "POST /login"]
    {
        for headers in [&[JSON][..], &[JSON, ("Authorization", "Bearer wrong")]] {
            let Answer(status, head, body) = request(&gateway, line, headers, "{}");
            assert_eq!(status, 401, "{line}: {body}");
            assert!(head.to_lowercase().contains("www-authenticate: bearer"), "{head}");
            is_wire(&body, "local.permission");
            assert!(
                body.contains("Bearer") && body.contains("`token`") && !body.contains("redacted"),
                "{body}"
            );
        }
        for host in ["evil.example", "localhost.evil.example", ""] {
            let headers = [JSON, ("Authorization", bearer.as_str()), ("Host", host)];
            let Answer(status, _, body) = request(&gateway, line, &headers, "{}");
            assert_eq!(status, 403, "{line} for {host:?}: {body}");
            is_wire(&body, "local.permission");
        }
        for (name, value) in
            [("Origin", "http://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site")]
        {
            let headers = [JSON, ("Authorization", bearer.as_str()), (name, value)];
            assert_eq!(request(&gateway, line, &headers, "{}").0, 403, "{line} with {name}: {value}");
        }
    }
    // The page itself is asked for its host all the same: a name of somebody else's could be rebound to loopback.
    assert_eq!(request(&gateway, "GET /", &[("Host", "evil.example")], "").0, 403);
    let known = [JSON, ("Authorization", bearer.as_str())];
    for (line, status) in [("GET /nothing", 404), ("PUT /rpc", 405), ("DELETE /openrpc.json", 405)] {
        let Answer(said, _, body) = request(&gateway, line, &known, "");
        assert_eq!(said, status, "{line}");
        is_wire(&body, "request.format");
    }
    let Answer(status, _, body) =
        request(&gateway, "POST /", &[known[1], ("Content-Type", "text/plain")], &health());
    assert_eq!(status, 415);
    is_wire(&body, "request.format");
}

#[test]
fn a_login_is_no_cookie_is_not_echoed_and_dies_with_the_gateway() {
    let mut gateway = Gateway::start(None);
    let bearer = format!("Bearer {}", gateway.token());
    let Answer(status, head, body) = request(&gateway, "POST /login", &[("Authorization", &bearer)], "");
    assert_eq!(status, 200, "{head}");
    // A browser sends a cookie to every port of the host, whoever listens there.
    assert!(!head.to_lowercase().contains("set-cookie") && head.contains("no-store"), "{head}");
    let login = json(body.as_bytes())["login"].as_str().unwrap().to_owned();
    assert!(login.len() == 64 && !body.contains(&gateway.token()), "{body}");
    let (bearer, cookie) = (format!("Bearer {login}"), format!("login={login}; moorline={login}"));
    let ask = |gateway: &Gateway, header: (&str, &str), origin: &str| {
        request(gateway, "POST /", &[JSON, header, ("Origin", origin)], &health()).0
    };
    let own = format!("http://{}", gateway.address());
    assert_eq!(ask(&gateway, ("Authorization", &bearer), &own), 200);
    assert_eq!(ask(&gateway, ("Authorization", &bearer), "http://localhost:1"), 403);
    assert_eq!(ask(&gateway, ("Cookie", &cookie), &own), 401);
    // A login gives no further login.
    assert_eq!(request(&gateway, "POST /login", &[("Authorization", &bearer)], "").0, 401);
    let protocols = format!("moorline, bearer.{login}");
    let open = |gateway: &Gateway, protocols: &str, origin: &str| {
        let upgrade = [
            ("Host", gateway.address()),
            ("Upgrade", "websocket".to_owned()),
            ("Sec-WebSocket-Version", "13".to_owned()),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==".to_owned()),
            ("Sec-WebSocket-Protocol", protocols.to_owned()),
            ("Origin", origin.to_owned()),
        ];
        let fields: String = upgrade.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut stream = TcpStream::connect(gateway.address()).unwrap();
        write!(stream, "GET /rpc HTTP/1.1\r\nConnection: Upgrade\r\n{fields}\r\n").unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        String::from_utf8(head).unwrap().to_lowercase()
    };
    let head = open(&gateway, &protocols, &own);
    assert!(
        head.starts_with("http/1.1 101 ") && head.contains("sec-websocket-protocol: moorline\r\n"),
        "{head}"
    );
    assert!(!head.contains(&login), "{head}");
    assert!(open(&gateway, "moorline, bearer.wrong", &own).starts_with("http/1.1 401 "));
    assert!(open(&gateway, &protocols, "http://localhost:1").starts_with("http/1.1 403 "));
    assert!(!gateway.log().contains(&login));
    gateway.kill_and_restart();
    let own = format!("http://{}", gateway.address());
    assert_eq!(ask(&gateway, ("Authorization", &bearer), &own), 401);
}

#[test]
fn guessing_is_slowed_and_does_not_lock_out_who_has_the_token() {
    let gateway = Gateway::start(None);
    let mut statuses = Vec::new();
    let mut last = String::new();
    for number in 0..48 {
        let guess = format!("Bearer {number:064x}");
        let Answer(status, head, body) =
            request(&gateway, "POST /", &[JSON, ("Authorization", &guess)], &health());
        statuses.push(status);
        if status == 429 {
            assert!(head.to_lowercase().contains("retry-after: "), "{head}");
            last = body;
        }
    }
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    assert_eq!((statuses[0], statuses.contains(&429)), (401, true), "{statuses:?}");
    is_wire(&last, "coordination.lane_timeout");
    assert!(json(last.as_bytes())["retryAfterMs"].as_u64().unwrap() > 0);
    let bearer = format!("Bearer {}", gateway.token());
    assert_eq!(request(&gateway, "POST /", &[JSON, ("Authorization", &bearer)], &health()).0, 200);
}

#[test]
fn keys_that_would_leave_the_state_directory_are_refused_everywhere() {
    let gateway = Gateway::start(None);
    let token = format!("Authorization: Bearer {}\r\n", gateway.token());
    let long = format!("agent:main:{}", "x".repeat(5000));
    let keys = [
        "",
        "/etc/passwd",
        "../../etc/passwd",
        "agent:main:../x",
        "agent:../x:y",
        "agent:main:a/b",
        "agent:main:/abs",
        "agent:main:x\0y",
        "agent:main:%2e%2e%2fx",
        "agent:main:..",
        "agent:main:.",
        "agent:main:ü",
        "agent:main:\u{202e}x",
        "agent:main:~x",
        "agent:main:a\nb",
        long.as_str(),
    ];
    for key in keys {
        for (method, params) in [
            ("sessions.create", json!({"key": key})),
            ("sessions.history", json!({"key": key})),
            ("sessions.send", json!({"to": key, "message": "hi"})),
            ("sessions.send", json!({"from": key, "to": "agent:main:ok", "message": "hi"})),
            ("sessions.spawn", json!({"requester": key, "task": "hi"})),
            ("agent", json!({"sessionKey": key, "message": "hi"})),
            ("parked.list", json!({"sessionKey": key})),
            ("parked.append", json!({"sessionKey": key, "id": "x"})),
        ] {
            let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
            let answer = json(gateway.http(&token, &call.to_string()).1.as_bytes());
            assert_eq!(answer["error"]["data"]["code"], "request.format", "{method} {key:?}: {answer}");
            // Shown cut, so that nobody makes an error of any size.
            assert!(answer.to_string().len() < 2000, "{method}");
        }
    }
    // An agent's name becomes a folder.
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "sessions.create", "params": {"agent": "../.."}});
    let answer = json(gateway.http(&token, &call.to_string()).1.as_bytes());
    assert_eq!(answer["error"]["data"]["code"], "request.format", "{answer}");
    assert_eq!(std::fs::read_dir(gateway.state().join("sessions")).unwrap().count(), 0);
}

#[test]
fn what_is_too_large_or_too_slow_is_cut_and_the_others_are_served() {
    let gateway = Gateway::start(None);
    let head = |rest: &str| {
        let (address, token) = (gateway.address(), gateway.token());
        format!(
            "POST / HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n{rest}\r\n"
        )
    };
    // Too large, stated and unstated.
    let Answer(status, _, body) = raw(&gateway, head("Content-Length: 2000000\r\n").as_bytes()).unwrap();
    assert_eq!(status, 413);
    is_wire(&body, "request.payload_too_large");
    let mut chunked = head("Transfer-Encoding: chunked\r\n").into_bytes();
    for _ in 0..32 {
        chunked.extend_from_slice(b"10000\r\n");
        chunked.extend_from_slice(&[b' '; 0x10000]);
        chunked.extend_from_slice(b"\r\n");
    }
    if let Some(Answer(status, _, body)) = raw(&gateway, &chunked) {
        assert_eq!(status, 413);
        is_wire(&body, "request.payload_too_large");
    }
    let Some(Answer(status, ..)) = raw(&gateway, &vec![b'a'; 100_000]) else {
        panic!("no answer to a long head")
    };
    assert!((400..500).contains(&status), "{status}");
    // Too slow: hundreds that never send their headers, and one that never sends its body. All are cut in time, and a call
    // that comes meanwhile, beyond the limit of connections, is answered when there is room again.
    let idle: Vec<TcpStream> = (0..600).map(|_| TcpStream::connect(gateway.address()).unwrap()).collect();
    for mut stream in &idle {
        let _ = stream.write_all(b"POST / HTTP/1.1\r\nHost: loc");
    }
    std::thread::scope(|scope| {
        let body = scope.spawn(|| raw(&gateway, head("Content-Length: 100\r\n").as_bytes()).unwrap());
        let call = scope.spawn(|| {
            let close = head(&format!("Connection: close\r\nContent-Length: {}\r\n", health().len()));
            raw(&gateway, (close + &health()).as_bytes()).unwrap()
        });
        assert_eq!(call.join().unwrap().0, 200);
        let Answer(status, _, body) = body.join().unwrap();
        assert_eq!(status, 408, "{body}");
        is_wire(&body, "request.format");
    });
    for mut stream in idle {
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut rest = Vec::new();
        // Ended by the gateway, one way or another, and not by the bound above.
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock);
        }
    }
    assert_eq!(gateway.call("health", json!({}))["ok"], true);
}

/// Every file below a folder.
fn files(folder: &Path, into: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        }
        into.push(path);
    }
}

#[test]
fn secrets_and_prompts_are_in_no_log_error_or_number_and_files_are_private() {
    const TOKEN: &str = "SECRETTOKENSECRETTOKENSECRETTOKENSECRETTOKEN";
    const PROMPT: &str = "PROMPTMARKER";
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("state")).unwrap();
    std::fs::set_permissions(dir.path().join("state"), std::fs::Permissions::from_mode(0o700)).unwrap();
    let token = dir.path().join("state/token");
    std::fs::write(&token, TOKEN).unwrap();
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(
        dir.path().join("script.yaml"),
        "agents:\n  bad:\n    - fail: { code: provider.billing }\n  '*':\n    - reply: 'heard: {message}'\n",
    )
    .unwrap();
    let gateway = Gateway::start_in(dir, "trace");
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let mut said = String::new();
    let mut call = |method: &str, params: Value| {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer = gateway.http(&bearer, &call.to_string()).1;
        (said += &answer, json(answer.as_bytes())).1
    };
    let sent = call(
        "sessions.send",
        json!({"to": "agent:main:x", "from": "agent:main:y", "message": PROMPT, "maxPingPong": 1, "timeoutMs": 20000}),
    );
    assert_eq!(sent["result"]["replied"], true, "{sent}");
    let failed = call("sessions.send", json!({"to": "agent:bad:x", "message": PROMPT, "timeoutMs": 20000}));
    assert!(failed["result"]["error"]["code"].is_string(), "{failed}");
    call("sessions.spawn", json!({"requester": "agent:main:x", "task": PROMPT}));
    until("the announce", || gateway.call("health", json!({}))["announces"]["delivered"] == 1);
    let replies = said.replace(&format!("heard: {PROMPT}"), "");
    assert!(!replies.contains(PROMPT), "{replies}");
    // Everything that answers with an error, and everything that counts.
    said.clear();
    let mut call = |headers: &str, body: &str| said += &gateway.http(headers, body).1;
    let one = |method: &str, params: Value| {
        json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()
    };
    call(&bearer, &one("sessions.send", json!({"to": "agent:main:x", "message": [PROMPT]})));
    call(&bearer, &one("sessions.send", json!({"to": "agent:main:x", "message": PROMPT, "maxPingPong": 99})));
    call(
        &bearer,
        &format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"agent\",\"params\":{{\"message\":\"{PROMPT}\""),
    );
    call(&bearer, &one("health", json!({})));
    call(&bearer, &one("announce.list", json!({})));
    call(&bearer, &one("locks.inspect", json!({"path": "sessions/main"})));
    call(&format!("Authorization: Bearer {TOKEN}x\r\n"), &one("health", json!({})));
    call(&format!("{bearer}Origin: http://evil.example\r\n"), &one("agent", json!({"message": PROMPT})));
    let header = format!("Bearer {TOKEN}");
    said += &request(&gateway, "GET /metrics", &[("Authorization", &header)], "").2;
    // The secret of a login is as good as the token.
    let login = request(&gateway, "POST /login", &[("Authorization", &header)], "").2;
    let login = json(login.as_bytes())["login"].as_str().unwrap().to_owned();
    let protocols = format!("moorline, bearer.{login}");
    said += &request(&gateway, "GET /rpc", &[("Sec-WebSocket-Protocol", &protocols)], "").2;
    said += &request(&gateway, "POST /", &[JSON, ("Authorization", &format!("Bearer {login}"))], &health()).2;
    for secret in [TOKEN, PROMPT, login.as_str()] {
        assert!(!said.contains(secret), "{secret} is in {said}");
    }
    let state = gateway.state();
    let mut all = Vec::new();
    files(&state, &mut all);
    for path in &all {
        let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
    let log = gateway.log();
    assert!(log.lines().count() > 10, "{log}");
    for secret in [TOKEN, PROMPT, login.as_str()] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
    // The token is in its file alone. Prompts are in the transcripts, and in what the next gateway must know to keep a
    // promise: the event files and the outbox.
    all.clear();
    files(&state, &mut all);
    for path in all.iter().filter(|path| path.is_file()) {
        let bytes = std::fs::read(path).unwrap();
        let holds = |secret: &str| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
        assert!(!holds(TOKEN) || path.ends_with("token"), "{}", path.display());
        let may = ["sessions", "events"].iter().any(|folder| path.starts_with(state.join(folder)))
            || path.file_name().unwrap().to_str().unwrap().starts_with("outbox.sqlite");
        assert!(!holds(PROMPT) || may, "{}", path.display());
    }
}

#[test]
fn a_transcript_that_is_a_link_is_refused_and_its_target_left_alone() {
    let gateway = Gateway::start(None);
    let target = gateway.dir.path().join("precious");
    std::fs::write(&target, "precious\n").unwrap();
    std::fs::create_dir_all(gateway.state().join("sessions/main")).unwrap();
    std::os::unix::fs::symlink(&target, gateway.state().join("sessions/main/link.jsonl")).unwrap();
    let answer =
        gateway.call("sessions.send", json!({"to": "agent:main:link", "message": "hi", "timeoutMs": 20000}));
    assert_eq!((&answer["replied"], &answer["delivered"]), (&json!(false), &json!(false)), "{answer}");
    assert!(answer["error"]["code"].as_str().unwrap().starts_with("local."), "{answer}");
    assert_eq!(std::fs::read_to_string(target).unwrap(), "precious\n");
}

#[test]
fn listening_beyond_loopback_is_warned_of() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut child = moorline(dir.path())
        .args(["serve", "--port", "0", "--state", "state", "--host", "0.0.0.0"])
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    until("the gateway", || dir.path().join("state/gateway.json").exists());
    child.kill().unwrap();
    child.wait().unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("listening beyond loopback"), "{log}");
}
