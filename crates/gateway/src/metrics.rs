//! Metrics at `/metrics`, in the text form of Prometheus.

use axum::Router;

/// What is served, behind the token.
pub(crate) fn routes() -> Router {
    Router::new()
}
