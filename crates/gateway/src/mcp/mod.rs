//! The session tools for other agents, over streamable HTTP at `/mcp`.

use std::sync::Arc;

use axum::Router;

use crate::engine::Engine;

/// What MCP serves, behind the token.
pub(crate) fn routes(_engine: Arc<Engine>) -> Router {
    Router::new()
}
