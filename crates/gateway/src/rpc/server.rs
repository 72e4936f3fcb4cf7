//! Listening: connections are accepted up to a limit, and all of them end when the gateway does.
//!
//! Every connection holds one of a fixed number of places from its acceptance to its end, a WebSocket included; beyond
//! that the operating system queues. Headers must be there within [`HEADERS_WITHIN`], and what is sent must be taken within
//! [`PATIENCE`]: the kernel ends a connection whose peer takes nothing, in whatever state hyper is. axum's own `serve` was not taken: it
//! knows none of these limits. At the end no connection is accepted any more, a request under way is answered, and what is left
//! when the time is over is cut.

use std::{convert::Infallible, io::ErrorKind, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use axum::{Router, body::Body, http::Request};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use moorline_taxonomy::Local;
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
/// How long a peer may take nothing of what is sent to it, and leave a ping unanswered.
const PATIENCE: Duration = Duration::from_secs(30);
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
    /// How long it may take nothing of what is sent.
    pub(crate) patience: Duration,
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
            if error.kind() == ErrorKind::PermissionDenied {
                let message = format!("{message}; ports below 1024 are the system's");
                return Failure::new(Exit::NotPermitted, Local::Permission, message);
            }
            let taken = error.kind() == ErrorKind::AddrInUse;
            let advice = if taken { "; end who listens there, or let --port 0 take a free one" } else { "" };
            Failure::new(Exit::Unavailable, Local::Config, format!("{message}{advice}"))
        })?;
        let address = listener.local_addr().context("no local address")?;
        Ok(Self { listener, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts to answer.
    pub(crate) fn serve(self, router: Router) -> Server {
        self.serve_with(router, PATIENCE)
    }

    fn serve_with(self, router: Router, patience: Duration) -> Server {
        let closing = watch::Sender::new(false);
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS as usize));
        let mut accepting = JoinSet::new();
        accepting.spawn(accept(
            self.listener,
            router,
            Arc::clone(&places),
            Closing(closing.subscribe()),
            patience,
        ));
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

async fn accept(
    listener: TcpListener,
    router: Router,
    places: Arc<Semaphore>,
    mut closing: Closing,
    patience: Duration,
) {
    let told = closing.clone();
    let mut connections = JoinSet::new();
    let accepting = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
            match listener.accept().await {
                Ok((stream, address)) => {
                    while connections.try_join_next().is_some() {}
                    let peer = Peer { address, place: Arc::new(place), closing: told.clone(), patience };
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
    let patience = u32::try_from(peer.patience.as_millis()).unwrap_or(u32::MAX);
    if let Err(error) = rustix::net::sockopt::set_tcp_user_timeout(&stream, patience) {
        tracing::warn!(%error, "a connection has no time within which what is sent must be taken");
    }
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

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use jsonrpsee_server::Methods;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::{
        events::Events,
        rpc::{auth::Admission, limits::Limits},
    };

    const TOKEN: &str = "a-token-of-sufficient-length";

    /// A door that loses its patience soon, with something large behind it.
    async fn open(dir: &tempfile::TempDir, patience: Duration) -> (Server, SocketAddr) {
        let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = listener.address();
        let large = Router::new().route("/large", get(|| async { "x".repeat(1 << 20) }));
        let router = door::router(
            Admission::new(TOKEN, address).unwrap(),
            Limits::new(1000),
            Methods::new(),
            Events::open(dir.path(), "test").unwrap(),
            Router::new(),
            large,
        );
        (listener.serve_with(router, patience), address)
    }

    async fn soon<T>(what: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(60), what).await.expect("it does not happen")
    }

    #[tokio::test]
    async fn a_peer_that_reads_nothing_loses_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let (server, address) = open(&dir, Duration::from_secs(1)).await;
        let mut peer = TcpStream::connect(address).await.unwrap();
        let request = format!("GET /large HTTP/1.1\r\nHost: {address}\r\n\r\n");
        // It asks and asks, until the connection is no more.
        soon(async { while peer.write_all(request.as_bytes()).await.is_ok() {} }).await;
        soon(async {
            // One place waits for the next connection.
            while server.places.available_permits() != MAX_CONNECTIONS as usize - 1 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }

    fn upgrade(address: SocketAddr) -> String {
        format!(
            "GET /rpc HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    }

    const PING: [u8; 2] = [0x89, 0];
    /// The pong of a client is masked.
    const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

    #[tokio::test]
    async fn a_websocket_that_answers_pings_stays_and_one_that_does_not_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (server, address) = open(&dir, Duration::from_millis(500)).await;
        let mut peer = TcpStream::connect(address).await.unwrap();
        peer.write_all(upgrade(address).as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(peer.read_u8()).await.unwrap());
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "));
        let mut ping = [0; 2];
        for _ in 0..5 {
            soon(peer.read_exact(&mut ping)).await.unwrap();
            assert_eq!(ping, PING);
            peer.write_all(&PONG).await.unwrap();
        }
        // From here on it reads, and says nothing.
        let mut rest = Vec::new();
        soon(peer.read_to_end(&mut rest)).await.unwrap();
        assert!(rest.len() <= 2 * (PING.len() + 1) && rest.chunks(2).all(|part| part == PING), "{rest:?}");
        assert!(server.closed(Duration::from_secs(60)).await);
    }
}
