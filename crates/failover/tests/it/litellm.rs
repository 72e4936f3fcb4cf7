//! A peer that nobody here wrote: provider errors of the corpus, through a LiteLLM proxy that wraps them in its own way.
//!
//! The proxy calls an upstream of ours on loopback, which answers with the rows; what the proxy makes of it is what we
//! read. Codes do not survive it, so this is text and status at work.

use std::{
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::{Router, body::Body, body::Bytes, extract::State, http::Response, routing::post};
use moorline_failover::{
    Signal, classify,
    corpus::{Row, Score},
};
use serde_json::{Value, json};

use crate::support::{DOCUMENTED, PROVIDER_ERRORS, rows};

const KEY: &str = "sk-only-for-this-test";

/// Ends the proxy with the test.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _already_gone = self.0.kill();
        let _status = self.0.wait();
    }
}

async fn upstream(State(rows): State<Arc<Vec<Row>>>, request: Bytes) -> Response<Body> {
    let request: Value = serde_json::from_slice(&request).expect("the proxy sends JSON");
    let row = rows.iter().find(|row| request["model"] == row.id.as_str()).expect("a row of ours");
    let error = json!({"error": {"message": row.message, "type": row.kind, "code": row.code, "param": null}});
    let body = row.body.clone().filter(|body| body.starts_with('{')).unwrap_or_else(|| error.to_string());
    Response::builder()
        .status(row.status.expect("only such rows"))
        .header("content-type", "application/json")
        .body(Body::from(body))
        .expect("a response")
}

fn config(upstream: std::net::SocketAddr) -> String {
    // JSON is YAML.
    json!({
        "model_list": [{"model_name": "*", "litellm_params": {
            "model": "openai/*", "api_base": format!("http://{upstream}/v1"), "api_key": "none", "max_retries": 0,
        }}],
        "litellm_settings": {"num_retries": 0, "telemetry": false},
        "router_settings": {"num_retries": 0, "disable_cooldowns": true},
        "general_settings": {"master_key": KEY},
    })
    .to_string()
}

#[tokio::test]
#[ignore = "needs `litellm[proxy]` of PyPI on the PATH, and some ten seconds"]
async fn what_a_litellm_proxy_relays_keeps_its_class() {
    let rows: Arc<Vec<Row>> = Arc::new(
        rows(PROVIDER_ERRORS)
            .into_iter()
            .chain(rows(DOCUMENTED))
            .filter(|row| row.provider.as_deref() == Some("openai") && !row.ambiguous)
            .filter(|row| row.status.is_some_and(|status| status >= 400))
            .collect(),
    );
    let app = Router::new().route("/v1/chat/completions", post(upstream)).with_state(rows.clone());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback is there");
    let address = listener.local_addr().expect("a bound socket");
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move { axum::serve(listener, app).await });

    let directory = tempfile::tempdir().expect("a directory for the configuration");
    let file = directory.path().join("config.yaml");
    std::fs::write(&file, config(address)).expect("the configuration is written");
    // A port that is free now; the proxy cannot be asked to choose one.
    let port =
        std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).unwrap().port();
    let _proxy = Proxy(
        Command::new("litellm")
            .args(["--host", "127.0.0.1", "--port", &port.to_string(), "--config"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("litellm is on the PATH"),
    );
    let client = reqwest::Client::builder().no_proxy().build().expect("a client without TLS");
    let base = format!("http://127.0.0.1:{port}");
    for _ in 0..180 {
        if client.get(format!("{base}/health/liveliness")).send().await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    let mut score = Score::default();
    let mut wrong = Vec::new();
    for row in rows.iter() {
        let request = json!({"model": row.id, "messages": [{"role": "user", "content": "hello"}]});
        let response = client
            .post(format!("{base}/v1/chat/completions"))
            .header("authorization", format!("Bearer {KEY}"))
            .header("content-type", "application/json")
            .body(request.to_string())
            .send()
            .await
            .expect("the proxy answers");
        let status = response.status().as_u16();
        let body = response.bytes().await.expect("it answers in full");
        let verdict = classify(&Signal::status(status).from_provider("litellm").with_body(&body));
        let judged = score.add_verdict(row, verdict);
        if !judged.exact {
            let said = String::from_utf8_lossy(&body);
            wrong.push(format!("{}: {} is not {} ({}) {said}", row.id, judged.class, row.class, judged.rule));
        }
    }
    assert!(score.exact_percent() >= 95.0, "{score}\n{}", wrong.join("\n"));
}
