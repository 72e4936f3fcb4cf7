//! The tools over streamable HTTP, at `/mcp`. Token, origin, host and size are the door's.
//!
//! A client may keep a stream open to be told things, and would keep the gateway's door from closing with it: whoever ends
//! the gateway ends these streams, once the turns they may wait for have ended.

use std::{sync::Arc, time::Duration};

use axum::Router;
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService,
    session::local::{LocalSessionManager, SessionConfig},
};

use super::{gateway::Gateway, server::SessionTools};
use crate::engine::Engine;

/// How long a connection may be silent. Longer than the longest wait for a reply, so that no waiting caller is cut off.
const IDLE: Duration = Duration::from_secs(900);

/// The MCP server of a gateway.
pub(crate) struct Http {
    engine: Arc<Engine>,
    config: StreamableHttpServerConfig,
}

impl Http {
    pub(crate) fn new(engine: &Arc<Engine>) -> Self {
        Self {
            engine: Arc::clone(engine),
            config: StreamableHttpServerConfig::default().disable_allowed_hosts(),
        }
    }

    pub(crate) fn routes(&self) -> Router {
        let mut sessions = LocalSessionManager::default();
        let mut session = SessionConfig::default();
        session.keep_alive = Some(IDLE);
        sessions.session_config = session;
        let engine = Arc::clone(&self.engine);
        let tools = move || Ok(SessionTools::new(Gateway::Here(Arc::clone(&engine)), None));
        let service = StreamableHttpService::new(tools, Arc::new(sessions), self.config.clone());
        Router::new().route_service("/mcp", service)
    }

    /// Ends every connection.
    pub(crate) fn close(&self) {
        self.config.cancellation_token.cancel();
    }
}
