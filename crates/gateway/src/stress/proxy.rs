//! Bad weather between callers and gateway: a loopback proxy that cuts, delays and half-closes connections.
//!
//! It spoils answers, not requests: what was asked has reached the gateway, and only the caller does not know. That is
//! the case an idempotency key is for; a request that never arrived is the easy one.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use super::plan::Weather;

/// The proxy's switch, and how much it spoilt.
pub(crate) struct Proxy {
    address: SocketAddr,
    weather: watch::Sender<Option<Weather>>,
    spoilt: AtomicUsize,
}

/// Which way a piece goes.
#[derive(Clone, Copy)]
enum Way {
    Request,
    Answer,
}

/// What is done with a piece.
enum Piece {
    Pass,
    Cut,
    HalfClose,
}

impl Proxy {
    /// Listens on a free port and carries connections to the present `gateway`, in a task of `tasks`.
    pub(crate) async fn open(
        gateway: watch::Receiver<String>,
        tasks: &mut JoinSet<()>,
    ) -> anyhow::Result<Arc<Self>> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let proxy = Arc::new(Self {
            address: listener.local_addr()?,
            weather: watch::Sender::new(None),
            spoilt: AtomicUsize::new(0),
        });
        let accepting = Arc::clone(&proxy);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((near, _)) = listener.accept().await {
                let (proxy, gateway) = (Arc::clone(&accepting), gateway.borrow().clone());
                connections.spawn(async move { proxy.carry(near, gateway).await });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(proxy)
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Makes bad weather for `span`; says how many pieces it spoilt.
    pub(crate) async fn spoil(&self, weather: Weather, span: Duration) -> usize {
        let before = self.spoilt.load(Ordering::Relaxed);
        self.weather.send_replace(Some(weather));
        tokio::time::sleep(span).await;
        self.weather.send_replace(None);
        self.spoilt.load(Ordering::Relaxed) - before
    }

    async fn carry(&self, near: TcpStream, gateway: String) {
        // Nobody there: the caller sees its connection closed.
        let Ok(far) = TcpStream::connect(gateway).await else { return };
        let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
        // An end of the caller's side ends the gateway's; a cut answer drops all four halves.
        tokio::select! {
            () = self.pipe(near_in, far_out, Way::Request) => {}
            () = self.pipe(far_in, near_out, Way::Answer) => {}
        }
    }

    async fn pipe(&self, mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, way: Way) {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            let length = match from.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(length) => length,
            };
            match self.weathered(way).await {
                Piece::Pass => {}
                Piece::Cut => return,
                Piece::HalfClose => {
                    let _ = to.shutdown().await;
                    // The other direction goes on until the caller gives up.
                    return std::future::pending().await;
                }
            }
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
    }

    async fn weathered(&self, way: Way) -> Piece {
        let weather = *self.weather.borrow();
        match (weather, way) {
            (None, _) | (Some(Weather::Cut | Weather::HalfClose), Way::Request) => Piece::Pass,
            (Some(Weather::Delay(by)), _) => {
                self.spoilt.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(by).await;
                Piece::Pass
            }
            (Some(Weather::Cut), Way::Answer) => {
                self.spoilt.fetch_add(1, Ordering::Relaxed);
                Piece::Cut
            }
            (Some(Weather::HalfClose), Way::Answer) => {
                self.spoilt.fetch_add(1, Ordering::Relaxed);
                Piece::HalfClose
            }
        }
    }
}
