//! A cursor over something like JSON that never fails: at the end of the bytes or of the fuel it just stops.

/// Bytes of one body that are looked at.
pub(crate) const MAX_BYTES: usize = 64 * 1024;
/// Tokens of one body, nested documents included. An error envelope has a few dozen.
const MAX_TOKENS: u32 = 512;
/// Escapes within the strings of one body that are stepped over; a string with more is cut there.
const MAX_ESCAPES: u32 = 512;

/// What starts at the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    Object,
    Array,
    /// Between the quotes, escapes unresolved.
    Text(&'a [u8]),
    /// A number or a bare word.
    Word(&'a [u8]),
    /// A closing bracket.
    Close,
    End,
}

#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// How much more may be done, shared by nested documents.
#[derive(Clone, Copy)]
pub(super) struct Fuel {
    tokens: u32,
    escapes: u32,
}

impl Fuel {
    pub(super) const fn full() -> Self {
        Self { tokens: MAX_TOKENS, escapes: MAX_ESCAPES }
    }

    /// Burns one token's worth; `false` when there is none.
    fn token(&mut self) -> bool {
        let left = self.tokens;
        self.tokens = left.saturating_sub(1);
        left > 0
    }

    fn escape(&mut self) -> bool {
        let left = self.escapes;
        self.escapes = left.saturating_sub(1);
        left > 0
    }
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes: &bytes[..bytes.len().min(MAX_BYTES)], at: 0 }
    }

    /// The bytes after the last token.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Takes the next token; commas, colons and spaces part tokens and are none.
    pub(super) fn next(&mut self, fuel: &mut Fuel) -> Next<'a> {
        if !fuel.token() {
            return Next::End;
        }
        while self
            .bytes
            .get(self.at)
            .is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b':'))
        {
            self.at += 1;
        }
        let Some(byte) = self.bytes.get(self.at) else { return Next::End };
        match byte {
            b'{' => self.single(Next::Object),
            b'[' | b'(' => self.single(Next::Array),
            b'}' | b']' | b')' => self.single(Next::Close),
            b'"' | b'\'' => Next::Text(self.quoted(*byte, fuel)),
            _ => {
                let start = self.at;
                while self.bytes.get(self.at).is_some_and(|byte| {
                    !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b':' | b'}' | b']' | b'{' | b'[')
                }) {
                    self.at += 1;
                }
                // A word always takes at least one byte, so that the cursor moves on.
                self.at = self.at.max(start + 1);
                Next::Word(self.bytes.get(start..self.at).unwrap_or_default())
            }
        }
    }

    /// Skips what follows an opening bracket, to its closing one.
    pub(super) fn skip_open(&mut self, fuel: &mut Fuel) {
        let mut depth = 1_u32;
        while depth > 0 {
            // Only brackets and quotes matter here, and nothing between them costs fuel.
            let Some(byte) = self.bytes.get(self.at) else { return };
            self.at += 1;
            match byte {
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                b'"' => {
                    if !fuel.token() {
                        self.at = self.bytes.len();
                        return;
                    }
                    self.at -= 1;
                    self.quoted(b'"', fuel);
                }
                _ => {}
            }
        }
    }

    fn single(&mut self, token: Next<'a>) -> Next<'a> {
        self.at += 1;
        token
    }

    /// The bytes between the quotes; to the end when the closing one is missing or too many escapes stand before it.
    fn quoted(&mut self, mark: u8, fuel: &mut Fuel) -> &'a [u8] {
        let start = self.at + 1;
        let mut at = start;
        loop {
            let Some(found) = self.bytes.get(at..).and_then(|rest| memchr::memchr2(mark, b'\\', rest)) else {
                self.at = self.bytes.len();
                return self.bytes.get(start..).unwrap_or_default();
            };
            at += found;
            if self.bytes.get(at) == Some(&mark) {
                self.at = at + 1;
                return self.bytes.get(start..at).unwrap_or_default();
            }
            if !fuel.escape() {
                self.at = self.bytes.len();
                return self.bytes.get(start..).unwrap_or_default();
            }
            at += 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<String> {
        let (mut cursor, mut fuel) = (Cursor::new(text.as_bytes()), Fuel::full());
        let mut all = Vec::new();
        loop {
            match cursor.next(&mut fuel) {
                Next::End => return all,
                Next::Text(bytes) => all.push(format!("'{}", String::from_utf8_lossy(bytes))),
                Next::Word(bytes) => all.push(String::from_utf8_lossy(bytes).into_owned()),
                other @ (Next::Object | Next::Array | Next::Close) => all.push(format!("{other:?}")),
            }
        }
    }

    #[test]
    fn json_python_and_javascript_read_alike() {
        let wanted = ["Object", "'code", "429", "'say", "'a \\\"b", "Close"];
        assert_eq!(tokens(r#"{"code": 429, "say": "a \"b"}"#), wanted);
        assert_eq!(tokens(r#"{'code': 429, 'say': 'a \"b'}"#), wanted);
        assert_eq!(tokens("{ code: None }"), ["Object", "code", "None", "Close"]);
    }

    #[test]
    fn what_is_cut_off_ends() {
        assert_eq!(tokens(r#"{"a": "b"#), ["Object", "'a", "'b"]);
        assert_eq!(tokens(r#"{"a\"#), ["Object", "'a\\"]);
    }

    #[test]
    fn fuel_ends_a_hostile_body() {
        assert!(tokens(&"[".repeat(100_000)).len() <= MAX_TOKENS as usize);
    }
}
