//! Is a rewritten transcript the old one, migrated? A pure function of the two contents.
//!
//! Programs of the generation rewrite a transcript of an older version when they open it: the header gets its version, and
//! entries get ids and parents. That is nobody's turn. What must stay true: every field that was there has its old value; an
//! id that was there is the same; ids and parents that are new form one line.

use serde_json::{Map, Value};

/// How many bytes of `new` are `old`, migrated; the rest was added later. `None` when `new` is something else.
pub(super) fn covered(old: &[u8], new: &[u8]) -> Option<u64> {
    let mut new_lines = lines(new);
    let mut previous: Option<String> = None;
    let mut end = 0;
    for (_, old_line) in lines(old) {
        let Some(old_entry) = object(old_line) else {
            // Lines that nobody can read are dropped by a migration.
            continue;
        };
        let (new_end, new_line) = new_lines.next()?;
        let new_entry = object(new_line)?;
        if !same(&old_entry, &new_entry, previous.as_deref()) {
            return None;
        }
        previous =
            new_entry.get("id").and_then(Value::as_str).filter(|_| !is_header(&new_entry)).map(str::to_owned);
        end = new_end;
    }
    Some(end as u64)
}

/// Lines that say something, with the offset behind each.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    bytes.split_inclusive(|byte| *byte == b'\n').filter_map(move |line| {
        at += line.len();
        let line = line.trim_ascii();
        (!line.is_empty()).then_some((at, line))
    })
}

fn object(line: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(line).ok()? {
        Value::Object(object) => Some(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    }
}

fn is_header(entry: &Map<String, Value>) -> bool {
    entry.get("type").and_then(Value::as_str) == Some("session")
}

fn same(old: &Map<String, Value>, new: &Map<String, Value>, previous: Option<&str>) -> bool {
    if is_header(old) || is_header(new) {
        let version =
            |header: &Map<String, Value>| header.get("version").and_then(Value::as_u64).unwrap_or(1);
        return version(old) <= version(new) && equal_but(old, new, &["version"]);
    }
    let id = new.get("id").and_then(Value::as_str).is_some()
        && old.get("id").is_none_or(|id| Some(id) == new.get("id"));
    let parent = match old.get("parentId") {
        Some(parent) => Some(parent) == new.get("parentId"),
        None => new.get("parentId").is_some_and(|parent| parent.as_str() == previous),
    };
    id && parent
        && equal_but(old, new, &["id", "parentId", "message", "firstKeptEntryIndex", "firstKeptEntryId"])
        && {
            let kept =
                old.get("firstKeptEntryId").is_none_or(|kept| Some(kept) == new.get("firstKeptEntryId"));
            kept && same_message(old.get("message"), new.get("message"))
        }
}

/// Equal, apart from the role that version 3 renamed.
fn same_message(old: Option<&Value>, new: Option<&Value>) -> bool {
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let role =
                |message: &Map<String, Value>| message.get("role").and_then(Value::as_str).map(str::to_owned);
            let renamed =
                role(old).as_deref() == Some("hookMessage") && role(new).as_deref() == Some("custom");
            (renamed || role(old) == role(new)) && equal_but(old, new, &["role"])
        }
        (old, new) => old == new,
    }
}

fn equal_but(old: &Map<String, Value>, new: &Map<String, Value>, but: &[&str]) -> bool {
    let rest = |object: &Map<String, Value>| object.keys().filter(|key| !but.contains(&key.as_str())).count();
    rest(old) == rest(new)
        && old.iter().all(|(key, value)| but.contains(&key.as_str()) || new.get(key) == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "{\"type\":\"session\",\"id\":\"s\",\"timestamp\":\"t\",\"cwd\":\"/\",\"x\":1}\n\
        {\"type\":\"message\",\"timestamp\":\"t\",\"message\":{\"role\":\"user\",\"content\":\"a\"}}\n\
        \n{torn\n\
        {\"type\":\"message\",\"timestamp\":\"t\",\"message\":{\"role\":\"hookMessage\",\"content\":\"b\"}}\n";
    const NEW: &str = "{\"type\":\"session\",\"version\":3,\"id\":\"s\",\"timestamp\":\"t\",\"cwd\":\"/\",\"x\":1}\n\
        {\"type\":\"message\",\"timestamp\":\"t\",\"message\":{\"role\":\"user\",\"content\":\"a\"},\"id\":\"1\",\"parentId\":null}\n\
        {\"type\":\"message\",\"timestamp\":\"t\",\"message\":{\"role\":\"custom\",\"content\":\"b\"},\"id\":\"2\",\"parentId\":\"1\"}\n";

    #[test]
    fn ids_parents_and_version_are_a_migration() {
        assert_eq!(covered(OLD.as_bytes(), NEW.as_bytes()), Some(NEW.len() as u64));
        let longer = format!("{NEW}{{\"type\":\"label\"}}\n");
        assert_eq!(covered(OLD.as_bytes(), longer.as_bytes()), Some(NEW.len() as u64));
        assert_eq!(covered(NEW.as_bytes(), NEW.as_bytes()), Some(NEW.len() as u64));
    }

    #[test]
    fn anything_else_is_not() {
        for (from, to) in [
            ("\"content\":\"a\"", "\"content\":\"A\""),
            ("\"parentId\":\"1\"", "\"parentId\":null"),
            ("\"x\":1", "\"x\":2"),
            ("\"x\":1", "\"x\":1,\"y\":2"),
            ("\"role\":\"user\"", "\"role\":\"assistant\""),
            ("\"id\":\"2\",", ""),
        ] {
            let other = NEW.replace(from, to);
            assert_ne!(other, NEW);
            assert_eq!(covered(OLD.as_bytes(), other.as_bytes()), None, "{from} -> {to}");
        }
        let shorter = NEW.lines().take(2).map(|line| format!("{line}\n")).collect::<String>();
        assert_eq!(covered(OLD.as_bytes(), shorter.as_bytes()), None);
        let changed = NEW.replace("\"id\":\"1\"", "\"id\":\"9\"");
        assert_eq!(covered(NEW.as_bytes(), changed.as_bytes()), None, "ids that were there stay");
    }
}
