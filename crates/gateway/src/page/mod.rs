//! The operator page: static files for everybody, without a token and without data.
//!
//! What is shown comes over the WebSocket, after a login. The files are part of the program and are what the browser gets,
//! with no framework and no build step: a page that shows who holds which lock must work when nothing else does. The policy
//! in front of it allows this origin's own files and no other: a name that looks like a script stays a name.

use axum::{
    Router,
    http::{HeaderName, header},
    response::IntoResponse,
    routing::get,
};

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// What the page serves.
pub(crate) fn routes() -> Router {
    let html = || file("text/html; charset=utf-8", include_str!("index.html"));
    let css = || file("text/css; charset=utf-8", include_str!("page.css"));
    let js = || file("text/javascript; charset=utf-8", include_str!("page.js"));
    let tables = || file("text/javascript; charset=utf-8", include_str!("tables.js"));
    let icon = || file("image/svg+xml", include_str!("icon.svg"));
    Router::new()
        .route("/", get(move || async move { html() }))
        .route("/page.css", get(move || async move { css() }))
        .route("/page.js", get(move || async move { js() }))
        .route("/tables.js", get(move || async move { tables() }))
        .route("/icon.svg", get(move || async move { icon() }))
}

fn file(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers: [(HeaderName, &'static str); 6] = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        // Another gateway may be there tomorrow.
        (header::CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    (headers, text)
}
