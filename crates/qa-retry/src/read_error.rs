//! From an error object, ours or somebody else's, to the wire form.
//!
//! The decision: the taxonomy's reader says what the error *is*, so that every wrapping is treated alike and a provider's
//! answer outside a lock error wins; a wire form that agrees with it adds the details (owner, path, waited). The option
//! not taken is to believe the first `code` that is met: an HTTP 429 whose cause was a lock would be retried.
//!
//! What must stay true: an RPC error says the same thing twice, as text in `message` and typed in `data`. The text never
//! outranks the typed form; it may quote anything.

use moorline_taxonomy::{
    Domain, Local, Provider, Wire, WireCode,
    foreign::{Evidence, Found, Reading, read},
};
use serde_json::Value;

/// Reads the error object of an RPC answer, or any other error value, into the wire form.
///
/// ```
/// use moorline_qa_retry::{read_error, verdict};
/// use moorline_taxonomy::QaVerdict;
/// use serde_json::json;
/// let wrapped = json!({ "code": -32000, "message": "failed", "data": { "cause": { "code": "file_lock_stale" } } });
/// assert_eq!(read_error(&wrapped).code.to_string(), "coordination.lock_stale");
/// assert_eq!(verdict(&read_error(&wrapped)), QaVerdict::Retry);
/// let answered = json!({ "status": 429, "provider": "acme", "cause": wrapped });
/// assert_eq!(verdict(&read_error(&answered)), QaVerdict::Fail);
/// ```
#[must_use]
pub fn read_error(error: &Value) -> Wire {
    let (error, reading) = match (read(error), error.get("data").filter(|data| is_wire_form(data))) {
        (Reading::Ours(Found { evidence: Evidence::Text, .. }), Some(data)) => (data, read(data)),
        (reading, _) => (error, reading),
    };
    match reading {
        Reading::Ours(found) => ours(error, &found),
        // Which provider error it is, is for failover to say; here it only must not be retried.
        Reading::Provider { .. } => {
            let wire = wire_form(error).filter(|wire| wire.domain == Domain::Provider.as_str());
            wire.unwrap_or_else(|| Wire::new(Provider::Unknown, message(error)))
        }
        // A newer version's code stays what it is, and is not retried.
        Reading::Unknown => wire_form(error)
            .filter(|wire| matches!(wire.code, WireCode::Other(_)))
            .unwrap_or_else(|| Wire::new(Local::Unclassified, message(error))),
    }
}

fn ours(error: &Value, found: &Found) -> Wire {
    let whole = wire_form(error).filter(|wire| wire.code.known() == Some(found.code));
    whole.unwrap_or_else(|| {
        let mut wire = Wire::new(found.code, message(error));
        wire.effect = found.effect;
        wire.retry_after_ms =
            found.retry_after.map(|delay| u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
        wire
    })
}

/// The wire form in `data`, where RPC errors have it, or the value itself.
fn wire_form(error: &Value) -> Option<Wire> {
    let ours = |value: &&Value| is_wire_form(value);
    let value = error.get("data").filter(ours).or_else(|| Some(error).filter(ours))?;
    serde_json::from_value(value.clone()).ok()
}

/// `domain` is always written, and tells our form from an object of somebody else with a `code`.
fn is_wire_form(value: &Value) -> bool {
    value.get("code").is_some_and(Value::is_string) && value.get("domain").is_some_and(Value::is_string)
}

fn message(error: &Value) -> String {
    let text = error.get("message").or_else(|| error.get("data")?.get("message")).unwrap_or(error);
    text.as_str().map_or_else(|| text.to_string(), str::to_owned)
}
