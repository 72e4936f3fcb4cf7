//! A WebSocket: messages of JSON-RPC in, answers out, until one side ends it.
//!
//! Calls of one connection run beside each other up to a limit; beyond it the connection is not read, so that a client
//! that asks faster than it reads slows itself alone. A client that does not read within the patience of the server, or
//! leaves [`UNANSWERED`] pings without an answer, is cut off: it holds one of a limited number of places. When the gateway
//! ends, what is under way is answered, and the client is told with a close frame.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::ws::{CloseFrame, Message, WebSocket, close_code},
};
use futures_util::SinkExt;
use jsonrpsee_server::types::{ErrorObject, Id, Response, ResponsePayload};
use moorline_taxonomy::{Coordination, Wire};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::{door::Door, ids, limits::TOO_MANY, server::Peer, subscriptions::Subscriptions};

/// Calls under way on one connection.
const MAX_CALLS: usize = 64;
/// Pings that a client may leave unanswered. More than one, because an answer may lie unread while we wait for the client to
/// read.
const UNANSWERED: u32 = 2;

/// Why a connection is over.
enum End {
    /// The client closed it, or is gone.
    Gone,
    /// The gateway closes it, and says why.
    Close(u16, &'static str),
}

/// Talks until the end.
pub(crate) async fn talk(mut socket: WebSocket, door: Arc<Door>, peer: Peer) {
    let mut closing = peer.closing.clone();
    let mut calls = JoinSet::new();
    let mut subscriptions = Subscriptions::default();
    let patience = peer.patience;
    let mut pings = interval_at(Instant::now() + patience, patience);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unanswered = 0;
    let end = loop {
        tokio::select! {
            () = closing.told() => break End::Close(close_code::AWAY, "the gateway ends"),
            Some(answered) = calls.join_next() => {
                let Ok(Some(answer)) = answered else { continue };
                if let Err(end) = send(&mut socket, answer, patience).await {
                    break end;
                }
            }
            notices = subscriptions.next() => {
                if let Err(end) = send_all(&mut socket, notices, patience).await {
                    break end;
                }
            }
            _ = pings.tick() => {
                // What is not read cannot be heard.
                unanswered = if calls.len() < MAX_CALLS { unanswered } else { 0 };
                if unanswered == UNANSWERED {
                    break End::Gone;
                }
                unanswered += 1;
                if let Err(end) = in_time(socket.send(Message::Ping(Bytes::new())), patience).await {
                    break end;
                }
            }
            received = socket.recv(), if calls.len() < MAX_CALLS => match received {
                Some(Ok(Message::Text(text))) => {
                    unanswered = 0;
                    let message = Bytes::from(text);
                    let (carried, ids) = ids::carried(message.clone());
                    let answer = match refused(&carried, &door) {
                        None => subscriptions.take(&carried, &door.events),
                        refused => refused,
                    };
                    let answer = answer.map(|answer| ids.back(answer));
                    match answer {
                        Some(answer) => {
                            if let Err(end) = send(&mut socket, answer, patience).await {
                                break end;
                            }
                        }
                        None => {
                            let door = Arc::clone(&door);
                            calls.spawn(async move { door.protocol.answer(message).await });
                        }
                    }
                }
                Some(Ok(Message::Binary(_))) => break End::Close(close_code::UNSUPPORTED, "messages are text"),
                // The library answers pings.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => unanswered = 0,
                Some(Ok(Message::Close(_))) | None => break End::Gone,
                Some(Err(error)) => {
                    tracing::debug!(%error, "a WebSocket broke off");
                    break End::Close(close_code::SIZE, "a message is at most 1 MiB");
                }
            },
        }
    };
    if let End::Close(code, reason) = end {
        while let Some(answered) = calls.join_next().await {
            if let Ok(Some(answer)) = answered
                && send(&mut socket, answer, patience).await.is_err()
            {
                break;
            }
        }
        let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        let _ = tokio::time::timeout(patience, socket.send(close)).await;
    }
    drop(peer.place);
}

/// The answer to a message for which there is no room.
fn refused(message: &[u8], door: &Door) -> Option<Bytes> {
    let delay = door.limits.call().err()?;
    let mut wire = Wire::new(Coordination::LaneTimeout, TOO_MANY);
    wire.retry_after_ms = u64::try_from(delay.as_millis()).ok();
    let error = ErrorObject::owned(-32000, TOO_MANY, Some(wire));
    let id = serde_json::from_slice::<HasId<'_>>(message).map_or(Id::Null, |call| call.id);
    let refused = Response::<()>::new(ResponsePayload::error(error), id);
    serde_json::to_vec(&refused).ok().map(Bytes::from)
}

#[derive(serde::Deserialize)]
struct HasId<'a> {
    #[serde(borrow)]
    id: Id<'a>,
}

async fn send(socket: &mut WebSocket, message: Bytes, patience: Duration) -> Result<(), End> {
    send_all(socket, vec![message], patience).await
}

/// Sends texts with one write to the connection, where they fit: an event that sixteen subscriptions hear is not sixteen
/// system calls.
async fn send_all(socket: &mut WebSocket, messages: Vec<Bytes>, patience: Duration) -> Result<(), End> {
    let all = async {
        for message in messages {
            let Ok(text) = message.try_into() else { continue };
            socket.feed(Message::Text(text)).await?;
        }
        socket.flush().await
    };
    in_time(all, patience).await
}

async fn in_time(sent: impl Future<Output = Result<(), axum::Error>>, patience: Duration) -> Result<(), End> {
    match tokio::time::timeout(patience, sent).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}
