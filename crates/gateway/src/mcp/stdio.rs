//! The tools over standard input and output: one client, until it closes the pipe.

use rmcp::{
    serve_server,
    service::{QuitReason, ServerInitializeError},
    transport::{async_rw::AsyncRwTransport, stdio_pipes},
};

use super::{gateway::Gateway, server::SessionTools};
use crate::{session_key::SessionKey, state_dir::StateDir};

/// Longest line of a client: the same bound that the gateway has for a request.
const MAX_LINE: usize = 1024 * 1024;

/// Serves the client on the other end of the standard streams until it is gone.
pub(crate) async fn serve(state: StateDir, session: Option<SessionKey>) -> anyhow::Result<()> {
    let tools = SessionTools::new(Gateway::Of(state), session);
    let (read, write) = stdio_pipes();
    let transport = AsyncRwTransport::new_server(read, write).with_max_line_length(MAX_LINE);
    let service = match serve_server(tools, transport).await {
        Ok(service) => service,
        // A client that left before it said a word wanted nothing.
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    match service.waiting().await? {
        QuitReason::Closed | QuitReason::Cancelled => Ok(()),
        QuitReason::JoinError(error) => Err(error.into()),
        other => Err(anyhow::anyhow!("the connection ended: {other:?}")),
    }
}
