//! The OpenRPC document: what the table of methods says, in the form that tools read.

use std::sync::Arc;

use axum::{Json, Router, routing::get};
use schemars::Schema;
use serde_json::{Map, Value, json};

use super::api::Described;

/// Version of the specification.
const OPENRPC: &str = "1.3.2";

/// Serves the document, behind the token.
pub(crate) fn routes(document: Arc<Value>) -> Router {
    Router::new().route("/openrpc.json", get(async move || Json(Value::clone(&document))))
}

/// The document of these methods; `schemas` are those that they share.
pub(super) fn document(methods: &[Described], mut schemas: Map<String, Value>) -> Value {
    schemas.insert("WireError".to_owned(), wire());
    json!({
        "openrpc": OPENRPC,
        "info": {
            "title": "Moorline gateway",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "JSON-RPC 2.0 by POST and over WebSocket at / and /rpc. Parameters are given by name. Every error carries its wire form in error.data.",
        },
        "methods": methods.iter().map(method).collect::<Vec<_>>(),
        "components": { "schemas": schemas },
    })
}

fn method(method: &Described) -> Value {
    let fields = method.params.get("properties").and_then(Value::as_object);
    let required = method.params.get("required").and_then(Value::as_array);
    let params: Vec<Value> = fields
        .into_iter()
        .flatten()
        .map(|(name, schema)| {
            let needed = required.is_some_and(|required| required.iter().any(|field| field == name));
            json!({"name": name, "required": needed, "schema": schema})
        })
        .collect();
    let given = method.example.as_object().into_iter().flatten();
    json!({
        "name": method.name,
        "summary": method.summary,
        "paramStructure": "by-name",
        "params": params,
        "result": { "name": "result", "schema": without_title(&method.result) },
        "errors": [{ "code": -32000, "message": "see data", "data": { "$ref": "#/components/schemas/WireError" } }],
        "examples": [{
            "name": "example",
            "params": given.map(|(name, value)| json!({"name": name, "value": value})).collect::<Vec<_>>(),
        }],
    })
}

fn without_title(schema: &Schema) -> Value {
    let mut schema = schema.clone();
    schema.remove("title");
    schema.to_value()
}

/// The wire form of an error. Its one definition is in the taxonomy, which knows no schemas.
fn wire() -> Value {
    let optional = |of: &str| json!({"type": [of, "null"]});
    json!({
        "type": "object",
        "required": ["version", "code", "domain", "message", "effect"],
        "properties": {
            "version": {"type": "integer"},
            "code": {"type": "string", "description": "domain.name, as docs/taxonomy.md lists them"},
            "domain": {"type": "string"},
            "message": {"type": "string"},
            "effect": {"enum": ["none", "possible", "done"]},
            "retryAfterMs": optional("integer"),
            "owner": optional("object"),
            "lockPath": optional("string"),
            "staleReasons": {"type": "array", "items": {"type": "string"}},
            "waitedMs": optional("integer"),
            "causes": {"type": "array", "items": {"type": "object"}},
            "legacyCode": optional("string"),
        },
    })
}
