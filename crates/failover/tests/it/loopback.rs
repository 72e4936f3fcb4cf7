//! A real server and a real client: corpus bodies with status and headers over loopback HTTP, wrapped by the client's own
//! errors, through the chain.

use std::{error::Error, fmt, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::{Response, StatusCode},
    routing::post,
};
use moorline_failover::{
    CallError, Candidate, Chain, Limits, Needs, ProviderFailure, Signal, Transport, corpus::Row,
};

use crate::support::{PROVIDER_ERRORS, clock, rows};

type Rows = Arc<Vec<Row>>;

/// Rows that an HTTP server can have answered.
fn served() -> Vec<Row> {
    rows(PROVIDER_ERRORS)
        .into_iter()
        .filter(|row| row.status.is_some_and(|status| status >= 400) && !row.ambiguous)
        .collect()
}

fn body_of(row: &Row) -> String {
    row.body.clone().unwrap_or_else(|| {
        serde_json::json!({"error": {"message": row.message, "type": row.kind, "code": row.code}}).to_string()
    })
}

async fn answer(State(rows): State<Rows>, Path(number): Path<usize>) -> Response<Body> {
    let row = &rows[number];
    let status = StatusCode::from_u16(row.status.expect("only such rows")).expect("a status");
    let mut response = Response::builder().status(status);
    for (name, value) in row.headers.iter().flatten() {
        response = response.header(name, value);
    }
    response.body(Body::from(body_of(row))).expect("a response")
}

/// What a client library makes of an answer: its own type, which knows the status and prints the rest.
#[derive(Debug)]
struct ClientError {
    inner: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the completion request failed")
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.inner.as_ref())
    }
}

/// Calls the server as a provider client does and says what came back.
async fn call(client: &reqwest::Client, url: String, provider: &str) -> Result<String, CallError> {
    let response = match client.post(url).body("{}").send().await {
        Ok(response) => response,
        Err(error) => {
            let transport = if error.is_timeout() {
                Transport::TimedOut
            } else if error.is_connect() {
                Transport::Connect
            } else {
                Transport::Broken
            };
            let signal = Signal::transport(transport).from_provider(provider);
            return Err(ProviderFailure::received(&signal, error));
        }
    };
    let status = response.status();
    let headers: Vec<(String, String)> = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()))
        .collect();
    let body = response.bytes().await.map_err(|error| {
        ProviderFailure::received(&Signal::transport(Transport::Broken).from_provider(provider), error)
    })?;
    if status.is_success() {
        return Ok(String::from_utf8_lossy(&body).into_owned());
    }
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let signal =
        Signal::status(status.as_u16()).from_provider(provider).with_headers(&headers).with_body(&body);
    let wrapped = ClientError { inner: Box::new(std::io::Error::other(format!("HTTP {status}"))) };
    Err(ProviderFailure::received(&signal, wrapped))
}

#[tokio::test]
async fn the_class_survives_the_wire_and_the_client() {
    let rows: Rows = Arc::new(served());
    let app = Router::new().route("/v1/{number}", post(answer)).with_state(rows.clone());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback is there");
    let address = listener.local_addr().expect("a bound socket");
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move { axum::serve(listener, app).await });

    let client = reqwest::Client::builder().no_proxy().build().expect("a client without TLS");
    let mut wrong = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let provider = row.provider.clone().unwrap_or_default();
        // One try: the replayed bodies state waits that nobody wants to wait for.
        let limits = Limits { tries_per_candidate: 1, ..Limits::default() };
        let chain =
            Chain::new([Candidate::new(provider.clone(), "model", "key")], clock()).with_limits(limits);
        let failed = chain
            .run(&Needs::default(), |candidate, _| {
                let (client, url) = (client.clone(), format!("http://{address}/v1/{number}"));
                async move { call(&client, url, candidate.provider()).await }
            })
            .await
            .expect_err("the server only answers errors");
        let verdict = failed.last_error().and_then(CallError::verdict).expect("a provider answered");
        if verdict.reason.as_deref() != Some(row.class.as_str()) {
            wrong.push(format!("{}: {} is not {} (rule {})", row.id, verdict.code, row.class, verdict.rule));
        }
    }
    assert!(wrong.is_empty(), "{} of {}\n{}", wrong.len(), rows.len(), wrong.join("\n"));

    // And when the server is gone, that is the provider's silence.
    server.shutdown().await;
    let error = call(&client, format!("http://{address}/v1/0"), "acme").await.expect_err("nobody listens");
    assert_eq!(error.code().to_string(), "provider.timeout");
}
