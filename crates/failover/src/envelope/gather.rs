//! Gathers from a body what decides: the strongest code, the status, the delay, and which phrases its messages hold.

use super::{
    coded::{Coded, Field},
    cursor::{Cursor, Fuel, Next},
    exception, html,
    roles::{self, Role},
    text_status,
};
use crate::{
    delay::{
        Found,
        body::{self, DelayKey},
        later,
    },
    matcher::{Matcher, Seen},
    rules::index,
    vendor::Vendor,
    verdict::Stated,
};

/// Containers within containers that are looked into.
const MAX_DEPTH: u8 = 12;
/// Documents within documents: a string of JSON in a string of JSON.
const MAX_LEVEL: u8 = 4;
/// Bytes of inner documents in all, since each is copied.
const MAX_INNER: usize = 3 * 1024;
/// Codes that are looked up; an envelope states a handful.
const MAX_CODES: u8 = 24;

/// What is known so far.
pub(crate) struct Gather<'a> {
    vendor: Vendor,
    status: Option<u16>,
    matcher: &'static Matcher,
    /// A message that was read already and need not be read again.
    known: &'a [u8],
    fuel: Fuel,
    inner_room: usize,
    codes_left: u8,
    coded: Option<Coded>,
    /// The outermost status found inside, with its level.
    inner_status: Option<(u8, u16)>,
    pub(crate) text_status: Option<u16>,
    delay: Option<(DelayKey, Stated)>,
    unparsable_delays: u8,
    pub(crate) seen: Seen,
    /// Whether a provider behind this one was quoted.
    pub(crate) upstream: bool,
}

impl<'a> Gather<'a> {
    /// Starts with what the caller stated itself.
    pub(crate) fn new(
        vendor: Vendor,
        status: Option<u16>,
        matcher: &'static Matcher,
        coded: Option<Coded>,
    ) -> Self {
        Self {
            vendor,
            status,
            matcher,
            known: &[],
            fuel: Fuel::full(),
            inner_room: MAX_INNER,
            codes_left: MAX_CODES,
            coded,
            inner_status: None,
            text_status: None,
            delay: None,
            unparsable_delays: 0,
            seen: Seen::default(),
            upstream: false,
        }
    }

    /// The strongest code.
    pub(crate) fn coded(&self) -> Option<Coded> {
        self.coded
    }

    /// The status that the body states.
    pub(crate) fn inner_status(&self) -> Option<u16> {
        self.inner_status.map(|(_, status)| status)
    }

    /// The delay that the body states in a field.
    pub(crate) fn delay(&self) -> Found {
        Found { stated: self.delay.map(|(_, stated)| stated), unparsable: self.unparsable_delays }
    }

    /// Takes a code or type that the body states. The strongest stays, whatever the order.
    fn code(&mut self, field: Field, value: &str, level: u8) {
        let Some(left) = self.codes_left.checked_sub(1) else { return };
        self.codes_left = left;
        if let Some(hit) = index::find(self.vendor, self.status, value) {
            self.coded = Coded::stronger(self.coded, Some(Coded { hit, field, level }));
        }
    }

    /// Reads the message that the caller states; the body may repeat it.
    pub(crate) fn message(&mut self, message: &'a [u8]) {
        self.document(message, 0, Role::Error);
        self.known = message;
    }

    /// Reads a body.
    pub(crate) fn body(&mut self, body: &[u8]) {
        self.document(body, 0, Role::Error);
    }

    /// A whole document: JSON, a page, a status before one of these, or a sentence.
    fn document(&mut self, bytes: &[u8], level: u8, role: Role) {
        let mut bytes = bytes.trim_ascii();
        if let Some((status, rest)) = text_status::leading(bytes) {
            self.text_status = self.text_status.or(Some(status));
            bytes = rest;
        }
        match bytes.first() {
            // `[Errno 101] ...` and `[SSL: ...]` begin sentences.
            Some(b'{' | b'[') if bytes[0] == b'{' || inner_document(bytes) == Some(0) => {
                let mut cursor = Cursor::new(bytes);
                self.value(&mut cursor, role, level, 0);
            }
            Some(_) if html::is_page(bytes) => {
                for part in html::telling(bytes) {
                    self.text(part, level);
                }
            }
            Some(_) => self.sentence(bytes, level),
            None => {}
        }
    }

    /// A sentence, which may quote a document.
    fn sentence(&mut self, bytes: &[u8], level: u8) {
        if bytes == self.known {
            return;
        }
        match inner_document(bytes).filter(|_| level < MAX_LEVEL) {
            Some(at) => {
                let (before, inner) = bytes.split_at(at);
                self.text(before, level);
                if memchr::memchr(b'\\', before).is_some() || inner.get(1) == Some(&b'\\') {
                    let plain = self.unescape(inner);
                    self.value(&mut Cursor::new(&plain), Role::Error, level + 1, 0);
                } else {
                    let mut cursor = Cursor::new(inner);
                    self.value(&mut cursor, Role::Error, level + 1, 0);
                    self.text(cursor.rest(), level);
                }
            }
            None => self.text(bytes, level),
        }
    }

    fn text(&mut self, bytes: &[u8], level: u8) {
        for name in exception::names(bytes) {
            self.code(Field::Type, name, level);
        }
        if let Some(status) = exception::grpc_status(bytes) {
            self.code(Field::Type, status, level);
        }
        if self.text_status.is_none() {
            self.text_status = text_status::read(bytes);
        }
        self.matcher.read(bytes, self.vendor, &mut self.seen);
    }

    /// The value at the cursor, in its role.
    fn value(&mut self, cursor: &mut Cursor<'_>, role: Role, level: u8, depth: u8) -> bool {
        match cursor.next(&mut self.fuel) {
            Next::Object => {
                if self.enters(role, depth) {
                    self.object(cursor, level, depth + 1);
                } else {
                    cursor.skip_open(&mut self.fuel);
                }
            }
            Next::Array => {
                if self.enters(role, depth) {
                    while self.value(cursor, role, level, depth + 1) {}
                } else {
                    cursor.skip_open(&mut self.fuel);
                }
            }
            Next::Text(text) => self.quoted(text, role, level),
            Next::Word(word) => self.word(word, role, level),
            Next::Close | Next::End => return false,
        }
        true
    }

    fn enters(&mut self, role: Role, depth: u8) -> bool {
        self.upstream |= role == Role::Upstream;
        depth < MAX_DEPTH
            && match role {
                Role::Error | Role::Inside | Role::Upstream | Role::Message | Role::Kind => true,
                Role::Unknown | Role::Code | Role::Status | Role::Delay(_) => false,
            }
    }

    fn object(&mut self, cursor: &mut Cursor<'_>, level: u8, depth: u8) {
        loop {
            let key = match cursor.next(&mut self.fuel) {
                Next::Text(key) | Next::Word(key) => key,
                Next::Close | Next::End => return,
                Next::Object | Next::Array => {
                    // A bracket where a key should be: not JSON any more. What it holds is nobody's.
                    cursor.skip_open(&mut self.fuel);
                    continue;
                }
            };
            let mut role = roles::of(key);
            // An event of a stream that failed is named by its key: `{"throttlingException": {"message": ...}}`.
            if role == Role::Unknown && exception::is_exception(key) {
                self.named(std::str::from_utf8(key).unwrap_or_default(), Field::Type, level);
                role = Role::Error;
            }
            if !self.value(cursor, role, level, depth) {
                return;
            }
        }
    }

    fn quoted(&mut self, raw: &[u8], role: Role, level: u8) {
        match role {
            Role::Message => self.sentence_or_inner(raw, level),
            Role::Error | Role::Upstream => {
                self.upstream |= role == Role::Upstream;
                self.sentence_or_inner(raw, level);
            }
            Role::Inside => {
                if raw.first().is_some_and(|byte| matches!(byte, b'{' | b'[')) {
                    self.sentence_or_inner(raw, level);
                }
            }
            Role::Code | Role::Status | Role::Kind => {
                let Ok(text) = std::str::from_utf8(raw) else { return };
                self.named(text, field(role), level);
                // A reason or a type may also be a sentence.
                if role == Role::Kind && memchr::memchr(b' ', raw).is_some() {
                    self.text(raw, level);
                }
            }
            Role::Delay(key) => self.delay_field(key, raw),
            Role::Unknown => {}
        }
    }

    fn sentence_or_inner(&mut self, raw: &[u8], level: u8) {
        // `"{\"error\": ...}"`: a document in a string, one level of escapes deeper.
        if level < MAX_LEVEL && memchr::memchr(b'\\', raw).is_some() && inner_document(raw).is_some() {
            let plain = self.unescape(raw);
            self.document(&plain, level + 1, Role::Error);
        } else {
            self.document(raw, level, Role::Error);
        }
    }

    fn word(&mut self, word: &[u8], role: Role, level: u8) {
        match role {
            Role::Code | Role::Status | Role::Kind => {
                if let Ok(text) = std::str::from_utf8(word) {
                    self.named(text, field(role), level);
                }
            }
            Role::Delay(key) => self.delay_field(key, word),
            Role::Unknown | Role::Message | Role::Error | Role::Inside | Role::Upstream => {}
        }
    }

    /// A code, type or status; a number that no table has is a status where it can be one.
    fn named(&mut self, text: &str, field: Field, level: u8) {
        if let Ok(number) = text.trim().parse::<u16>()
            && (400..600).contains(&number)
            && !self.vendor_uses(text)
        {
            if self.inner_status.is_none_or(|(known, status)| (level, status) < (known, number)) {
                self.inner_status = Some((level, number));
            }
            return;
        }
        self.code(field, text, level);
    }

    /// Resolves one level of JSON escapes, of the beginning of a long document.
    fn unescape(&mut self, raw: &[u8]) -> Vec<u8> {
        let raw = &raw[..raw.len().min(self.inner_room)];
        self.inner_room -= raw.len();
        let mut plain = Vec::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(at) = memchr::memchr(b'\\', rest) {
            plain.extend_from_slice(&rest[..at]);
            match rest.get(at + 1) {
                Some(b'n' | b'r' | b't' | b'b' | b'f') => plain.push(b' '),
                // The matcher resolves these itself.
                Some(b'u') => plain.extend_from_slice(b"\\u"),
                Some(other) => plain.push(*other),
                None => {}
            }
            rest = rest.get(at + 2..).unwrap_or_default();
        }
        plain.extend_from_slice(rest);
        plain
    }

    /// Whether a number that looks like a status is one of the vendor's codes.
    fn vendor_uses(&self, number: &str) -> bool {
        self.vendor != Vendor::Generic && index::find(self.vendor, self.status, number).is_some()
    }

    fn delay_field(&mut self, key: DelayKey, raw: &[u8]) {
        let Ok(text) = std::str::from_utf8(raw) else { return };
        // An absent delay is often spelled out.
        if matches!(text.trim(), "null" | "None" | "undefined" | "") {
            return;
        }
        match body::value(key, text, self.vendor) {
            Some(stated) => {
                self.delay = match self.delay {
                    Some((known, _)) if known > key => self.delay,
                    Some((known, other)) if known == key => Some((key, later(other, stated))),
                    Some(_) | None => Some((key, stated)),
                }
            }
            None => self.unparsable_delays = self.unparsable_delays.saturating_add(1),
        }
    }
}

fn field(role: Role) -> Field {
    if role == Role::Code { Field::Code } else { Field::Type }
}

/// Whether a bare word and a colon stand there, and a value behind them.
fn is_bare_key(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let end = text.iter().take(32).position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    let value = end.and_then(|end| text.get(end..)?.strip_prefix(b": "));
    value.is_some_and(|value| {
        value.first().is_some_and(|byte| matches!(byte, b'{' | b'\'' | b'"' | b'0'..=b'9'))
    })
}

/// Where a document begins in a sentence: a bracket with a key or another bracket behind it.
fn inner_document(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    // A sentence with many brackets is no envelope; the first few decide.
    for _ in 0..8 {
        let at = from + memchr::memchr2(b'{', b'[', text.get(from..)?)?;
        let behind = text.get(at + 1..)?;
        let first = behind.iter().find(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
        let second = behind.get(1);
        let opens = match first {
            Some(b'"') => true,
            Some(b'\'') => text.get(at) == Some(&b'{'),
            Some(b'{') => text.get(at) == Some(&b'['),
            // `{ error: { message: '...' } }`, as JavaScript shows an object.
            Some(b'a'..=b'z') => text.get(at) == Some(&b'{') && is_bare_key(behind),
            Some(b'\\') => matches!(second, Some(b'"' | b'n' | b'r' | b't' | b'\'')),
            _ => false,
        };
        if opens {
            return Some(at);
        }
        from = at + 1;
    }
    None
}
