//! What the door itself answers: an HTTP status with the wire form of section "errors" as its body, never bare text.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use moorline_taxonomy::{Code, Wire};

/// An answer that no method gave.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    wire: Box<Wire>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: impl Into<Code>, why: &str) -> Self {
        Self { status, wire: Box::new(Wire::new(code, why)) }
    }

    /// States when it is worth to try again, in the body and in `Retry-After`.
    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.wire.retry_after_ms = Some(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let body = serde_json::to_vec(&self.wire).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(ms) = self.wire.retry_after_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(ms.div_ceil(1000).max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
