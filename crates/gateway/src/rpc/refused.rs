//! What an HTTP refusal of the gateway says, for its client.
//!
//! The library keeps the status of a refused call and drops the body, which is the wire form. This layer stands before it,
//! and makes the refusal the error that the call ends with.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, StatusCode, header},
};
use jsonrpsee_core::http_helpers::HttpError;
use jsonrpsee_http_client::{HttpBackend, HttpRequest, HttpResponse, transport};
use moorline_taxonomy::{Code, Coordination, Local, RemoteError, Request, Wire};
use tower::{Layer, Service};

/// A wire form is a fraction of this.
const LARGEST: usize = 64 * 1024;

/// Puts [`Telling`] before the connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tell;

#[derive(Clone, Debug)]
pub(super) struct Telling(HttpBackend);

/// The library shows the cause of what it is given, so that is where the refusal is.
#[derive(Debug, thiserror::Error)]
#[error("the gateway refused the call")]
struct Refused(#[source] RemoteError);

impl Layer<HttpBackend> for Tell {
    type Service = Telling;

    fn layer(&self, inner: HttpBackend) -> Telling {
        Telling(inner)
    }
}

impl Service<HttpRequest> for Telling {
    type Response = HttpResponse<hyper::body::Incoming>;
    type Error = transport::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Service::<HttpRequest>::poll_ready(&mut self.0, context)
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let answered = self.0.call(request);
        Box::pin(async move {
            let answered = answered.await?;
            if answered.status().is_success() {
                return Ok(answered);
            }
            let (parts, body) = answered.into_parts();
            // A refusal that breaks off is told by its status.
            let body = to_bytes(Body::new(body), LARGEST).await.unwrap_or_default();
            let refused = Refused(wire(parts.status, &parts.headers, &body).into());
            Err(transport::Error::Http(HttpError::Stream(refused.into())))
        })
    }
}

/// The wire form in the body; a proxy in between has none, and is judged by its status.
fn wire(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Wire {
    let mut wire = serde_json::from_slice::<Wire>(body).unwrap_or_else(|_| {
        Wire::new(code(status), format!("the call was refused with the HTTP status {status}"))
    });
    let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    wire.retry_after_ms = wire.retry_after_ms.or(seconds.map(|seconds| seconds.saturating_mul(1000)));
    wire
}

fn code(status: StatusCode) -> Code {
    match status.as_u16() {
        401 | 403 | 407 => Local::Permission.into(),
        413 => Request::PayloadTooLarge.into(),
        429 | 500..=599 => Coordination::LaneTimeout.into(),
        _ => Request::Format.into(),
    }
}
