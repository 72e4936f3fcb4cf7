//! Ids of calls that the library cannot carry: numbers that are negative, broken or large.
//!
//! JSON-RPC 2.0 lets an id be any number; to the library such a call has no id, and is not answered. Where a message has
//! one, all its calls go on under ids of ours, and the answers get the callers' ids back as they were written. An id that
//! is no string, number or null makes the call invalid: what goes on of it has no method, and the library refuses it.

use axum::body::Bytes;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// What the callers of a message call their calls; empty when the library can carry it as it is.
#[derive(Default)]
pub(super) struct Ids(Vec<Box<RawValue>>);

#[derive(Deserialize, Serialize)]
struct Fields<'a> {
    #[serde(borrow, default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    jsonrpc: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    id: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    method: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    error: Option<&'a RawValue>,
}

/// `null` is something that is there.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

enum Id {
    Carried,
    Number,
    Invalid,
}

fn judge(id: &RawValue) -> Id {
    match id.get().as_bytes().first() {
        Some(b'"' | b'n') => Id::Carried,
        Some(b'-' | b'0'..=b'9') if id.get().parse::<u64>().is_ok() => Id::Carried,
        Some(b'-' | b'0'..=b'9') => Id::Number,
        _ => Id::Invalid,
    }
}

/// The message as the library can carry it, and how to give the ids back.
pub(super) fn carried(message: Bytes) -> (Bytes, Ids) {
    let mut ids = Ids::default();
    match ids.rewritten(&message) {
        Some(carried) => (Bytes::from(carried), ids),
        None => (message, Ids::default()),
    }
}

impl Ids {
    /// Nothing when the message is right as it is, or so wrong that the library will say so.
    fn rewritten(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let needed = |call: &Fields<'_>| call.id.is_some_and(|id| !matches!(judge(id), Id::Carried));
        if message.trim_ascii_start().first() == Some(&b'[') {
            let parts: Vec<&RawValue> = serde_json::from_slice(message).ok()?;
            let calls: Vec<_> =
                parts.iter().map(|part| serde_json::from_str::<Fields<'_>>(part.get())).collect();
            if !calls.iter().flatten().any(needed) {
                return None;
            }
            let taken = parts.iter().zip(calls).map(|(part, call)| match call {
                Ok(call) => self.taken(call),
                // It is no call, and has no id.
                Err(_) => Some((*part).to_owned()),
            });
            serde_json::to_vec(&taken.collect::<Option<Vec<_>>>()?).ok()
        } else {
            let call: Fields<'_> = serde_json::from_slice(message).ok()?;
            if !needed(&call) {
                return None;
            }
            self.taken(call).map(|call| call.get().as_bytes().to_vec())
        }
    }

    fn taken(&mut self, call: Fields<'_>) -> Option<Box<RawValue>> {
        let ours = serde_json::value::to_raw_value(&self.0.len()).ok()?;
        let call = match call.id.map(|id| (id, judge(id))) {
            None => call,
            Some((id, Id::Carried | Id::Number)) => {
                self.0.push(id.to_owned());
                Fields { id: Some(&ours), ..call }
            }
            Some((_, Id::Invalid)) => Fields { id: Some(RawValue::NULL), method: None, ..call },
        };
        serde_json::value::to_raw_value(&call).ok()
    }

    /// The answer under the callers' ids.
    pub(super) fn back(&self, answer: Bytes) -> Bytes {
        if self.0.is_empty() {
            return answer;
        }
        let back = if answer.starts_with(b"[") {
            serde_json::from_slice::<Vec<Fields<'_>>>(&answer).and_then(|mut answers| {
                answers.iter_mut().for_each(|answer| self.given(answer));
                serde_json::to_vec(&answers)
            })
        } else {
            serde_json::from_slice::<Fields<'_>>(&answer).and_then(|mut answer| {
                self.given(&mut answer);
                serde_json::to_vec(&answer)
            })
        };
        back.map_or(answer, Bytes::from)
    }

    fn given<'a>(&'a self, answer: &mut Fields<'a>) {
        let ours = answer.id.and_then(|id| id.get().parse::<usize>().ok());
        if let Some(theirs) = ours.and_then(|ours| self.0.get(ours)) {
            answer.id = Some(theirs);
        }
    }
}
