//! `config.yaml` as a tree. What is wrong with it is said with its line, never with its text: a secret may stand there.

use std::{collections::BTreeMap, path::Path};

use serde_json::{Map, Value};

use super::Problem;

/// Larger files are not settings.
const MAX_BYTES: u64 = 64 * 1024;

/// Reads the file; one that is not there or empty is an empty tree.
pub(super) fn tree(path: &Path) -> Result<Map<String, Value>, Problem> {
    let wrong = |says: String| Problem::new("config.yaml", says);
    let length = match std::fs::metadata(path) {
        Ok(file) => file.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Map::new()),
        Err(error) => return Err(wrong(format!("cannot be read: {error}"))),
    };
    if length > MAX_BYTES {
        return Err(wrong("is larger than 64 KiB".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Map::new());
    }
    match serde_saphyr::from_str::<Value>(&text) {
        Ok(Value::Object(tree)) => Ok(tree),
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Err(wrong("does not hold keys and values".to_owned()))
        }
        Err(error) => {
            let place =
                error.location().map(|place| format!(" (line {}, column {})", place.line(), place.column()));
            Err(wrong(format!("is not readable as YAML{}", place.unwrap_or_default())))
        }
    }
}

/// `compat: { fsSafe: true }` is the key `compat.fsSafe`.
pub(super) fn flatten(
    prefix: String,
    fields: Map<String, Value>,
    is_section: &dyn Fn(&str) -> bool,
    into: &mut BTreeMap<String, Value>,
) {
    for (key, value) in fields {
        let key = format!("{prefix}{key}");
        match value {
            Value::Object(inner) if !inner.is_empty() => flatten(format!("{key}."), inner, is_section, into),
            // A section without anything in it is a section whose lines are commented out; another name is none.
            Value::Null | Value::Object(_) if is_section(&key) => {}
            Value::Null
            | Value::Object(_)
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                into.insert(key, value);
            }
        }
    }
}
