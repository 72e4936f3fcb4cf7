//! What a transcript says of a turn: nothing, what it has said so far, or its reply. Pure.
//!
//! The decision: one rule for the entries of the window and for those before it. Every entry that a run writes bears its turn's
//! key, and none is written before the turn's message, so any of them says that the message is there. Programs that do not
//! know our mark write the key into the message alone; that says so, too.

use crate::transcript::{Entry, Kind};

/// What a transcript says of the turn with a key.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// Nothing: its message is not there.
    Unknown,
    /// The message is there and no reply; and the other messages of the turn, in file order.
    Written(Vec<Entry>),
    /// It was answered with this entry.
    Answered(Entry),
}

impl Known {
    /// What the entries say, given in file order.
    pub(super) fn of<'a>(key: &str, entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        entries.into_iter().fold(Self::Unknown, |known, entry| known.and(key, entry))
    }

    /// The same with one more entry.
    pub(super) fn and(self, key: &str, entry: &Entry) -> Self {
        if !is_of(key, entry) {
            return self;
        }
        if entry.provenance().is_some_and(|mark| mark.settled.as_deref() == Some("replied")) {
            return Self::Answered(entry.clone());
        }
        let mut said = match self {
            Self::Unknown => Vec::new(),
            Self::Written(said) => said,
            Self::Answered(reply) => return Self::Answered(reply),
        };
        if entry.kind() == Kind::Message && entry.idempotency_key() != Some(key) {
            said.push(entry.clone());
        }
        Self::Written(said)
    }
}

/// Whether an entry is of the turn with this key.
pub(super) fn is_of(key: &str, entry: &Entry) -> bool {
    let marked = entry.provenance().is_some_and(|mark| mark.turn.as_deref() == Some(key));
    let is_message = entry.kind() == Kind::Message && entry.role() == Some("user");
    marked || (is_message && entry.idempotency_key() == Some(key))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn entry(value: &Value) -> Entry {
        Entry::read(value.to_string().as_bytes()).unwrap()
    }

    fn message(role: &str, key: Value, mark: Value) -> Entry {
        entry(
            &json!({"type": "message", "id": "1", "message": {"role": role, "content": "k", "idempotencyKey": key},
            "moorline": mark}),
        )
    }

    fn mark(turn: &str, settled: Value) -> Value {
        json!({"run": "r", "turn": turn, "as": "turn", "settled": settled})
    }

    fn word(entries: &[Entry]) -> &'static str {
        match Known::of("k", entries) {
            Known::Unknown => "unknown",
            Known::Written(said) if said.is_empty() => "written",
            Known::Written(_) => "written, and more",
            Known::Answered(_) => "answered",
        }
    }

    #[test]
    fn what_entries_say_of_a_turn() {
        let none = Value::Null;
        let asked = || message("user", "k".into(), mark("k", Value::Null));
        let steered = || message("user", "other".into(), mark("k", Value::Null));
        let answer = || message("assistant", Value::Null, mark("k", "replied".into()));
        let cancelled =
            || entry(&json!({"type": "custom", "id": "1", "moorline": mark("k", "cancelled".into())}));
        for (entries, expected) in [
            (vec![], "unknown"),
            (vec![asked()], "written"),
            (vec![message("user", "k".into(), none.clone())], "written"),
            (vec![message("user", "kk".into(), none.clone())], "unknown"),
            (vec![message("user", none.clone(), mark("kk", "replied".into()))], "unknown"),
            (vec![message("assistant", "k".into(), none.clone())], "unknown"),
            (
                vec![entry(&json!({"type": "custom", "idempotencyKey": "k", "data": {"turn": "k"}}))],
                "unknown",
            ),
            (vec![message("assistant", none.clone(), mark("k", Value::Null))], "written, and more"),
            (vec![steered()], "written, and more"),
            (vec![asked(), cancelled()], "written"),
            (vec![cancelled()], "written"),
            (vec![asked(), answer()], "answered"),
            (vec![asked(), cancelled(), answer(), steered()], "answered"),
        ] {
            assert_eq!(word(&entries), expected, "{entries:?}");
        }
    }
}
