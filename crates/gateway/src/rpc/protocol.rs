//! JSON-RPC 2.0: one message in, one answer out, whatever carried it.
//!
//! A library parses, dispatches and answers; a message from a WebSocket takes the same way as one from an HTTP request, so
//! there is one implementation of batches, ids and broken input. The library's own errors (unreadable JSON, no such
//! method, an answer that is too large) come without data; they get the wire form here, so that a client has one way to
//! read any error.

use std::{collections::HashSet, sync::Arc};

use anyhow::Context;
use axum::body::{Body, Bytes, to_bytes};
use jsonrpsee_core::middleware::RpcServiceBuilder;
use jsonrpsee_server::{BatchRequestConfig, Methods, ServerConfig, ServerHandle, TowerService, stop_channel};
use moorline_taxonomy::{Code, Effect, Local, Request, Wire};
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::value::RawValue;
use tower::{
    Layer, Service,
    layer::util::{Identity, Stack},
};

use super::ids;
use crate::metrics::Requests;

/// Largest request. A message to a session is text; attachments are not sent through here.
pub(crate) const MAX_REQUEST: usize = 1024 * 1024;
/// Largest answer.
const MAX_RESPONSE: u32 = 16 * 1024 * 1024;
/// Calls in one batch.
const MAX_BATCH: u32 = 32;

/// Puts the counting of requests around the library's dispatch.
#[derive(Clone)]
struct Counting(Arc<HashSet<&'static str>>);

impl<S> Layer<S> for Counting {
    type Service = Requests<S>;

    fn layer(&self, inner: S) -> Requests<S> {
        Requests::new(inner, Arc::clone(&self.0))
    }
}

/// Answers messages.
#[derive(Clone)]
pub(crate) struct Protocol {
    service: TowerService<Stack<Counting, Identity>, Identity>,
    /// The library wants to be stopped; we end its callers instead, and keep the handle so that it goes on until then.
    _handle: ServerHandle,
}

impl Protocol {
    pub(crate) fn new(methods: impl Into<Methods>) -> Self {
        let config = ServerConfig::builder()
            .max_request_body_size(u32::try_from(MAX_REQUEST).unwrap_or(u32::MAX))
            .max_response_body_size(MAX_RESPONSE)
            .set_batch_request_config(BatchRequestConfig::Limit(MAX_BATCH))
            // The door counts connections; to the library every message is one.
            .max_connections(u32::MAX)
            .http_only()
            .build();
        let (stop, handle) = stop_channel();
        let methods: Methods = methods.into();
        let counting = Counting(Arc::new(methods.method_names().collect()));
        let service = jsonrpsee_server::Server::builder()
            .set_config(config)
            .set_rpc_middleware(RpcServiceBuilder::new().layer(counting))
            .to_service_builder()
            .build(methods, stop);
        Self { service, _handle: handle }
    }

    /// Answers a message; nothing when it was a notification.
    ///
    /// Cancel-safe: what the message asked for and was accepted goes on.
    pub(crate) async fn answer(&self, message: Bytes) -> Option<Bytes> {
        let (message, ids) = ids::carried(message);
        let answered = match self.ask(message.clone()).await {
            Ok(answered) => answered,
            Err(error) => {
                tracing::error!(error = %format!("{error:#}"), "a message could not be answered");
                Bytes::from_static(
                    br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32603,"message":"Internal error"}}"#,
                )
            }
        };
        // The library answers a notification with nothing, or with null.
        let is_answer = !answered.is_empty() && &answered[..] != b"null";
        is_answer.then(|| ids.back(with_wire(&message, &answered).map_or(answered, Bytes::from)))
    }

    async fn ask(&self, message: Bytes) -> anyhow::Result<Bytes> {
        let request = axum::http::Request::post("/")
            .header("content-type", "application/json")
            .body(Body::from(message))
            .context("a message is no request")?;
        let answered = self.service.clone().call(request).await.map_err(anyhow::Error::from_boxed)?;
        Ok(to_bytes(Body::new(answered.into_body()), usize::MAX).await?)
    }
}

#[derive(Deserialize, Serialize)]
struct Answer<'a> {
    #[serde(borrow)]
    jsonrpc: &'a RawValue,
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    result: Option<&'a RawValue>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    error: Option<Failed<'a>>,
}

#[derive(Deserialize, Serialize)]
struct Failed<'a> {
    code: i32,
    message: String,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

/// The answer with the wire form in every error, or nothing when it is right as it is.
///
/// JSON that is no call without an id is unreadable to the library; the standard calls it an invalid request.
fn with_wire(message: &[u8], answered: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(answered).ok()?;
    if text.starts_with('[') {
        let answers: Vec<Answer<'_>> = serde_json::from_str(text).ok()?;
        let wires: Vec<_> = answers.iter().map(wire_of).collect();
        let answers: Vec<_> =
            answers.into_iter().zip(&wires).map(|(answer, wire)| filled(answer, wire)).collect();
        serde_json::to_vec(&answers).ok()
    } else {
        let mut answer: Answer<'_> = serde_json::from_str(text).ok()?;
        if let Some(error) = answer.error.as_mut().filter(|error| error.code == -32700)
            && serde_json::from_slice::<IgnoredAny>(message).is_ok()
        {
            (error.code, error.message) = (-32600, "Invalid request".to_owned());
        }
        let wire = wire_of(&answer)?;
        serde_json::to_vec(&filled(answer, &Some(wire))).ok()
    }
}

fn filled<'a>(mut answer: Answer<'a>, wire: &'a Option<Box<RawValue>>) -> Answer<'a> {
    if let (Some(error), Some(wire)) = (&mut answer.error, wire) {
        error.data = Some(wire);
    }
    answer
}

/// The wire form that an error lacks. What the library says in `data` is a sentence and goes into the message.
fn wire_of(answer: &Answer<'_>) -> Option<Box<RawValue>> {
    let error = answer.error.as_ref()?;
    let said = match error.data {
        Some(data) if data.get().starts_with('{') => return None,
        Some(data) => serde_json::from_str::<String>(data.get()).ok(),
        None => None,
    };
    let mut message = format!("{}: {}", error.message, meaning(error.code));
    if let Some(said) = said {
        message = format!("{message} ({said})");
    }
    let mut wire = Wire::new(code(error.code), message);
    // The method ran, or may have.
    if matches!(error.code, -32603 | -32008 | -32011) {
        wire.effect = Effect::Possible;
    }
    serde_json::value::to_raw_value(&wire).ok()
}

/// The numbers of JSON-RPC, and the library's own for what is too large.
pub(crate) fn code(number: i32) -> Code {
    match number {
        -32601 => Local::Config.into(),
        -32603 => Local::Bug.into(),
        -32007 | -32008 | -32010 | -32011 => Request::PayloadTooLarge.into(),
        _ => Request::Format.into(),
    }
}

fn meaning(number: i32) -> &'static str {
    match number {
        -32700 => "the message is not JSON; nothing was done",
        -32601 => "this gateway has no method of that name; rpc.discover lists them",
        -32603 => "the gateway failed, and its log says how",
        -32602 => "the parameters do not fit the method; rpc.discover shows its schema",
        -32008 => "the answer would be larger than 16 MiB; ask for less",
        -32010 => "at most 32 calls make a batch; nothing was done",
        -32011 => "the answers of the batch would be larger than 16 MiB together; ask for less",
        _ => {
            "the message is not a call of JSON-RPC 2.0: \"jsonrpc\", \"id\" and \"method\" are needed; nothing was done"
        }
    }
}
