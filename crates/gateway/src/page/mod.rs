//! The operator page: static files for everybody, without a token and without data.

use axum::Router;

/// What the page serves.
pub(crate) fn routes() -> Router {
    Router::new()
}
