//! One object of an error: its own facts, read in one pass over its keys.
//!
//! The decision: facts are borrowed and few; nothing is judged here. The option not taken is deserialising into a struct,
//! which would fail on the first field of an unexpected kind.
//!
//! What must stay true: a field of a kind that errors do not have it in says nothing and stops nothing; what a layer
//! carries is named, not looked into.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    evidence,
    keys::{Carrier, Key, key},
};
use crate::{Effect, wire_read};

/// Names, codes and texts kept of one layer: a layer has one of each, and sometimes an alias or two.
const KEPT: usize = 4;
/// Keys looked at in one layer. An error has under thirty.
const MAX_KEYS: usize = 256;

/// What one object says of itself.
#[derive(Debug, Default)]
pub(super) struct Layer<'v> {
    pub(super) names: Few<'v>,
    pub(super) codes: Few<'v>,
    pub(super) messages: Few<'v>,
    /// A number in a code field.
    pub(super) code_number: Option<i64>,
    pub(super) errno: Option<i64>,
    pub(super) sqlite: Option<i64>,
    pub(super) status: Option<u16>,
    pub(super) status_word: Option<&'v str>,
    pub(super) provider: bool,
    pub(super) channel: bool,
    pub(super) url: bool,
    pub(super) response_headers: bool,
    pub(super) stack: Option<&'v str>,
    pub(super) syscall: Option<&'v str>,
    pub(super) signal: Option<&'v str>,
    pub(super) reason: Option<&'v str>,
    pub(super) lease_lost: bool,
    pub(super) domain: Option<&'v str>,
    pub(super) effect: Option<Effect>,
    pub(super) sent: bool,
    pub(super) retry_after: Option<Duration>,
    pub(super) keeps_prompt_error: bool,
    pub(super) cut: bool,
}

/// A few strings, the first ones.
#[derive(Debug, Default)]
pub(super) struct Few<'v> {
    items: [&'v str; KEPT],
    count: usize,
}

impl<'v> Few<'v> {
    fn push(&mut self, text: &'v str) {
        if let Some(slot) = self.items.get_mut(self.count).filter(|_| !text.is_empty()) {
            *slot = text;
            self.count += 1;
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'v str> {
        self.items.into_iter().take(self.count)
    }

    pub(super) fn first(&self) -> Option<&'v str> {
        self.iter().next()
    }
}

impl<'v> Layer<'v> {
    /// Reads `object`, at most `most` keys of it; what it carries is appended to `carried`.
    pub(super) fn read(
        object: &'v Map<String, Value>,
        most: usize,
        carried: &mut Vec<(Carrier, &'v Value)>,
    ) -> Self {
        let most = most.min(MAX_KEYS);
        let mut layer = Self { cut: object.len() > most, ..Self::default() };
        for (name, value) in object.iter().take(most) {
            if !value.is_null() {
                layer.field(key(name), value, carried);
            }
        }
        if layer.messages.count == 0 {
            layer.stack.into_iter().for_each(|stack| layer.messages.push(stack));
        }
        layer
    }

    fn field(&mut self, key: Key, value: &'v Value, carried: &mut Vec<(Carrier, &'v Value)>) {
        let text = value.as_str().map(str::trim);
        match key {
            Key::Name => text.into_iter().for_each(|text| self.names.push(text)),
            Key::Code => match (number(value), text) {
                (Some(number), _) => self.code_number = Some(number),
                (None, text) => text.into_iter().for_each(|text| self.codes.push(text)),
            },
            Key::Errno => match (value.as_i64(), text) {
                (Some(number), _) => self.errno = Some(number),
                (None, text) => text.into_iter().for_each(|text| self.codes.push(text)),
            },
            Key::SqliteCode => match (value.as_i64(), text) {
                (Some(number), _) => self.sqlite = Some(number),
                (None, text) => text.into_iter().for_each(|text| self.codes.push(text)),
            },
            Key::Status => match (number(value), text) {
                (Some(number), _) => self.status = evidence::http_status(number).or(self.status),
                (None, text) => self.status_word = text,
            },
            Key::Provider => {
                self.provider |= text.is_some_and(|text| !matches!(text, "" | "unknown" | "none"))
            }
            // "provider/model" names the provider.
            Key::Model => self.provider |= text.is_some_and(|text| text.contains('/')),
            Key::Channel => self.channel |= text.is_some_and(|text| !text.is_empty()),
            Key::Ok => self.channel |= value == &Value::Bool(false),
            Key::Url => self.url |= text.is_some_and(|text| text.starts_with("http")),
            Key::Headers => {
                let names = value.as_object().into_iter().flat_map(Map::keys).take(MAX_KEYS);
                self.response_headers |= names.into_iter().any(|name| evidence::is_response_header(name));
            }
            Key::Message => match value.as_str() {
                Some(text) => self.messages.push(text),
                None => carried.push((Carrier::Cause, value)),
            },
            Key::Stack => self.stack = value.as_str(),
            Key::Syscall => self.syscall = text,
            Key::Signal => self.signal = text,
            Key::StaleReasons => {
                let reasons = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
                self.lease_lost |= reasons.iter().take(MAX_KEYS).any(|reason| reason == "lease-lost");
                // What else stands in such a list may be errors: the `reasons` of several rejections.
                carried.push((Carrier::Cause, value));
            }
            Key::Domain => self.domain = text,
            Key::Effect => self.effect = text.map(wire_read::effect),
            Key::Sent => self.sent |= value == &Value::Bool(true),
            Key::RetryMillis => self.retry_after = wire_read::millis(value).map(Duration::from_millis),
            Key::RetrySeconds => {
                let seconds = value.as_f64().or_else(|| text?.parse().ok());
                let delay = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                self.retry_after = self.retry_after.or(delay);
            }
            Key::Reason => {
                self.lease_lost |= text == Some("lease-lost");
                self.reason = text;
                carried.push((Carrier::Cause, value));
            }
            Key::Response => {
                // A client's error keeps the answer it received: the status in there is this error's own.
                let status = ["status", "statusCode", "httpStatusCode"]
                    .into_iter()
                    .find_map(|name| number(value.get(name)?));
                self.status = self.status.or(status.and_then(evidence::http_status));
                carried.push((Carrier::Answer, value));
            }
            Key::Carrier(carrier) => {
                self.keeps_prompt_error |= carrier == Carrier::Prompt;
                carried.push((carrier, value));
            }
            Key::Other => {}
        }
    }
}

/// A number, or a string that is nothing but one.
fn number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}
