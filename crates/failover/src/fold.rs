//! How the bytes of a message are folded while they are read: case, punctuation, escapes, quotes.
//!
//! The decision: a table of 256 bytes and a look ahead only where a byte needs one. The option not taken is to unescape
//! and to lower a copy of the message first: that allocates, and reads what is never matched.
//!
//! What must stay true: nothing allocates, and every look ahead is bounded, whatever the bytes are.

/// Quotes shorter than this hold a name, not an echo.
const LONG_QUOTE: usize = 32;

/// Marks what the loop looks at more closely.
pub(crate) const SPECIAL: u8 = 0xFF;

/// Letters and digits as themselves in lower case; the rest a space.
pub(crate) static FOLD: [u8; 256] = {
    let mut fold = [b' '; 256];
    let mut byte = 0;
    while byte < 256 {
        let character = byte as u8;
        if character.is_ascii_alphanumeric() {
            fold[byte] = character.to_ascii_lowercase();
        } else if character >= 0x80 || matches!(character, b'\\' | b'"' | b'\'' | b'`') {
            fold[byte] = SPECIAL;
        }
        byte += 1;
    }
    fold
};

pub(crate) enum Unescaped {
    Latin(u8),
    Wide([u8; 4], usize),
}

/// What a backslash and the bytes after it stand for, and how many of those it takes.
pub(crate) fn unescape(after: &[u8]) -> (Unescaped, usize) {
    match after.first() {
        Some(b'u') => {
            let hex = after.get(1..5).and_then(|hex| std::str::from_utf8(hex).ok());
            match hex.and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32) {
                Some(character) if character.is_ascii() => (Unescaped::Latin(character as u8), 5),
                Some(character) => {
                    let mut bytes = [0; 4];
                    let len = character.encode_utf8(&mut bytes).len();
                    (Unescaped::Wide(bytes, len), 5)
                }
                None => (Unescaped::Latin(b' '), 1),
            }
        }
        // Line ends, tabs, quotes, slashes and further backslashes all part words.
        Some(_) => (Unescaped::Latin(b' '), 1),
        None => (Unescaped::Latin(b' '), 0),
    }
}

/// Whether the quote from `open` to `end` is an echo of something: it is long.
///
/// What a field or a sentence calls its message is none: `error_message='...'`, `primary with message "..."`.
pub(crate) fn is_echo(text: &[u8], open: usize, end: usize) -> bool {
    let before = text.get(..open).unwrap_or_default().trim_ascii_end();
    let before = before.strip_suffix(b"=").unwrap_or(before).trim_ascii_end();
    end - open > LONG_QUOTE && !MESSAGES.iter().any(|name| before.ends_with(name))
}

/// Names of a message, before the mark that opens it.
const MESSAGES: [&[u8]; 3] = [b"message", b"details", b"msg"];

/// Where a quote that opens at `open` ends: at its closing mark. `None` when it is unclosed, or an apostrophe.
pub(crate) fn quote_end(text: &[u8], open: usize) -> Option<usize> {
    let before = open.checked_sub(1).and_then(|before| text.get(before));
    if before.is_some_and(|before| !matches!(before, b' ' | b':' | b'(' | b'=' | b'[' | b',' | b'{' | b'\n'))
    {
        return None;
    }
    let inside = text.get(open + 1..)?;
    let mark = *text.get(open)?;
    let mut from = 0;
    // A few apostrophes may stand inside; with more, this is no quote, and a hostile text costs no more than this.
    for _ in 0..4 {
        let close = from + memchr::memchr(mark, inside.get(from..)?)?;
        // A quote mark within a word is an apostrophe.
        if inside.get(close + 1).is_none_or(|next| !next.is_ascii_alphanumeric()) {
            return Some(open + 1 + close);
        }
        from = close + 1;
    }
    None
}
