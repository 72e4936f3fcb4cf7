//! What one WebSocket listens to: any number of subscriptions up to a limit, all fed by one place in the ring.
//!
//! Subscribing only makes sense on a connection, so the socket takes these two calls before the protocol sees them; over
//! HTTP they are answered by a method that says so. The notices have the form of the library that the command line uses:
//! method `event`, with `params.subscription` and `params.result`.

use std::collections::BTreeSet;

use axum::body::Bytes;
use jsonrpsee_server::types::{ErrorObject, ErrorObjectOwned, Request as Call, Response, ResponsePayload};
use moorline_taxonomy::{Coordination, Request, Wire};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use super::api::bad;
use crate::{
    events::{Events, Kind, Notice},
    metrics,
};

/// Subscriptions of one connection.
const MAX: usize = 16;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct SubscribeParams {
    /// What to hear of; everything when it is left out.
    pub(crate) kinds: Option<BTreeSet<Kind>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnsubscribeParams {
    /// What `events.subscribe` answered.
    pub(crate) subscription: u64,
}

/// The subscriptions of a connection.
#[derive(Default)]
pub(super) struct Subscriptions {
    feed: Option<Receiver<Notice>>,
    all: Vec<(u64, Option<BTreeSet<Kind>>)>,
    last: u64,
}

impl Subscriptions {
    /// Answers a message that subscribes or unsubscribes; nothing when it is another one.
    pub(super) fn take(&mut self, message: &[u8], events: &Events) -> Option<Bytes> {
        // Most messages are others, and are not read twice for it.
        if !message.windows(8).any(|part| part == b"\"events.") {
            return None;
        }
        let call: Call<'_> = serde_json::from_slice(message).ok()?;
        let params = call.params.as_ref().map_or("{}", |params| params.get());
        let answer = match call.method.as_ref() {
            "events.subscribe" => self.subscribe(params, events),
            "events.unsubscribe" => self.unsubscribe(params),
            _ => return None,
        };
        Some(message_of(&match answer {
            Ok(value) => Response::new(ResponsePayload::success(value), call.id),
            Err(error) => Response::new(ResponsePayload::error(error), call.id),
        }))
    }

    fn subscribe(&mut self, params: &str, events: &Events) -> Result<Value, ErrorObjectOwned> {
        let params: SubscribeParams = read(params)?;
        if self.all.len() >= MAX {
            let why = "a connection may have 16 subscriptions; end one first";
            return Err(ErrorObject::owned(-32000, why, Some(Wire::new(Coordination::LaneTimeout, why))));
        }
        self.feed.get_or_insert_with(|| events.subscribe());
        self.last += 1;
        self.all.push((self.last, params.kinds));
        Ok(json!(self.last))
    }

    fn unsubscribe(&mut self, params: &str) -> Result<Value, ErrorObjectOwned> {
        let params: UnsubscribeParams = read(params)?;
        let before = self.all.len();
        self.all.retain(|(id, _)| *id != params.subscription);
        if self.all.is_empty() {
            self.feed = None;
        }
        Ok(json!(self.all.len() < before))
    }

    /// The next messages: a notice for each subscription that wants it. Never completes without a subscription.
    ///
    /// Cancel-safe.
    pub(super) async fn next(&mut self) -> Vec<Bytes> {
        loop {
            let Some(feed) = &mut self.feed else { return std::future::pending().await };
            let messages: Vec<Bytes> = match feed.recv().await {
                Ok(notice) => {
                    let wants = |kinds: &Option<BTreeSet<Kind>>| {
                        kinds.as_ref().is_none_or(|kinds| kinds.contains(&notice.kind))
                    };
                    let wanting = self.all.iter().filter(|(_, kinds)| wants(kinds));
                    wanting.map(|(id, _)| event(*id, notice.json.get())).collect()
                }
                Err(RecvError::Lagged(missed)) => {
                    metrics::notices_missed(missed);
                    let lagged = json!({"event": "lagged", "missed": missed}).to_string();
                    self.all.iter().map(|(id, _)| event(*id, &lagged)).collect()
                }
                // The engine is gone: nothing comes any more.
                Err(RecvError::Closed) => {
                    self.feed = None;
                    continue;
                }
            };
            if !messages.is_empty() {
                return messages;
            }
        }
    }
}

fn read<'a, T: Deserialize<'a>>(params: &'a str) -> Result<T, ErrorObjectOwned> {
    serde_json::from_str(params).map_err(|error| bad(&error.to_string()))
}

/// A notice for one subscription. Its JSON was made once, for everybody, when it was told; here it is only framed.
fn event(subscription: u64, json: &str) -> Bytes {
    let params = format_args!(r#"{{"subscription":{subscription},"result":{json}}}"#);
    format!(r#"{{"jsonrpc":"2.0","method":"event","params":{params}}}"#).into()
}

fn message_of(message: &impl Serialize) -> Bytes {
    Bytes::from(serde_json::to_vec(message).unwrap_or_default())
}

/// The answer over HTTP.
pub(super) fn needs_a_socket() -> ErrorObjectOwned {
    let why = "events come over a WebSocket: connect to this address with one, and send the call by itself";
    ErrorObject::owned(-32000, why, Some(Wire::new(Request::Format, why)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_framed_as_it_is() {
        let json = r#"{"event":"run_ended","text":"a \"quote\" and {braces}"}"#;
        let framed: Value = serde_json::from_slice(&event(7, json)).unwrap();
        let result: Value = serde_json::from_str(json).unwrap();
        let params = json!({"subscription": 7, "result": result});
        assert_eq!(framed, json!({"jsonrpc": "2.0", "method": "event", "params": params}));
    }
}
