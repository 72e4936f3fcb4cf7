//! The port over a real socket: JSON-RPC in HTTP on loopback, the error object with its wire form in `data`.

use std::{net::SocketAddr, time::Duration};

use async_trait::async_trait;
use moorline_qa_retry::{Failure, Gateway, Outcome, Run, read_error};
use moorline_retry::SystemClock;
use moorline_taxonomy::{Coordination, Effect, Local, Provider, Wire};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::scripted::{SEND, scenario};

/// Reads one HTTP message; the body is as long as its header says.
async fn read_body(stream: &mut TcpStream) -> std::io::Result<Value> {
    let mut bytes = Vec::new();
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
            let body = &bytes[end + 4..];
            if body.len() >= length {
                return Ok(serde_json::from_slice(body)?);
            }
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

async fn write(stream: &mut TcpStream, head: &str, body: &Value) -> std::io::Result<()> {
    let body = body.to_string();
    let text =
        format!("{head}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await
}

/// A client as a host writes it.
struct Client(SocketAddr);

#[async_trait]
impl Gateway for Client {
    async fn call(&self, method: &str, params: Value, deadline: Duration) -> Result<Value, Wire> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let exchange = async {
            let mut stream = TcpStream::connect(self.0).await?;
            write(&mut stream, "POST / HTTP/1.1\r\nhost: localhost", &request).await?;
            read_body(&mut stream).await
        };
        let unreachable = |problem: &str| {
            let mut wire = Wire::new(Local::Unclassified, format!("no answer from the gateway: {problem}"));
            wire.effect = Effect::Possible;
            wire
        };
        let mut answer = match tokio::time::timeout(deadline, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(unreachable(&error.to_string())),
            Err(_) => return Err(unreachable("timed out")),
        };
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(read_error(&answer["error"])),
        }
    }
}

/// Answers one request after the other, each on a connection of its own, and gives back what it was asked.
async fn serve(listener: TcpListener, answers: Vec<Value>) -> Vec<Value> {
    let mut asked = Vec::new();
    for answer in answers {
        let (mut stream, _) = listener.accept().await.unwrap();
        asked.push(read_body(&mut stream).await.unwrap());
        write(&mut stream, "HTTP/1.1 200 OK", &answer).await.unwrap();
    }
    asked
}

fn error(wire: &Wire) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "error": { "code": -32000, "message": wire.message, "data": wire } })
}

#[tokio::test]
async fn contention_over_the_wire_is_retried_and_a_provider_s_error_is_not() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client(listener.local_addr().unwrap());
    let mut stale = Wire::new(Coordination::LockStale, "held by another run");
    stale.lock_path = Some("x.jsonl.lock".to_owned());
    let limited = Wire::new(Provider::RateLimit, "session file locked (timeout 60000ms)");
    let reply =
        json!({ "runId": "r", "accepted": true, "delivered": true, "replied": true, "reply": "hello" });
    let answers = vec![error(&stale), json!({ "jsonrpc": "2.0", "id": 1, "result": reply }), error(&limited)];
    let mut scenarios = scenario(&[SEND]);
    scenarios.extend(scenario(&[SEND]));
    let run = Run::new("r7", &client, &SystemClock).unwrap();
    let (report, asked) = tokio::join!(run.run(&scenarios), serve(listener, answers));
    assert_eq!((report.outcome, report.retries), (Outcome::Failed, 1));
    assert_eq!((report.counts.passed_after_retry, report.counts.failed), (1, 1));
    let failure = report.scenarios[1].steps[0].failure.clone();
    assert_eq!(failure, Some(Failure::Error { error: Box::new(limited), gave_up: None }));
    assert_eq!(asked[1]["method"], "sessions.send");
    assert_eq!(asked[0]["params"]["message"], asked[1]["params"]["message"]);
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_a_failure_and_is_not_asked_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client(listener.local_addr().unwrap());
    drop(listener);
    let report = Run::new("r7", &client, &SystemClock).unwrap().run(&scenario(&[SEND])).await;
    let step = &report.scenarios[0].steps[0];
    assert_eq!(step.attempts, 1);
    assert!(step.failure.as_ref().unwrap().to_string().starts_with("local.unclassified (effect possible)"));
}
