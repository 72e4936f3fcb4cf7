//! A provider on loopback: it gives its answers in order, keeps what it was asked, and repeats the last answer.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, Response, Uri},
};
use futures_util::stream;
use serde_json::Value;

/// One answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
    pub(super) ends: Ends,
}

/// How an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ends {
    Well,
    /// The connection is cut after the body so far.
    Cut,
    /// It never comes.
    Never,
}

/// What was asked.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Value,
}

pub(super) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    _task: tokio::task::JoinSet<()>,
}

struct Shared {
    answers: Vec<Answer>,
    seen: Mutex<Vec<Seen>>,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", &body.to_string())
    }

    pub(super) fn text(status: u16, kind: &str, body: &str) -> Self {
        let headers = vec![("content-type", kind.to_owned())];
        Self { status, headers, body: body.to_owned(), ends: Ends::Well }
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(super) fn ends(self, ends: Ends) -> Self {
        Self { ends, ..self }
    }
}

impl Server {
    pub(super) async fn start(answers: impl IntoIterator<Item = Answer>) -> Self {
        let shared =
            Arc::new(Shared { answers: answers.into_iter().collect(), seen: Mutex::new(Vec::new()) });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut task = tokio::task::JoinSet::new();
        task.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, shared, _task: task }
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://{}/v1/", self.address)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().clone()
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let number = {
        let mut seen = shared.seen.lock().unwrap();
        let body = serde_json::from_slice(&body).expect("requests are JSON");
        seen.push(Seen { path: uri.to_string(), headers, body });
        seen.len() - 1
    };
    let answer = shared.answers.get(number).or(shared.answers.last()).cloned().unwrap();
    if answer.ends == Ends::Never {
        return std::future::pending().await;
    }
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    let body = match answer.ends {
        Ends::Cut => {
            let pieces = [Ok(Bytes::from(answer.body)), Err(std::io::Error::other("cut"))];
            // The piece must be on its way before the connection goes.
            let paced = futures_util::StreamExt::then(stream::iter(pieces), |piece| async {
                if piece.is_err() {
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                piece
            });
            Body::from_stream(paced)
        }
        Ends::Well | Ends::Never => {
            Body::from_stream(stream::iter([Ok::<_, Infallible>(Bytes::from(answer.body))]))
        }
    };
    response.body(body).unwrap()
}
