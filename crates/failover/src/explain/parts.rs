//! The parts of a foreign error that a signal is made of, taken out of JSON.
//!
//! Names of fields vary by program and client library, so a few spellings of each are known. What is left over and can
//! hold an answer (a body, a response, an inner error) is handed to the classifier as one body.

use moorline_taxonomy::{Cause, WireCode, foreign};
use serde_json::{Map, Value};

use super::answers::{Answers, head};
use crate::signal::{Provenance, Signal};

/// Causes listed of one error.
const MAX_CAUSES: usize = 32;
/// Layers that are looked at for causes; most say something, so more are not needed for the causes that are listed.
const MAX_LAYERS: usize = 128;
/// Values that are looked at for the codes of causes, all together: four long chains' worth.
const MAX_VALUES: usize = 2048;
/// Bytes kept of one cause's message.
const MAX_MESSAGE: usize = 1024;

/// Fields that hold the answer or an error beneath.
const ANSWERS: &[&str] = &[
    "body",
    "responseBody",
    "response_body",
    "response",
    "data",
    "error",
    "errors",
    "detail",
    "details",
    "raw",
    "metadata",
    "lastError",
    "cause",
    "error_details",
    "errorDetails",
    "base_resp",
    "Response",
];
/// Fields that hold what happened before.
const CAUSES: &[&str] = &[
    "cause",
    "source",
    "error",
    "reason",
    "errors",
    "reasons",
    "inner",
    "originalError",
    "suppressed",
    "lastError",
];

/// Fields that hold a text.
const MESSAGES: &[&str] =
    &["message", "text", "msg", "errorMessage", "error_message", "error_msg", "status_msg"];

/// An owned signal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    status: Option<u16>,
    provider: Option<String>,
    code: Option<String>,
    kind: Option<String>,
    message: Option<String>,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

impl Parts {
    /// The parts of one layer: an object, or a text.
    pub(crate) fn of(layer: &Value) -> Self {
        match layer {
            Value::Object(fields) => Self::of_object(fields, &[]),
            Value::String(text) => Self { message: Some(text.clone()), ..Self::default() },
            Value::Array(_) => Self { body: Some(layer.to_string()), ..Self::default() },
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::default(),
        }
    }

    fn of_object(fields: &Map<String, Value>, leave_out: &'static [&'static str]) -> Self {
        let text = |names: &[&str]| names.iter().find_map(|name| fields.get(*name).and_then(Value::as_str));
        let response = fields.get("response").and_then(Value::as_object);
        let status = ["status", "statusCode", "status_code", "httpStatus", "http_status", "httpStatusCode"];
        let number = |fields: &Map<String, Value>| status.iter().find_map(|name| number(fields.get(*name)?));
        let code =
            ["code", "errorCode", "error_code", "errcode"].iter().find_map(|name| word(fields.get(*name)?));
        Self {
            status: number(fields)
                .or_else(|| response.and_then(number))
                .and_then(|number| u16::try_from(number).ok()),
            provider: provider(fields),
            code,
            // A status that is a word, a type, a flat reason and at last the error's name say what kind it is.
            kind: text(&["type", "errorType", "error_type", "__type"])
                .or_else(|| text(&["status"]).filter(|status| status.parse::<u16>().is_err()))
                .or_else(|| text(&["reason"]))
                .or_else(|| text(&["name"]).filter(|name| !says_nothing(name)))
                .map(str::to_owned),
            message: text(MESSAGES).map(str::to_owned),
            headers: ["headers", "responseHeaders", "response_headers"]
                .iter()
                .find_map(|name| fields.get(*name))
                .or_else(|| response.and_then(|response| response.get("headers")))
                .map(headers)
                .unwrap_or_default(),
            body: Answers { fields, names: ANSWERS, leave_out }.body(),
        }
    }

    /// Takes the provider's name from the outermost error where the layer does not say it.
    pub(crate) fn or_provider_of(mut self, outermost: &Value) -> Self {
        if self.provider.is_none() {
            self.provider = outermost.as_object().and_then(provider);
        }
        self
    }

    /// The parts of `layer` again, without the errors beneath it: they are known to be somebody else's.
    pub(crate) fn without_causes(self, layer: &Value) -> Self {
        match layer {
            Value::Object(fields) => Self { provider: self.provider, ..Self::of_object(fields, CAUSES) },
            Value::String(_) | Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => self,
        }
    }

    /// Builds the signal and hands it on.
    pub(crate) fn with_signal<T>(&self, provenance: Provenance, use_it: impl FnOnce(&Signal<'_>) -> T) -> T {
        let headers: Vec<(&str, &str)> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        use_it(&Signal {
            status: self.status,
            headers: &headers,
            provider: self.provider.as_deref(),
            code: self.code.as_deref(),
            kind: self.kind.as_deref(),
            message: self.message.as_deref(),
            body: self.body.as_deref().map(str::as_bytes),
            transport: None,
            provenance,
        })
    }

    /// The message, or nothing.
    pub(crate) fn text(&self) -> &str {
        self.message.as_deref().unwrap_or("")
    }

    /// The candidates of a summary (`All models failed (2): a/b: why | c/d: why`), each with its own provider and text.
    pub(crate) fn summary(&self) -> Vec<Self> {
        summary(self.text())
    }
}

/// The same of a text.
pub(crate) fn summary(text: &str) -> Vec<Parts> {
    let Some(rest) = text.strip_prefix("All ") else { return Vec::new() };
    let Some((_, list)) = rest.split_once(" failed (").and_then(|(_, rest)| rest.split_once("): ")) else {
        return Vec::new();
    };
    list.split(" | ")
        .filter_map(|part| {
            let (candidate, text) = part.split_once(": ")?;
            Some(Parts {
                provider: Some(candidate.split('/').next().unwrap_or(candidate).to_owned()),
                message: Some(text.to_owned()),
                ..Parts::default()
            })
        })
        .collect()
}

/// What an error says for people.
pub(crate) fn message_of(value: &Value) -> String {
    if let Some(text) = text_of(value) {
        return head(text, MAX_MESSAGE).to_owned();
    }
    let parts = Parts::of(value);
    let text = parts.kind.or(parts.code).unwrap_or_else(|| "an error without a message".to_owned());
    head(&text, MAX_MESSAGE).to_owned()
}

/// The text of an error, and nothing else of it.
pub(crate) fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::Object(fields) => MESSAGES.iter().find_map(|name| fields.get(*name)?.as_str()),
        Value::String(text) => Some(text),
        Value::Array(_) | Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn provider(fields: &Map<String, Value>) -> Option<String> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let named =
        ["provider", "llm_provider", "providerId", "provider_id", "vendor"].into_iter().find_map(text);
    named.or_else(|| text("model")?.split_once('/').map(|(provider, _)| provider)).map(str::to_owned)
}

/// The errors beneath, outermost first. Each carries a code where the taxonomy recognises it.
pub(crate) fn causes(value: &Value) -> Vec<Cause> {
    causes_within(value, &mut Budget::default())
}

/// What may still be looked at. A chain of causes is read again from each of its layers, since each says its own code; the
/// budget is what keeps a chain of a thousand from costing a million.
struct Budget {
    layers: usize,
    values: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { layers: MAX_LAYERS, values: MAX_VALUES }
    }
}

fn causes_within(value: &Value, budget: &mut Budget) -> Vec<Cause> {
    let mut found = Vec::new();
    let mut waiting: Vec<&Value> = beneath(value);
    waiting.reverse();
    while let Some(next) = waiting.pop() {
        if found.len() == MAX_CAUSES || budget.layers == 0 {
            break;
        }
        budget.layers -= 1;
        let code = match foreign::read_within(next, &mut budget.values) {
            foreign::Reading::Ours(found) => Some(WireCode::Known(found.code)),
            foreign::Reading::Provider { .. } | foreign::Reading::Unknown => None,
        };
        let text = text_of(next);
        if code.is_some() || text.is_some() {
            found.push(Cause { code, message: head(text.unwrap_or_default(), MAX_MESSAGE).to_owned() });
        }
        let mut more = beneath(next);
        more.reverse();
        waiting.extend(more);
    }
    found
}

fn beneath(value: &Value) -> Vec<&Value> {
    let Value::Object(fields) = value else { return Vec::new() };
    CAUSES
        .iter()
        .filter_map(|name| fields.get(*name))
        .flat_map(|value| match value {
            Value::Array(many) => many.iter().take(MAX_CAUSES).collect(),
            Value::Object(_) => vec![value],
            Value::String(text) if text.contains(' ') => vec![value],
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
        })
        .collect()
}

/// Names that clients give to every failed call.
fn says_nothing(name: &str) -> bool {
    matches!(
        name,
        "Error"
            | "APIError"
            | "ApiError"
            | "APIStatusError"
            | "AI_APICallError"
            | "AI_RetryError"
            | "FailoverError"
    )
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn headers(value: &Value) -> Vec<(String, String)> {
    let pair = |name: &str, value: &Value| {
        let value = match value {
            Value::Array(many) => many.first().and_then(word),
            Value::String(_) | Value::Number(_) | Value::Null | Value::Bool(_) | Value::Object(_) => {
                word(value)
            }
        };
        value.map(|value| (name.to_owned(), value))
    };
    match value {
        Value::Object(fields) => fields.iter().filter_map(|(name, value)| pair(name, value)).collect(),
        // `[["retry-after", "5"], ...]`
        Value::Array(many) => many
            .iter()
            .filter_map(|item| match item.as_array().map(Vec::as_slice) {
                Some([Value::String(name), value]) => pair(name, value),
                Some(_) | None => None,
            })
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn chain(layer: fn(Value) -> Value, depth: usize) -> Value {
        (0..depth).fold(json!({"code": "file_lock_stale", "message": "leaf"}), |inner, _| layer(inner))
    }

    fn spent(value: &Value) -> (usize, usize) {
        let mut budget = Budget::default();
        let _ = causes_within(value, &mut budget);
        (MAX_LAYERS - budget.layers, MAX_VALUES - budget.values)
    }

    #[test]
    fn a_chain_three_times_as_deep_costs_no_more() {
        for layer in [
            |inner| json!({"message": "wrapped", "cause": inner}),
            // Layers that say nothing are no causes, and are looked at all the same.
            |inner| json!({"error": inner}),
            |inner| json!({"errors": [inner, {"source": 1}]}),
        ] {
            let deep = spent(&chain(layer, 200));
            assert_eq!(spent(&chain(layer, 600)), deep);
            assert!(deep.0 <= MAX_LAYERS && deep.1 <= MAX_VALUES, "{deep:?}");
        }
    }

    #[test]
    fn the_causes_of_a_usual_chain_all_carry_their_code() {
        let found = causes(&chain(|inner| json!({"message": "wrapped", "cause": inner}), 30));
        assert_eq!(found.len(), 30);
        assert!(found.iter().all(|cause| cause.code.is_some()));
    }
}
