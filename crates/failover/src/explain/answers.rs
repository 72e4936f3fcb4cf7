//! The fields of an error that can hold an answer, written out as one body for the classifier.
//!
//! Written as far as the classifier reads, and no deeper. The option not taken is writing all of it: the answer of an error
//! is often the error beneath it, so a chain of a thousand causes would be copied once for each of them.

use std::io;

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};
use serde_json::{Map, Value};

use crate::envelope::MAX_BYTES;

/// Levels that are written: more than the classifier follows.
const DEEPEST: usize = 24;

/// The fields `names` of an error.
pub(super) struct Answers<'v> {
    pub(super) fields: &'v Map<String, Value>,
    pub(super) names: &'static [&'static str],
    pub(super) leave_out: &'static [&'static str],
}

impl<'v> Answers<'v> {
    fn iter(&self) -> impl Iterator<Item = (&'v String, &'v Value)> {
        self.fields.iter().filter(|(name, value)| {
            let name = name.as_str();
            self.names.contains(&name) && !self.leave_out.contains(&name) && !value.is_null()
        })
    }

    /// The body, if there is one; cut where the classifier stops reading.
    pub(super) fn body(&self) -> Option<String> {
        let mut fields = self.iter();
        let first = fields.next()?;
        match (first, fields.next()) {
            // The usual case: the body is text, and is read as it came.
            ((name, Value::String(text)), None) if name == "body" => Some(head(text, MAX_BYTES).to_owned()),
            (_, _) => {
                let mut written = Bounded(Vec::new());
                // The only error is that there is no more room.
                let _ = serde_json::to_writer(&mut written, self);
                Some(String::from_utf8_lossy(&written.0).into_owned())
            }
        }
    }
}

impl Serialize for Answers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(name, value)| (name, Shallow(value, DEEPEST))))
    }
}

/// A value, written so many levels deep.
struct Shallow<'v>(&'v Value, usize);

impl Serialize for Shallow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(value, left) = self;
        match (value, left.checked_sub(1)) {
            (Value::Object(fields), Some(left)) => {
                let mut map = serializer.serialize_map(None)?;
                for (name, value) in fields {
                    map.serialize_entry(name, &Shallow(value, left))?;
                }
                map.end()
            }
            (Value::Array(values), Some(left)) => {
                let mut list = serializer.serialize_seq(None)?;
                for value in values {
                    list.serialize_element(&Shallow(value, left))?;
                }
                list.end()
            }
            (Value::Object(_) | Value::Array(_), None) => serializer.serialize_unit(),
            (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), _) => {
                value.serialize(serializer)
            }
        }
    }
}

/// A writer with as much room as the classifier reads.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = MAX_BYTES.saturating_sub(self.0.len()).min(bytes.len());
        self.0.extend_from_slice(&bytes[..room]);
        if room == 0 && !bytes.is_empty() { Err(io::ErrorKind::WriteZero.into()) } else { Ok(room) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// At most `most` bytes of `text`, whole characters.
pub(super) fn head(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
