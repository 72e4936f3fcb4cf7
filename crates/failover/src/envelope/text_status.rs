//! An HTTP status stated in a sentence: `429 {"error":...}`, `Error code: 503`, `HTTP/1.1 502`, `status 529`.
//!
//! A number counts only at the beginning or right after one of a few words, so that limits, ports and ids do not.

/// Only the beginning of a text states its status.
const MAX_HEAD: usize = 256;

const BEFORE: &[&str] = &[
    "status",
    "statuscode",
    "code",
    "http",
    "error",
    "repeated",
    "returned",
    "response",
    "with",
    "failed",
    "httpstatus",
];

/// The status that a text states.
pub(super) fn read(text: &[u8]) -> Option<u16> {
    let head = &text[..text.len().min(MAX_HEAD)];
    let mut at = 0;
    while at < head.len() {
        if !head[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let end =
            head[at..].iter().position(|byte| !byte.is_ascii_digit()).map_or(head.len(), |len| at + len);
        if let Some(status) = status(head, at, end) {
            return Some(status);
        }
        at = end;
    }
    None
}

/// The number that a text begins with, and what follows it.
pub(super) fn leading(text: &[u8]) -> Option<(u16, &[u8])> {
    let digits: &[u8; 3] = text.first_chunk()?;
    let rest = &text[3..];
    if !rest.first().is_none_or(|byte| matches!(byte, b' ' | b':' | b'\n' | b'\t' | b'-' | b',')) {
        return None;
    }
    Some((number(digits)?, rest.trim_ascii_start()))
}

fn status(head: &[u8], at: usize, end: usize) -> Option<u16> {
    let digits = head.get(at..end)?.first_chunk::<3>().filter(|_| end - at == 3)?;
    if head.get(end).is_some_and(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'.')) {
        return None;
    }
    let before = &head[..at];
    let word_end = before.iter().rposition(u8::is_ascii_alphanumeric).map_or(0, |at| at + 1);
    let joint = &before[word_end..];
    if word_end > 0
        && !joint.iter().all(|byte| matches!(byte, b' ' | b':' | b'=' | b'(' | b'"' | b'\'' | b'/' | b'['))
    {
        return None;
    }
    let word_start =
        before[..word_end].iter().rposition(|byte| !byte.is_ascii_alphabetic()).map_or(0, |at| at + 1);
    let word = &before[word_start..word_end];
    // `HTTP/1.1 502`: the word is the version.
    let after_version =
        word.is_empty() && before[..word_end].ends_with(b"1.1") || before[..word_end].ends_with(b"/2");
    let counts = word_end == 0
        || after_version
        || BEFORE.iter().any(|name| word.eq_ignore_ascii_case(name.as_bytes()));
    counts.then(|| number(digits)).flatten()
}

fn number(digits: &[u8; 3]) -> Option<u16> {
    let number = digits.iter().try_fold(0_u16, |number, digit| {
        digit.is_ascii_digit().then(|| number * 10 + u16::from(digit - b'0'))
    })?;
    (400..600).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stated_statuses_are_read() {
        for (text, wanted) in [
            ("429 Too Many Requests", Some(429)),
            ("Error code: 503 - {'error'", Some(503)),
            ("HTTP/1.1 502 Bad Gateway", Some(502)),
            ("API Error: Repeated 529 Overloaded errors", Some(529)),
            ("request failed with status code 404", Some(404)),
            ("(status=401)", Some(401)),
            ("limit 429 requests", None),
            ("'text_editor_20250429' is not", None),
            ("port 443 refused", None),
            ("n_prompt_tokens 14429", None),
            ("error 1310", None),
            ("err 404px", None),
            ("", None),
        ] {
            assert_eq!(read(text.as_bytes()), wanted, "{text}");
        }
    }

    #[test]
    fn a_leading_status_is_parted_from_its_text() {
        assert_eq!(leading(b"503 <html>"), Some((503, &b"<html>"[..])));
        assert_eq!(leading(b"5031"), None);
        assert_eq!(leading(b"200 OK"), None);
    }
}
