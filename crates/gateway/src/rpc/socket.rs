//! A WebSocket: messages of JSON-RPC in, answers out, until one side ends it.
//!
//! Calls of one connection run beside each other up to a limit; beyond it the connection is not read, so that a client
//! that asks faster than it reads slows itself alone. A client that does not read for [`STALLED`] is cut off. When the
//! gateway ends, what is under way is answered, and the client is told with a close frame.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Bytes,
    extract::ws::{CloseFrame, Message, WebSocket, close_code},
};
use jsonrpsee_server::types::{ErrorObject, Id, Response, ResponsePayload};
use moorline_taxonomy::{Coordination, Wire};
use tokio::task::JoinSet;

use super::{door::Door, limits::TOO_MANY, server::Peer, subscriptions::Subscriptions};

/// Calls under way on one connection.
const MAX_CALLS: usize = 64;
/// How long a client may not read at all.
const STALLED: Duration = Duration::from_secs(30);

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
    let end = loop {
        tokio::select! {
            () = closing.told() => break End::Close(close_code::AWAY, "the gateway ends"),
            Some(answered) = calls.join_next() => {
                let Ok(Some(answer)) = answered else { continue };
                if let Err(end) = send(&mut socket, answer).await {
                    break end;
                }
            }
            notices = subscriptions.next() => {
                if let Err(end) = send_all(&mut socket, notices).await {
                    break end;
                }
            }
            received = socket.recv(), if calls.len() < MAX_CALLS => match received {
                Some(Ok(Message::Text(text))) => {
                    let message = Bytes::from(text);
                    let answer = match refused(&message, &door) {
                        None => subscriptions.take(&message, &door.events),
                        refused => refused,
                    };
                    match answer {
                        Some(answer) => {
                            if let Err(end) = send(&mut socket, answer).await {
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
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
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
                && send(&mut socket, answer).await.is_err()
            {
                break;
            }
        }
        let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
        let _ = tokio::time::timeout(STALLED, socket.send(close)).await;
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

async fn send(socket: &mut WebSocket, message: Bytes) -> Result<(), End> {
    let Ok(text) = message.try_into() else { return Ok(()) };
    match tokio::time::timeout(STALLED, socket.send(Message::Text(text))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(End::Gone),
    }
}

async fn send_all(socket: &mut WebSocket, messages: Vec<Bytes>) -> Result<(), End> {
    for message in messages {
        send(socket, message).await?;
    }
    Ok(())
}
