//! HTTP statuses in text.
//!
//! The decision: a number is a status where clients print one (before everything else) or where the sentence says so
//! ("status code 429"). The option not taken is any three digits: `text_editor_20250429` and `14429 tokens` are no rate
//! limits, and "took 500 ms" is no server error.
//!
//! What must stay true: only error statuses count, 400 to 599, with nothing alphanumeric beside their digits.

/// Does the text begin with an HTTP error status, as clients print one before the body?
pub(super) fn comes_first(rest: &str) -> bool {
    let bytes = rest.as_bytes();
    let Some(digits) = bytes.get(..3) else { return false };
    if !matches!(digits[0], b'4' | b'5') || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    match bytes.get(3..) {
        None | Some([] | [b':' | b'\n', ..]) => true,
        // "500 ms", "404 files": a number of something is no status.
        Some([b' ', ..]) => {
            let next = rest[4..].split(|next: char| !next.is_alphanumeric()).next().unwrap_or_default();
            !UNITS.iter().any(|unit| next.eq_ignore_ascii_case(unit))
        }
        Some(_) => false,
    }
}

/// What a number counts where it is no status.
const UNITS: &[&str] = &[
    "ms", "s", "sec", "secs", "second", "seconds", "min", "minutes", "hours", "days", "b", "byte", "bytes",
    "kb", "kib", "mb", "mib", "gb", "files", "items", "tokens", "lines", "rows", "entries", "records",
    "errors", "warnings", "tests", "times", "px", "percent", "of", "more", "x", "and", "or",
];

/// Does a sentence name an HTTP error status: "status code 429", "HTTP 503", "API error 429"?
pub(super) fn is_named(sentence: &str) -> bool {
    let bytes = sentence.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    (0..bytes.len()).any(|at| {
        let number =
            matches!(bytes[at], b'4' | b'5') && is_digit(at + 1) && is_digit(at + 2) && !is_digit(at + 3);
        let apart = at > 0
            && !bytes[at - 1].is_ascii_alphanumeric()
            && !bytes.get(at + 3).is_some_and(u8::is_ascii_alphabetic);
        number && apart && {
            let before = sentence[..at].trim_end_matches([' ', '=', ':', '(', '"', '\'']);
            let before = before
                .strip_suffix("code")
                .or_else(|| before.strip_suffix("Code"))
                .map_or(before, str::trim_end);
            ["status", "http", "http/1.1", "http/2", "error", "returned", "responded with", "responded"]
                .iter()
                .any(|word| {
                    before.len() >= word.len()
                        && before.as_bytes()[before.len() - word.len()..]
                            .eq_ignore_ascii_case(word.as_bytes())
                })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_stands_first_or_is_named() {
        for text in
            ["429", "429 {}", "423 Locked", "503: down", "400 prompt is too long", "404 404 page not found"]
        {
            assert!(comes_first(text), "{text}");
        }
        for text in
            ["500 ms", "404 files are missing", "4290 x", "42", "301 Moved", "", "500x", "\u{4e00}429"]
        {
            assert!(!comes_first(text), "{text}");
        }
        for text in [
            "Request failed with status code 429",
            "HTTP 503",
            "API error 429",
            "status: 500",
            "HTTP/1.1 502 Bad Gateway",
            "(status=429)",
        ] {
            assert!(is_named(text), "{text}");
        }
        for text in [
            "took 500 ms",
            "error 4290",
            "pid 404",
            "text_editor_20250429",
            "n_prompt_tokens: 14429",
            "status 200",
        ] {
            assert!(!is_named(text), "{text}");
        }
    }
}
