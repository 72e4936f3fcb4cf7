//! What a session remembers of its prompt caches, and what is to be done with it. Pure.
//!
//! A handle serves a request only if provider, model, base URL, system prompt and tools are the same; the last two are kept
//! as digests, since the entry must not repeat a prompt. The numbers are those that programs of the generation use.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{ModelRequest, ToolSpec};

/// After a failure the provider is left alone this long.
pub(super) const BACK_OFF: Duration = Duration::from_secs(10 * 60);

/// How long the provider keeps a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Retention {
    /// Five minutes, refreshed in the last 30 seconds.
    #[default]
    Short,
    /// An hour, refreshed in the last five minutes.
    Long,
}

impl Retention {
    pub(super) const fn ttl(self) -> Duration {
        match self {
            Self::Short => Duration::from_secs(300),
            Self::Long => Duration::from_secs(3600),
        }
    }

    /// A handle that ends within this time is refreshed before it is used.
    pub(super) const fn refresh_window(self) -> Duration {
        match self {
            Self::Short => Duration::from_secs(30),
            Self::Long => Duration::from_secs(300),
        }
    }
}

/// For what a handle is good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Key {
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) base_url: String,
    pub(super) system_prompt_digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tools_digest: Option<String>,
}

impl Key {
    pub(super) fn of(request: &ModelRequest, base_url: &str) -> Self {
        Self {
            provider: request.candidate.provider.clone(),
            model: request.candidate.model.clone(),
            base_url: base_url.to_owned(),
            system_prompt_digest: digest(request.system.as_bytes()),
            tools_digest: tools(&request.tools).map(|tools| digest(canonical(&tools).as_bytes())),
        }
    }
}

/// The tools as the provider takes them.
pub(super) fn tools(tools: &[ToolSpec]) -> Option<Value> {
    let declarations: Vec<_> = tools
        .iter()
        .map(|tool| {
            serde_json::json!({"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters})
        })
        .collect();
    (!declarations.is_empty()).then(|| serde_json::json!([{"functionDeclarations": declarations}]))
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The same text for equal values, whatever the order of their keys. The depth is bounded by the parser that made them.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(object) => {
            let mut fields: Vec<_> = object.iter().collect();
            fields.sort_by_key(|(key, _)| *key);
            let fields = fields
                .iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

/// What is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Stored {
    #[serde(flatten)]
    pub(super) key: Key,
    /// Milliseconds since 1970.
    pub(super) timestamp: u64,
    pub(super) retention: Retention,
    #[serde(flatten)]
    pub(super) state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub(super) enum State {
    Ready {
        cached_content: String,
        /// When the provider drops it, as it says.
        expire_time: String,
    },
    Failed {
        /// Milliseconds since 1970.
        retry_after: u64,
    },
}

/// What to do for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Use {
        name: String,
    },
    /// Good still, and about to end.
    Refresh {
        name: String,
        expire_time: String,
    },
    Create,
    /// It failed not long ago.
    LeaveAlone,
}

/// What follows from the latest entry for a key at a time, in milliseconds since 1970.
pub(super) fn plan(latest: Option<&Stored>, retention: Retention, now: u64) -> Plan {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    match latest.map(|stored| &stored.state) {
        None => Plan::Create,
        // A clock that was set back must not make it longer.
        Some(State::Failed { retry_after })
            if *retry_after > now && *retry_after - now <= millis(BACK_OFF) =>
        {
            Plan::LeaveAlone
        }
        Some(State::Failed { .. }) => Plan::Create,
        Some(State::Ready { cached_content, expire_time }) if is_name(cached_content) => {
            let left = millis_of(expire_time).map(|end| end.saturating_sub(now));
            match left {
                None | Some(0) => Plan::Create,
                Some(left) if left <= millis(retention.refresh_window()) => {
                    Plan::Refresh { name: cached_content.clone(), expire_time: expire_time.clone() }
                }
                Some(_) => Plan::Use { name: cached_content.clone() },
            }
        }
        Some(State::Ready { .. }) => Plan::Create,
    }
}

/// A time of the provider, in milliseconds since 1970.
fn millis_of(time: &str) -> Option<u64> {
    let time: Timestamp = time.parse().ok()?;
    u64::try_from(time.as_millisecond()).ok()
}

/// Whether it is a handle. It becomes part of a URL, and a transcript may say anything.
pub(super) fn is_name(name: &str) -> bool {
    name.strip_prefix("cachedContents/").is_some_and(|id| {
        !id.is_empty()
            && id.len() <= 128
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: u64 = 1_800_000_000_000;

    fn stored(state: State) -> Stored {
        let key = Key {
            provider: "google".into(),
            model: "m".into(),
            base_url: "b".into(),
            system_prompt_digest: "d".into(),
            tools_digest: None,
        };
        Stored { key, timestamp: NOW, retention: Retention::Short, state }
    }

    fn ready(seconds_left: i64, name: &str) -> Stored {
        let end = Timestamp::from_millisecond(NOW as i64 + seconds_left * 1000).unwrap();
        stored(State::Ready { cached_content: name.into(), expire_time: end.to_string() })
    }

    #[test]
    fn the_plan_is_a_table() {
        let name = "cachedContents/a-1_B";
        let use_it = || Plan::Use { name: name.into() };
        let refresh = |stored: &Stored| match &stored.state {
            State::Ready { expire_time, .. } => {
                Plan::Refresh { name: name.into(), expire_time: expire_time.clone() }
            }
            State::Failed { .. } => unreachable!(),
        };
        assert_eq!(plan(None, Retention::Short, NOW), Plan::Create);
        assert_eq!(plan(Some(&ready(31, name)), Retention::Short, NOW), use_it());
        let soon = ready(30, name);
        assert_eq!(plan(Some(&soon), Retention::Short, NOW), refresh(&soon));
        let soon = ready(300, name);
        assert_eq!(plan(Some(&soon), Retention::Long, NOW), refresh(&soon));
        assert_eq!(plan(Some(&ready(301, name)), Retention::Long, NOW), use_it());
        assert_eq!(plan(Some(&ready(0, name)), Retention::Short, NOW), Plan::Create);
        assert_eq!(plan(Some(&ready(-5, name)), Retention::Short, NOW), Plan::Create);
        assert_eq!(plan(Some(&ready(100, "../x")), Retention::Short, NOW), Plan::Create);
        let failed = |retry_after| stored(State::Failed { retry_after });
        assert_eq!(plan(Some(&failed(NOW + 1)), Retention::Short, NOW), Plan::LeaveAlone);
        assert_eq!(plan(Some(&failed(NOW)), Retention::Short, NOW), Plan::Create);
        assert_eq!(
            plan(Some(&failed(NOW + 3_600_000)), Retention::Short, NOW),
            Plan::Create,
            "a clock that jumped"
        );
    }

    #[test]
    fn an_entry_reads_back_and_has_no_prompt_in_it() {
        for entry in [ready(9, "cachedContents/a"), stored(State::Failed { retry_after: NOW })] {
            let value = serde_json::to_value(&entry).unwrap();
            assert_eq!(serde_json::from_value::<Stored>(value).unwrap(), entry);
        }
        let value = serde_json::to_value(ready(9, "cachedContents/a")).unwrap();
        assert_eq!(value["status"], "ready");
        assert!(value["cachedContent"].is_string() && value["expireTime"].is_string());
    }

    #[test]
    fn the_digest_of_tools_does_not_depend_on_the_order_of_keys() {
        let one: Value = serde_json::from_str(r#"{"a":{"x":1,"y":[1,{"p":2,"q":3}]},"b":2}"#).unwrap();
        let two: Value = serde_json::from_str(r#"{"b":2,"a":{"y":[1,{"q":3,"p":2}],"x":1}}"#).unwrap();
        assert_eq!(canonical(&one), canonical(&two));
        assert_ne!(canonical(&one), canonical(&json!({"a": 1})));
    }
}
