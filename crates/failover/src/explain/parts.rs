//! The parts of a foreign error that a signal is made of, taken out of JSON.
//!
//! Names of fields vary by program and client library, so a few spellings of each are known. What is left over and can
//! hold an answer (a body, a response, an inner error) is handed to the classifier as one body.

use moorline_taxonomy::{Cause, WireCode, foreign};
use serde_json::{Map, Value};

use crate::signal::{Provenance, Signal};

/// Causes listed of one error.
const MAX_CAUSES: usize = 32;
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

    fn of_object(fields: &Map<String, Value>, leave_out: &[&str]) -> Self {
        let text = |names: &[&str]| names.iter().find_map(|name| fields.get(*name).and_then(Value::as_str));
        let response = fields.get("response").and_then(Value::as_object);
        let status = ["status", "statusCode", "status_code", "httpStatus", "http_status", "httpStatusCode"];
        let number = |fields: &Map<String, Value>| status.iter().find_map(|name| number(fields.get(*name)?));
        let body: Map<String, Value> = ANSWERS
            .iter()
            .filter(|name| !leave_out.contains(name))
            .filter_map(|name| Some(((*name).to_owned(), fields.get(*name)?.clone())))
            .filter(|(_, value)| !value.is_null())
            .collect();
        let code =
            ["code", "errorCode", "error_code", "errcode"].iter().find_map(|name| word(fields.get(*name)?));
        Self {
            status: number(fields)
                .or_else(|| response.and_then(number))
                .and_then(|number| u16::try_from(number).ok()),
            provider: text(&["provider", "llm_provider", "providerId", "provider_id", "vendor"])
                .map(str::to_owned)
                .or_else(|| text(&["model"])?.split_once('/').map(|(provider, _)| provider.to_owned())),
            code,
            // A status that is a word, a type, a flat reason and at last the error's name say what kind it is.
            kind: text(&["type", "errorType", "error_type", "__type"])
                .or_else(|| text(&["status"]).filter(|status| status.parse::<u16>().is_err()))
                .or_else(|| text(&["reason"]))
                .or_else(|| text(&["name"]).filter(|name| !says_nothing(name)))
                .map(str::to_owned),
            message: text(&[
                "message",
                "text",
                "msg",
                "errorMessage",
                "error_message",
                "error_msg",
                "status_msg",
            ])
            .map(str::to_owned),
            headers: ["headers", "responseHeaders", "response_headers"]
                .iter()
                .find_map(|name| fields.get(*name))
                .or_else(|| response.and_then(|response| response.get("headers")))
                .map(headers)
                .unwrap_or_default(),
            body: match (body.len(), body.get("body").and_then(Value::as_str)) {
                (0, _) => None,
                // The usual case: the body is text, and is read as it came.
                (1, Some(text)) => Some(text.to_owned()),
                (_, _) => Some(Value::Object(body).to_string()),
            },
        }
    }

    /// Takes the provider's name from the outermost error where the layer does not say it.
    pub(crate) fn or_provider_of(mut self, outermost: &Value) -> Self {
        if self.provider.is_none() {
            self.provider = Self::of(outermost).provider;
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
        let Some(rest) = self.text().strip_prefix("All ") else { return Vec::new() };
        let Some((_, list)) = rest.split_once(" failed (").and_then(|(_, rest)| rest.split_once("): "))
        else {
            return Vec::new();
        };
        list.split(" | ")
            .filter_map(|part| {
                let (candidate, text) = part.split_once(": ")?;
                Some(Self {
                    provider: Some(candidate.split('/').next().unwrap_or(candidate).to_owned()),
                    message: Some(text.to_owned()),
                    ..Self::default()
                })
            })
            .collect()
    }
}

/// What an error says for people.
pub(crate) fn message_of(value: &Value) -> String {
    let parts = Parts::of(value);
    let text = parts
        .message
        .or(parts.kind)
        .or(parts.code)
        .unwrap_or_else(|| "an error without a message".to_owned());
    cut(&text)
}

/// The errors beneath, outermost first. Each carries a code where the taxonomy recognises it.
pub(crate) fn causes(value: &Value) -> Vec<Cause> {
    let mut found = Vec::new();
    let mut waiting: Vec<&Value> = beneath(value);
    waiting.reverse();
    while let Some(next) = waiting.pop() {
        if found.len() == MAX_CAUSES {
            break;
        }
        let code = match foreign::read(next) {
            foreign::Reading::Ours(found) => Some(WireCode::Known(found.code)),
            foreign::Reading::Provider { .. } | foreign::Reading::Unknown => None,
        };
        let text = Parts::of(next).message;
        if code.is_some() || text.is_some() {
            found.push(Cause { code, message: text.as_deref().map(cut).unwrap_or_default() });
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

fn cut(text: &str) -> String {
    text.char_indices()
        .take_while(|(at, character)| at + character.len_utf8() <= MAX_MESSAGE)
        .map(|(_, character)| character)
        .collect()
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
