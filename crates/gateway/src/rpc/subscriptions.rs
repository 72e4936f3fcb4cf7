//! What one WebSocket listens to: any number of subscriptions up to a limit, all fed by one place in each ring.
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
use tokio::sync::broadcast::{
    Receiver,
    error::{RecvError, TryRecvError},
};

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
    /// What to hear of; everything but `deltas` when it is left out.
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
    /// What models say, while a subscription wants it.
    deltas: Option<Receiver<Notice>>,
    all: Vec<(u64, Kinds)>,
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
        if wants(&params.kinds, Kind::Deltas) {
            self.deltas.get_or_insert_with(|| events.subscribe_deltas());
        }
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
        if !self.all.iter().any(|(_, kinds)| wants(kinds, Kind::Deltas)) {
            self.deltas = None;
        }
        Ok(json!(self.all.len() < before))
    }

    /// The next messages: a notice for each subscription that wants it. Never completes without a subscription.
    ///
    /// Cancel-safe.
    pub(super) async fn next(&mut self) -> Vec<Bytes> {
        loop {
            let mut messages = Vec::new();
            tokio::select! {
                biased;
                told = heard(&mut self.feed) => {
                    // What a run said comes before the news that it ended.
                    let waiting = self.deltas.as_ref().map_or(0, Receiver::len);
                    for _ in 0..waiting {
                        match self.deltas.as_mut().map(Receiver::try_recv) {
                            Some(Ok(notice)) => messages.extend(self.of(&notice)),
                            Some(Err(TryRecvError::Lagged(missed))) => messages.extend(self.unsaid(missed)),
                            Some(Err(TryRecvError::Empty | TryRecvError::Closed)) | None => break,
                        }
                    }
                    match told {
                        Heard::Notice(notice) => messages.extend(self.of(&notice)),
                        Heard::Missed(missed) => messages.extend(self.lagged(missed, |_| true)),
                    }
                }
                said = heard(&mut self.deltas) => match said {
                    Heard::Notice(notice) => messages.extend(self.of(&notice)),
                    Heard::Missed(missed) => messages.extend(self.unsaid(missed)),
                },
            }
            if !messages.is_empty() {
                return messages;
            }
        }
    }

    fn of(&self, notice: &Notice) -> Vec<Bytes> {
        let wanting = self.all.iter().filter(|(_, kinds)| wants(kinds, notice.kind));
        wanting.map(|(id, _)| event(*id, notice.json.get())).collect()
    }

    /// What models said and was missed, to those who wanted it.
    fn unsaid(&self, missed: u64) -> Vec<Bytes> {
        self.lagged(missed, |kinds| wants(kinds, Kind::Deltas))
    }

    fn lagged(&self, missed: u64, concerns: impl Fn(&Kinds) -> bool) -> Vec<Bytes> {
        metrics::notices_missed(missed);
        let lagged = json!({"event": "lagged", "missed": missed}).to_string();
        let concerned = self.all.iter().filter(|(_, kinds)| concerns(kinds));
        concerned.map(|(id, _)| event(*id, &lagged)).collect()
    }
}

type Kinds = Option<BTreeSet<Kind>>;

/// Whether a subscription to these kinds is told of one. What models say has to be named.
fn wants(kinds: &Kinds, kind: Kind) -> bool {
    kinds.as_ref().map_or(kind != Kind::Deltas, |kinds| kinds.contains(&kind))
}

enum Heard {
    Notice(Notice),
    Missed(u64),
}

/// What comes next out of a ring; never, when nobody listens to it or the engine is gone.
///
/// Cancel-safe.
async fn heard(ring: &mut Option<Receiver<Notice>>) -> Heard {
    let Some(listening) = ring else { return std::future::pending().await };
    match listening.recv().await {
        Ok(notice) => Heard::Notice(notice),
        Err(RecvError::Lagged(missed)) => Heard::Missed(missed),
        Err(RecvError::Closed) => {
            *ring = None;
            std::future::pending().await
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

    /// Subscribes and returns the number.
    fn subscribe(to: &mut Subscriptions, events: &Events, params: &Value) -> u64 {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "events.subscribe", "params": params});
        let answer = to.take(call.to_string().as_bytes(), events).unwrap();
        serde_json::from_slice::<Value>(&answer).unwrap()["result"].as_u64().unwrap()
    }

    async fn next(from: &mut Subscriptions) -> Vec<(u64, Value)> {
        let read = |message: &Bytes| serde_json::from_slice::<Value>(message).unwrap()["params"].take();
        let all = from.next().await.iter().map(read).collect::<Vec<_>>();
        all.into_iter().map(|mut one| (one["subscription"].as_u64().unwrap(), one["result"].take())).collect()
    }

    #[tokio::test]
    async fn what_models_say_comes_to_who_names_it_and_a_slow_one_is_told_what_was_missed() {
        let folder = tempfile::tempdir().unwrap();
        let events = Events::open(folder.path(), "gateway").unwrap();
        let session = "agent:main:x".parse().unwrap();
        let mut heard = Subscriptions::default();
        subscribe(&mut heard, &events, &json!({}));
        let naming = subscribe(&mut heard, &events, &json!({"kinds": ["deltas"]}));
        events.say(&session, "r", "one");
        let ended =
            || crate::events::Event::RunEnded { run_id: "r".into(), outcome: "replied".into(), code: None };
        events.note(ended());
        // Both are there: what was said comes first, and once.
        let all = next(&mut heard).await;
        let words: Vec<_> = all.iter().map(|(id, one)| (*id, one["event"].as_str().unwrap())).collect();
        assert_eq!(words, [(naming, "run_delta"), (1, "run_ended")]);
        assert_eq!(all[0].1["text"], "one");
        assert_eq!(all[0].1["sessionKey"], "agent:main:x");
        for number in 0..1030 {
            events.say(&session, "r", &number.to_string());
        }
        let [(id, lagged)] = &next(&mut heard).await[..] else { panic!("one is concerned") };
        assert_eq!((*id, &lagged["missed"]), (naming, &json!(6)));
        assert_eq!(next(&mut heard).await[0].1["text"], "6");
        // The same when it is noticed on the way to another notice.
        for number in 0..1030 {
            events.say(&session, "r", &number.to_string());
        }
        events.note(ended());
        let all = next(&mut heard).await;
        assert_eq!(all[0].1["event"], "lagged");
        assert_eq!(all.last().unwrap().1["event"], "run_ended");
    }

    #[test]
    fn a_notice_is_framed_as_it_is() {
        let json = r#"{"event":"run_ended","text":"a \"quote\" and {braces}"}"#;
        let framed: Value = serde_json::from_slice(&event(7, json)).unwrap();
        let result: Value = serde_json::from_str(json).unwrap();
        let params = json!({"subscription": 7, "result": result});
        assert_eq!(framed, json!({"jsonrpc": "2.0", "method": "event", "params": params}));
    }
}
