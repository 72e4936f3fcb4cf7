//! What must not matter does not: the order of keys, unrelated fields, digits in them.

use moorline_failover::{Verdict, classify, corpus::Row};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::all_rows;

fn json_rows() -> Vec<(Row, Value)> {
    all_rows()
        .into_iter()
        .filter_map(|row| {
            let body = serde_json::from_str::<Value>(row.body.as_deref()?).ok().filter(Value::is_object)?;
            Some((row, body))
        })
        .collect()
}

/// The verdict of a row's body alone, so that everything is read from it.
fn of_body(row: &Row, body: &str) -> Verdict {
    let bare = Row { code: None, kind: None, message: None, body: Some(body.to_owned()), ..row.clone() };
    bare.classify()
}

/// The JSON text with the keys of every object in the order that `seed` gives.
fn shuffled(value: &Value, seed: u64) -> String {
    match value {
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort_by_key(|key| {
                key.bytes().fold(seed, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
            });
            let fields: Vec<String> = keys
                .into_iter()
                .map(|key| format!("{}:{}", Value::String(key.clone()), shuffled(&fields[key], seed)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(|item| shuffled(item, seed)).collect::<Vec<_>>().join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

fn with_unrelated(value: &Value, extra: &Map<String, Value>) -> Value {
    match value {
        Value::Object(fields) => {
            let mut all = fields.clone();
            for (key, value) in extra {
                all.entry(key.clone()).or_insert_with(|| value.clone());
            }
            if let Some(Value::Object(error)) = fields.get("error") {
                let mut error = error.clone();
                error.extend(extra.iter().map(|(key, value)| (key.clone(), value.clone())));
                all.insert("error".to_owned(), Value::Object(error));
            }
            Value::Object(all)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => value.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_keys_does_not_matter(seed: u64) {
        for (row, body) in json_rows() {
            prop_assert_eq!(of_body(&row, &body.to_string()), of_body(&row, &shuffled(&body, seed)), "{}", row.id);
        }
    }

    #[test]
    fn unrelated_fields_do_not_matter(digits in "[0-9]{3,12}", prompt in ".{0,80}") {
        let extra = json!({
            "request_id": format!("req_429{digits}"), "id": digits, "usage": {"total_tokens": 429, "code": "x"},
            "prompt": format!("rate limit 429 invalid api key {prompt}"),
            "messages": [{"role": "user", "content": "insufficient_quota context_length_exceeded"}],
            "created": 1_755_041_560_u64, "model": "text-429",
        });
        let Value::Object(extra) = extra else { unreachable!("an object was written") };
        for (row, body) in json_rows() {
            let (plain, more) = (of_body(&row, &body.to_string()), of_body(&row, &with_unrelated(&body, &extra).to_string()));
            prop_assert_eq!(plain, more, "{}", row.id);
        }
    }
}

#[test]
fn asking_twice_gives_the_same() {
    for row in all_rows() {
        assert_eq!(row.classify(), row.classify(), "{}", row.id);
        assert_eq!(row.signal(&[], classify), row.signal(&[], classify), "{}", row.id);
    }
}
