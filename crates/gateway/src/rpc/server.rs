//! Listening: loopback by default, one token, bounded sizes and connections.

use std::net::SocketAddr;

use anyhow::Context;
use jsonrpsee_server::{RpcModule, Server, ServerConfig, ServerHandle};

use super::auth::BearerToken;
use crate::exit::{Exit, Failure};

/// Largest request and answer. A message to a session is text; attachments are not sent through here.
const MAX_REQUEST: u32 = 1024 * 1024;
const MAX_RESPONSE: u32 = 16 * 1024 * 1024;
/// Connections at once; the operating system queues more.
const MAX_CONNECTIONS: u32 = 512;

/// Starts to listen; returns the address (port 0 is given one) and the handle that stops it.
pub(crate) async fn start<C: Send + Sync + 'static>(
    address: SocketAddr,
    token: &str,
    module: RpcModule<C>,
) -> anyhow::Result<(SocketAddr, ServerHandle)> {
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "listening beyond loopback: anybody who has the token can run your agents");
    }
    let config = ServerConfig::builder()
        .max_request_body_size(MAX_REQUEST)
        .max_response_body_size(MAX_RESPONSE)
        .max_connections(MAX_CONNECTIONS)
        .build();
    let middleware = tower::ServiceBuilder::new().layer(BearerToken::new(token));
    let server =
        Server::builder().set_config(config).set_http_middleware(middleware).build(address).await.map_err(
            |error| {
                let message = format!("cannot listen on {address}: {error}");
                Failure::new(Exit::Unavailable, moorline_taxonomy::Local::Config, message)
            },
        )?;
    let address = server.local_addr().context("no local address")?;
    Ok((address, server.start(module)))
}
