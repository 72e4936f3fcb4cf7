//! The table of methods: each is registered and described in one call, so that the document cannot know another set of
//! methods than the server.
//!
//! Schemas are derived from the very types that parameters are read into. Two parameters belong to every call that changes
//! something and are handled here once: `idempotencyKey` (what repeats gets the same answer) and `timeoutMs` (the caller's
//! deadline). The calls that keep their keys in files, across restarts, bring both themselves.

use std::{borrow::Cow, future::Future, sync::Arc, time::Duration};

use jsonrpsee_core::server::RpcModule;
use jsonrpsee_server::types::{ErrorObjectOwned, Params};
use moorline_taxonomy::{Coordination, Effect, Request, Wire};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings, json_schema};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{answers::Answers, openrpc};
use crate::{
    engine::Engine,
    exit::{self, Exit, Failure},
};

/// The JSON-RPC code of every error of ours; the class is in `error.data.code`.
const APPLICATION_ERROR: i32 = -32000;
/// JSON-RPC's own code for parameters that cannot be read.
const INVALID_PARAMS: i32 = -32602;
/// Longest idempotency key.
const MAX_KEY: usize = 256;

pub(super) type Answer = Result<Value, ErrorObjectOwned>;

/// What the document says of a method.
pub(super) struct Described {
    pub(super) name: &'static str,
    pub(super) summary: &'static str,
    pub(super) params: Schema,
    pub(super) result: Schema,
    /// Parameters that the server accepts.
    pub(super) example: Value,
}

/// What a method does with its parameters, stated once for all of them.
pub(super) trait Does<P>: Fn(Arc<Engine>, P) -> Self::Doing + Clone + Send + Sync + 'static {
    type Doing: Future<Output = anyhow::Result<Value>> + Send + 'static;
}

impl<P, F, Doing> Does<P> for F
where
    F: Fn(Arc<Engine>, P) -> Doing + Clone + Send + Sync + 'static,
    Doing: Future<Output = anyhow::Result<Value>> + Send + 'static,
{
    type Doing = Doing;
}

/// The methods, while they are registered.
pub(super) struct Api {
    module: RpcModule<Arc<Engine>>,
    described: Vec<Described>,
    schemas: SchemaGenerator,
    answers: Arc<Answers>,
}

impl Api {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        let settings = SchemaSettings::draft07().with(|settings| {
            settings.definitions_path = Cow::Borrowed("/components/schemas");
            settings.meta_schema = None;
        });
        Self {
            module: RpcModule::new(engine),
            described: Vec::new(),
            schemas: settings.into_generator(),
            answers: Arc::new(Answers::default()),
        }
    }

    /// A method that changes nothing, or that keeps its idempotency keys itself.
    pub(super) fn method<P, R, F>(
        &mut self,
        name: &'static str,
        summary: &'static str,
        example: Value,
        call: F,
    ) -> anyhow::Result<()>
    where
        P: DeserializeOwned + JsonSchema + Send,
        R: JsonSchema,
        F: Does<P>,
    {
        let params = P::json_schema(&mut self.schemas);
        self.describe::<R>(name, summary, example, params);
        self.module.register_async_method(name, move |params, engine, _| {
            let call = call.clone();
            async move {
                let params = named(&params).and_then(|fields| read::<P>(Value::Object(fields)));
                match params {
                    Ok(params) => answer(call(Arc::clone(&engine), params).await),
                    Err(bad) => Err(bad),
                }
            }
        })?;
        Ok(())
    }

    /// A method that changes something: it takes `idempotencyKey` and `timeoutMs` besides its own parameters.
    pub(super) fn change<P, R, F>(
        &mut self,
        name: &'static str,
        summary: &'static str,
        example: Value,
        call: F,
    ) -> anyhow::Result<()>
    where
        P: DeserializeOwned + JsonSchema + Send,
        R: JsonSchema,
        F: Does<P>,
    {
        let mut params = P::json_schema(&mut self.schemas);
        let fields = params.ensure_object().entry("properties").or_insert_with(|| json!({}));
        fields["idempotencyKey"] = json!({
            "description": "The same key is the same request: what repeats gets the same answer.",
            "type": "string", "minLength": 1, "maxLength": MAX_KEY,
        });
        fields["timeoutMs"] = json!({
            "description": "How long the caller waits, in milliseconds.", "type": "integer", "minimum": 0,
        });
        self.describe::<R>(name, summary, example, params);
        let answers = Arc::clone(&self.answers);
        self.module.register_async_method(name, move |params, engine, _| {
            let (call, answers) = (call.clone(), Arc::clone(&answers));
            async move {
                let mut fields = named(&params)?;
                let key = key(fields.remove("idempotencyKey"))?;
                let deadline = deadline(fields.remove("timeoutMs"))?;
                let asked = Value::Object(fields);
                let params: P = read(asked.clone())?;
                let doing = async {
                    let call = call(Arc::clone(&engine), params);
                    match key {
                        Some(key) => answers.once(name, &key, asked, call).await,
                        None => call.await,
                    }
                };
                answer(match deadline {
                    Some(deadline) => {
                        tokio::time::timeout(deadline, doing).await.unwrap_or_else(|_| Err(too_late(name)))
                    }
                    None => doing.await,
                })
            }
        })?;
        Ok(())
    }

    /// A call that only a WebSocket answers: the socket takes it, and over HTTP it says so.
    pub(super) fn on_sockets<P: JsonSchema, R: JsonSchema>(
        &mut self,
        name: &'static str,
        summary: &'static str,
        example: Value,
        refusal: fn() -> ErrorObjectOwned,
    ) -> anyhow::Result<()> {
        let params = P::json_schema(&mut self.schemas);
        self.describe::<R>(name, summary, example, params);
        self.module.register_method(name, move |_, _, _| Answer::Err(refusal()))?;
        Ok(())
    }

    /// The methods with the document that describes them, which is itself the answer of the last one.
    pub(super) fn finish(mut self) -> anyhow::Result<(RpcModule<Arc<Engine>>, Arc<Value>)> {
        let none = json_schema!({"type": "object", "properties": {}});
        let summary = "This document.";
        self.describe::<Map<String, Value>>("rpc.discover", summary, json!({}), none);
        let document = Arc::new(openrpc::document(&self.described, self.schemas.take_definitions(true)));
        let answered = Arc::clone(&document);
        self.module.register_method("rpc.discover", move |_, _, _| Answer::Ok(Value::clone(&answered)))?;
        Ok((self.module, document))
    }

    fn describe<R: JsonSchema>(
        &mut self,
        name: &'static str,
        summary: &'static str,
        example: Value,
        params: Schema,
    ) {
        let result = R::json_schema(&mut self.schemas);
        self.described.push(Described { name, summary, params, result, example });
    }
}

/// The parameters by name. None at all is an empty object to every method.
fn named(params: &Params<'_>) -> Result<Map<String, Value>, ErrorObjectOwned> {
    match serde_json::from_str(params.as_str().unwrap_or("{}")) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(bad("they are given by name, as an object")),
        Err(error) => Err(bad(&error.to_string())),
    }
}

fn read<T: DeserializeOwned>(fields: Value) -> Result<T, ErrorObjectOwned> {
    serde_path_to_error::deserialize(fields).map_err(|error| match error.path().to_string().as_str() {
        // Of the whole: a key that is missing or not known, which the message names.
        "." => bad(&error.inner().to_string()),
        place => bad(&format!("`{place}`: {}", error.inner())),
    })
}

fn key(given: Option<Value>) -> Result<Option<String>, ErrorObjectOwned> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(key)) if (1..=MAX_KEY).contains(&key.len()) => Ok(Some(key)),
        Some(_) => Err(bad("idempotencyKey is a text of 1 to 256 bytes")),
    }
}

fn deadline(given: Option<Value>) -> Result<Option<Duration>, ErrorObjectOwned> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(ms) => Ok(Some(Duration::from_millis(ms))),
            None => Err(bad("timeoutMs is a whole number of milliseconds")),
        },
    }
}

/// What a caller is told whose parameters do not fit.
pub(super) fn bad(problem: &str) -> ErrorObjectOwned {
    let why = format!("the parameters cannot be read: {problem}");
    ErrorObjectOwned::owned(INVALID_PARAMS, why.clone(), Some(Wire::new(Request::Format, why)))
}

fn too_late(name: &str) -> anyhow::Error {
    let message = format!("{name} did not end before the caller's deadline; it may have had its effect");
    Failure::new(Exit::Busy, Coordination::LaneTimeout, message).with_effect(Effect::Possible).into()
}

fn answer(result: anyhow::Result<Value>) -> Answer {
    result.map_err(|error| {
        let wire = exit::wire(&error);
        ErrorObjectOwned::owned(APPLICATION_ERROR, wire.message.clone(), Some(wire))
    })
}
