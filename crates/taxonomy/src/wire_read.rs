//! Reading the wire form, whoever wrote it.
//!
//! The decision: only `code` is required, and an optional key of the wrong kind is read as absent. A reader that refused
//! an error because its `retryAfterMs` is a fraction would replace a typed error by an unreadable one. The option not
//! taken is the derived reader, which is exactly that strict.
//!
//! What must stay true: what this crate writes reads back equal; an effect that this version does not know is read as
//! *possible*, since unknown never acts; what is kept is bounded.

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::{
    Effect, Wire, WireCode,
    wire::{Cause, MAX_CAUSES, bounded},
};

#[derive(Deserialize)]
struct Raw {
    code: WireCode,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl<'de> Deserialize<'de> for Wire {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Raw::deserialize(deserializer).map(Into::into)
    }
}

impl From<Raw> for Wire {
    fn from(Raw { code, mut rest }: Raw) -> Self {
        let bare = Self::with_code(code, bounded(&text(rest.remove("message")).unwrap_or_default()));
        Self {
            version: rest
                .remove("version")
                .and_then(|version| u32::try_from(version.as_u64()?).ok())
                .unwrap_or(0),
            domain: text(rest.remove("domain")).unwrap_or(bare.domain),
            effect: text(rest.remove("effect")).as_deref().map_or(Effect::None, effect),
            retry_after_ms: rest.remove("retryAfterMs").and_then(|value| millis(&value)),
            owner: rest
                .remove("owner")
                .filter(Value::is_object)
                .and_then(|owner| serde_json::from_value(owner).ok()),
            lock_path: text(rest.remove("lockPath")),
            stale_reasons: list(rest.remove("staleReasons"))
                .filter_map(|reason| text(Some(reason)))
                .collect(),
            waited_ms: rest.remove("waitedMs").and_then(|value| millis(&value)),
            causes: list(rest.remove("causes")).filter_map(cause).take(MAX_CAUSES).collect(),
            // A code of another version may have a legacy code that this version cannot derive.
            legacy_code: text(rest.remove("legacyCode")).or(bare.legacy_code),
            code: bare.code,
            message: bare.message,
        }
    }
}

/// Milliseconds; a fraction is rounded up, since a wait that is too short is worse than one that is too long.
pub(crate) fn millis(value: &Value) -> Option<u64> {
    let fraction = || value.as_f64().filter(|millis| millis.is_finite() && *millis >= 0.0);
    // The cast saturates, which is what a delay beyond all clocks should do.
    value.as_u64().or_else(|| fraction().map(|millis| millis.ceil() as u64))
}

/// The effect that a word states; one that this version does not know is *possible*.
pub(crate) fn effect(word: &str) -> Effect {
    Effect::ALL.into_iter().find(|effect| effect.as_str() == word).unwrap_or(Effect::Possible)
}

fn text(value: Option<Value>) -> Option<String> {
    match value {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

fn list(value: Option<Value>) -> impl Iterator<Item = Value> {
    let items = match value {
        Some(Value::Array(items)) => items,
        _ => Vec::new(),
    };
    items.into_iter()
}

fn cause(value: Value) -> Option<Cause> {
    let cause: Cause = serde_json::from_value(value).ok()?;
    Some(Cause { message: bounded(&cause.message), ..cause })
}
