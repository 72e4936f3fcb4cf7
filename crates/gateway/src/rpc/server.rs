//! Listening: connections are accepted up to a limit, and all of them end when the gateway does.
//!
//! Every connection holds one of a fixed number of places from its acceptance to its end, a WebSocket included; beyond
//! that the operating system queues. Headers must be there within [`HEADERS_WITHIN`]. axum's own `serve` was not taken: it
//! knows neither limit. At the end no connection is accepted any more, a request under way is answered, and what is left
//! when the time is over is cut.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};
use tower::Service;

use super::door;
use crate::exit::{Exit, Failure};

/// Connections at once; the operating system queues more.
const MAX_CONNECTIONS: u32 = 512;
/// How long the headers of a request may take, and a kept connection may be idle.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// Largest head of a request.
const MAX_HEAD: usize = 16 * 1024;
/// Pause after a connection could not be accepted, mostly for want of file descriptors.
const AFTER_FAILED_ACCEPT: Duration = Duration::from_millis(100);

/// Who is at the other end of a connection; in the extensions of every request.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Held by whatever lives on when the connection has become a WebSocket.
    pub(crate) place: Arc<OwnedSemaphorePermit>,
    pub(crate) closing: Closing,
}

/// Told when the gateway ends.
#[derive(Clone, Debug)]
pub(crate) struct Closing(watch::Receiver<bool>);

impl Closing {
    /// Completes when the gateway ends. Cancel-safe.
    pub(crate) async fn told(&mut self) {
        // A server that is gone has ended.
        let _ = self.0.wait_for(|closing| *closing).await;
    }
}

/// A bound address that nobody is answered at yet.
pub(crate) struct Listener {
    listener: TcpListener,
    address: SocketAddr,
}

/// A door that is open.
pub(crate) struct Server {
    closing: watch::Sender<bool>,
    places: Arc<Semaphore>,
    accepting: JoinSet<()>,
}

impl Listener {
    /// Binds; port 0 is given one by the operating system.
    pub(crate) async fn bind(address: SocketAddr) -> anyhow::Result<Self> {
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "listening beyond loopback: anybody who has the token can run your agents");
        }
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let message = format!("cannot listen on {address}: {error}");
            Failure::new(Exit::Unavailable, moorline_taxonomy::Local::Config, message)
        })?;
        let address = listener.local_addr().context("no local address")?;
        Ok(Self { listener, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts to answer.
    pub(crate) fn serve(self, router: Router) -> Server {
        let closing = watch::Sender::new(false);
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS as usize));
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(self.listener, router, Arc::clone(&places), Closing(closing.subscribe())));
        Server { closing, places, accepting }
    }
}

impl Server {
    /// Accepts nothing any more; connections end when their request is answered, and WebSockets are told.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits for all connections to end, at most `drain`, and cuts the rest. True when none was left.
    pub(crate) async fn closed(mut self, drain: Duration) -> bool {
        self.close();
        // A connection that became a WebSocket has left the set, but not given its place back.
        let all = tokio::time::timeout(drain, self.places.acquire_many(MAX_CONNECTIONS)).await.is_ok();
        self.accepting.shutdown().await;
        all
    }
}

async fn accept(listener: TcpListener, router: Router, places: Arc<Semaphore>, mut closing: Closing) {
    let told = closing.clone();
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
            match listener.accept().await {
                Ok((stream, address)) => {
                    while connections.try_join_next().is_some() {}
                    let peer = Peer { address, place: Arc::new(place), closing: told.clone() };
                    connections.spawn(answer(stream, peer, router.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(AFTER_FAILED_ACCEPT).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = closing.told() => {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn answer(stream: TcpStream, peer: Peer, router: Router) {
    let _ = stream.set_nodelay(true);
    let mut closing = peer.closing.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        door::to_protocol(&mut request);
        let answered = router.clone().call(request);
        async move { Ok::<_, Infallible>(answered.await.unwrap_or_else(|never| match never {})) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = closing.told() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}
