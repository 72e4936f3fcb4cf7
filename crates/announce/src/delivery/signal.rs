//! Reading a foreign delivery error into one flat signal: channel, status, codes, messages, stated delay, new address.
//!
//! Clients wrap the same answer in many shapes: fields at the top, a body as a string of JSON, an error inside an error,
//! JSON after a prefix. All of them end in the same few lists, outermost first, so that rules need to know no shape.
//! What the caller *sent* is skipped: an echoed message must not classify its own failure. Everything is bounded;
//! whoever sends a megabyte of nested arrays gets a verdict for its beginning.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{Scope, channel::Channel, text};

/// Nested values that are read.
const MOST_NODES: usize = 256;
/// Levels that are read, JSON in strings included.
const DEEPEST: usize = 8;
/// Codes and messages that are kept, each.
const MOST_KEPT: usize = 8;
/// A longer string is not looked through for JSON; errors of channels are a fraction of it.
const LONGEST_JSON: usize = 8 << 10;
/// A longer word is no code.
const LONGEST_CODE: usize = 64;
/// A stated delay beyond this is no answer to "when".
const LONGEST_DELAY: f64 = 30.0 * 24.0 * 3600.0;

/// What an error carries.
#[derive(Debug, Default)]
pub(super) struct Signal {
    pub(super) channel: Option<Channel>,
    /// The error names a channel, whether or not it has a table.
    pub(super) names_channel: bool,
    pub(super) status: Option<u16>,
    pub(super) codes: Vec<String>,
    pub(super) messages: Vec<String>,
    pub(super) retry_after: Option<Duration>,
    pub(super) scope: Option<Scope>,
    pub(super) moved_to: Option<String>,
    nodes: usize,
}

impl Signal {
    pub(super) fn read(error: &Value) -> Self {
        let mut signal = Self::default();
        if let Value::Object(map) = error {
            let name = ["channel", "provider", "platform"].iter().find_map(|key| map.get(*key)?.as_str());
            signal.names_channel = name.is_some_and(|name| !name.trim().is_empty());
            signal.channel = name.and_then(Channel::named);
        }
        signal.value("", error, 0);
        signal.read_messages();
        signal.infer_channel(error);
        signal
    }

    fn value(&mut self, key: &str, value: &Value, depth: usize) {
        self.nodes += 1;
        if self.nodes > MOST_NODES || depth > DEEPEST {
            return;
        }
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => self.word(key, &number.to_string()),
            Value::String(string) => self.string(key, string, depth),
            Value::Array(values) => {
                values.iter().take(MOST_NODES).for_each(|value| self.value(key, value, depth + 1))
            }
            Value::Object(map) => self.object(map, depth),
        }
    }

    fn object(&mut self, map: &Map<String, Value>, depth: usize) {
        for (key, value) in map {
            match key.as_str() {
                // What was sent, and what was read above.
                "request" | "params" | "input" | "prompt" | "content" | "config" | "channel" | "provider"
                | "platform" => {}
                "global" => {
                    if value == &Value::Bool(true) {
                        self.scope = Some(Scope::Global);
                    }
                }
                "headers" => self.headers(value),
                other => self.value(other, value, depth + 1),
            }
        }
    }

    fn string(&mut self, key: &str, string: &str, depth: usize) {
        if let Some(inner) = json_in(string) {
            self.value(key, &inner, depth + 1);
            // The text before embedded JSON may say more; a string that is all JSON has none.
            if string.trim_start().starts_with(['{', '[']) {
                return;
            }
        }
        self.word(key, string.trim());
    }

    /// One scalar, under the key it was found at.
    fn word(&mut self, key: &str, word: &str) {
        match key {
            "retry_after" | "retryAfter" | "retry_after_seconds" | "retryAfterSeconds" => {
                self.delay(word.parse().ok());
            }
            "retry_after_ms" | "retryAfterMs" => self.delay(word.parse().ok().map(|ms: f64| ms / 1000.0)),
            "migrate_to_chat_id" => {
                self.moved_to.get_or_insert_with(|| word.to_owned());
            }
            "status" | "statusCode" | "status_code" | "httpStatus" | "http_status" | "http_code" => {
                match word.parse::<u16>() {
                    Ok(status) => {
                        self.status = self.status.or((100..=599).contains(&status).then_some(status))
                    }
                    Err(_) => self.code(word),
                }
            }
            "code" | "error_code" | "errorCode" | "errcode" | "errno" | "type" | "name" => self.code(word),
            "" | "text" | "message" | "msg" | "description" | "detail" | "details" | "title" | "reason"
            | "error_message" | "errorMessage" | "error_user_msg" | "body" | "raw" | "cause" | "data"
            | "response" => {
                self.message(word);
            }
            "error" | "errors" => {
                self.code(word);
                self.message(word);
            }
            _ => {}
        }
    }

    fn code(&mut self, word: &str) {
        let is_code = !word.is_empty() && word.len() <= LONGEST_CODE && !word.contains(char::is_whitespace);
        if is_code && self.codes.len() < MOST_KEPT && !self.codes.iter().any(|code| code == word) {
            self.codes.push(word.to_owned());
        }
    }

    fn message(&mut self, message: &str) {
        let message = text::head(message);
        if !message.is_empty() && self.messages.len() < MOST_KEPT {
            self.messages.push(message.to_owned());
        }
    }

    fn delay(&mut self, seconds: Option<f64>) {
        if let Some(seconds) = seconds.filter(|seconds| seconds.is_finite() && *seconds >= 0.0) {
            let delay = Duration::from_secs_f64(seconds.min(LONGEST_DELAY));
            // Two places that disagree: the longer one is safe under both.
            self.retry_after = Some(self.retry_after.map_or(delay, |known| known.max(delay)));
        }
    }

    fn headers(&mut self, headers: &Value) {
        let Value::Object(headers) = headers else { return };
        for (name, value) in headers.iter().take(MOST_NODES) {
            let value = match value {
                Value::Array(values) => values.first().unwrap_or(value),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
                    value
                }
            };
            let word = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match name.to_ascii_lowercase().as_str() {
                "retry-after" | "x-ratelimit-reset-after" => self.delay(word.trim().parse().ok()),
                "x-ratelimit-global" if word.trim() == "true" => self.scope = Some(Scope::Global),
                "x-ratelimit-scope" => match word.trim() {
                    "global" => self.scope = Some(Scope::Global),
                    "shared" => self.scope = Some(Scope::Chat),
                    "user" => self.scope = self.scope.or(Some(Scope::Bot)),
                    _ => {}
                },
                _ => {}
            }
        }
    }

    /// What only a text carries: marked codes, a status, a delay, a new address.
    fn read_messages(&mut self) {
        let messages = std::mem::take(&mut self.messages);
        for message in &messages {
            text::marked_numbers(message).for_each(|number| self.code(number));
            self.status = self.status.or_else(|| text::status(message));
            if self.retry_after.is_none() {
                self.delay(text::retry_after(message));
            }
            if let Some((_, id)) = message.split_once("migrated to a supergroup with ID #") {
                self.moved_to
                    .get_or_insert_with(|| id.chars().take_while(|next| !next.is_whitespace()).collect());
            }
        }
        self.messages = messages;
        // Telegram's `error_code` and many a `code` repeat the status.
        if self.status.is_none() {
            let statuses = self.codes.iter().filter_map(|code| code.parse().ok());
            self.status = statuses.into_iter().find(|status| (400..=599).contains(status));
        }
    }

    /// The channel of an error that does not name one, by the shape that only this channel answers in.
    fn infer_channel(&mut self, error: &Value) {
        if self.names_channel {
            return;
        }
        let has = |key: &str| {
            error.get(key).is_some() || error.get("body").is_some_and(|body| body.get(key).is_some())
        };
        self.channel =
            if self.codes.iter().any(|code| code.starts_with("M_") || code.starts_with("ORG_MATRIX_")) {
                Some(Channel::Matrix)
            } else if has("error_code") && has("description") {
                Some(Channel::Telegram)
            } else if self.messages.iter().any(|message| message.starts_with("DiscordAPIError")) {
                Some(Channel::Discord)
            } else if self.messages.iter().any(|message| message.starts_with("(#")) || has("fbtrace_id") {
                Some(Channel::WhatsApp)
            } else if has("ok") && has("error") {
                Some(Channel::Slack)
            } else {
                None
            };
    }
}

/// The JSON object or array in a string: all of it, or from the first brace on.
fn json_in(string: &str) -> Option<Value> {
    if string.len() > LONGEST_JSON {
        return None;
    }
    let start = string.find(['{', '['])?;
    let end = string.rfind(['}', ']'])?;
    let inner = string.get(start..=end)?;
    // Serde's own limit of depth protects the parser.
    let value: Value = serde_json::from_str(inner).ok()?;
    // `[403]` in a text is no body.
    value.as_object().is_some_and(|map| !map.is_empty()).then_some(value)
}
