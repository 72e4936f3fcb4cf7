//! JSON that stands in a text: read where it is, straight into the signal.
//!
//! Many clients keep an answer as the text it came in, alone or after a prefix. The reader visits that text once and builds
//! nothing; the option not taken is parsing it into a value first, which costs an allocation for each of its keys and has
//! to be bounded a second time. Text that turns out not to be JSON, or to be cut, has said what stands before that place.
//!
//! What must stay true: at most [`MOST_JSON`] bytes of one error are read as JSON, no deeper than the signal reads.

use std::{borrow::Cow, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::{
    keys::{Role, role},
    signal::Signal,
    text,
};

/// Bytes of one error that are read as JSON.
const MOST_JSON: usize = 3 << 10;
/// Bytes before JSON; behind more than that stands prose with a brace in it.
const LONGEST_PREFIX: usize = 512;

/// Whether a text may hold JSON.
pub(super) fn may_hold_json(text: &str) -> bool {
    text.as_bytes().contains(&b'{')
}

/// Where the first object of a text starts.
pub(super) fn start(text: &str) -> Option<usize> {
    let start = text::cut(text, LONGEST_PREFIX).find('{')?;
    // Ruby shows a hash as `{"ok"=>false}`: a text that states what it holds in words.
    let mut behind = text[start..].split('"');
    let is_hash = behind.nth(2).is_some_and(|behind| behind.starts_with("=>"));
    (!is_hash).then_some(start)
}

/// Reads the object that `text` begins with into `signal`; `keep` keeps a piece of it. False if it is no object.
pub(super) fn read<'e, 't>(
    signal: &mut Signal<'e>,
    above: Role,
    text: &'t str,
    depth: usize,
    keep: fn(&'t str) -> Cow<'e, str>,
) -> bool {
    let text = text::cut(text, MOST_JSON.saturating_sub(signal.json));
    signal.json += text.len();
    let mut keys = 0;
    // What follows the object is not part of it, and an object that is broken off has said what it said.
    let mut source = serde_json::Deserializer::from_str(text);
    let _ =
        source.deserialize_any(Counted { reader: Reader { signal, above, depth, keep }, keys: &mut keys });
    keys > 0
}

/// Reads one value into a signal.
struct Reader<'s, 'e, 't> {
    signal: &'s mut Signal<'e>,
    /// The role of the key that the value stands under.
    above: Role,
    depth: usize,
    /// Keeps a piece of the text that is read.
    keep: fn(&'t str) -> Cow<'e, str>,
}

/// A reader of the outermost object, which counts its keys.
struct Counted<'k, 's, 'e, 't> {
    reader: Reader<'s, 'e, 't>,
    keys: &'k mut usize,
}

impl<'t> Visitor<'t> for Counted<'_, '_, '_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'t>>(self, map: A) -> Result<(), A::Error> {
        self.reader.object(map, self.keys)
    }
}

impl<'t> DeserializeSeed<'t> for Reader<'_, '_, 't> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, source: D) -> Result<(), D::Error> {
        if self.signal.enter(self.depth) {
            source.deserialize_any(self)
        } else {
            // Nothing that stands behind what is too much is read either.
            Err(D::Error::custom("more than is read"))
        }
    }
}

impl<'t> Visitor<'t> for Reader<'_, '_, 't> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, said: bool) -> Result<(), E> {
        self.signal.said(self.above, said);
        Ok(())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.signal.number(self.above, &number.into());
        Ok(())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.signal.number(self.above, &number.into());
        Ok(())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        if let Some(number) = Number::from_f64(number) {
            self.signal.number(self.above, &number);
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.signal.string(self.above, Cow::Owned(text.to_owned()), self.depth);
        Ok(())
    }

    fn visit_borrowed_str<E: Error>(self, text: &'t str) -> Result<(), E> {
        self.signal.string(self.above, (self.keep)(text), self.depth);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut values: A) -> Result<(), A::Error> {
        let Self { signal, above, depth, keep } = self;
        while values.next_element_seed(Reader { signal, above, depth: depth + 1, keep })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'t>>(self, map: A) -> Result<(), A::Error> {
        self.object(map, &mut 0)
    }
}

impl<'t> Reader<'_, '_, 't> {
    fn object<A: MapAccess<'t>>(self, mut map: A, keys: &mut usize) -> Result<(), A::Error> {
        let Self { signal, above, depth, keep } = self;
        while let Some(role) = map.next_key_seed(Key { signal, above })? {
            *keys += 1;
            if matches!(role, Role::Sent | Role::Channel | Role::Headers) {
                map.next_value::<IgnoredAny>()?;
            } else {
                map.next_value_seed(Reader { signal, above: role, depth: depth + 1, keep })?;
            }
        }
        Ok(())
    }
}

/// Reads a key to its role.
struct Key<'s, 'e> {
    signal: &'s mut Signal<'e>,
    above: Role,
}

impl<'t> DeserializeSeed<'t> for Key<'_, '_> {
    type Value = Role;

    fn deserialize<D: Deserializer<'t>>(self, source: D) -> Result<Role, D::Error> {
        source.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_, '_> {
    type Value = Role;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Role, E> {
        Ok(self.signal.role(key, role(key), self.above))
    }
}
