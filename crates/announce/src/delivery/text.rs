//! Whether a text begins with a phrase, and what it states as a number.
//!
//! Client libraries put prefixes before a server's text ("Call to 'sendMessage' failed! (403: Forbidden: bot was ...",
//! "An API error occurred: ..."), so a documented text is looked for at the few places where a text may begin, and
//! nowhere else; [`scan`](super::scan) finds those places. That keeps "could not remember the thread" from being a
//! membership error, and a message that merely quotes an error from being one.

/// Bytes of a message that are looked at. Documented texts are far shorter.
pub(super) const LONGEST: usize = 512;

/// The message cut to what is looked at.
pub(super) fn head(message: &str) -> &str {
    cut(message, LONGEST)
}

/// At most `most` bytes of `text`, whole characters.
pub(super) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Whether `rest` begins with `key`, ignoring ASCII case, and the last word of `key` is whole there. ` * ` in `key`
/// stands for one word, and a `$` at its end for the end of the text, but for punctuation.
pub(super) fn begins_with(rest: &[u8], key: &str) -> bool {
    if let Some((before, after)) = key.split_once(" * ") {
        let Some((head, tail)) = rest.split_at_checked(before.len() + 1) else { return false };
        let next = tail.iter().position(|byte| *byte == b' ').and_then(|space| tail.get(space + 1..));
        return head.trim_ascii_end().eq_ignore_ascii_case(before.as_bytes())
            && next.is_some_and(|next| begins_with(next, after));
    }
    let (key, whole) = key.strip_suffix('$').map_or((key, false), |key| (key, true));
    let Some((head, tail)) = rest.split_at_checked(key.len()) else { return false };
    if !head.eq_ignore_ascii_case(key.as_bytes()) {
        return false;
    }
    if whole {
        return tail.iter().all(|byte| !byte.is_ascii_alphanumeric());
    }
    let word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    !(word(head.last()) && word(tail.first()))
}

/// What HTTP calls the statuses of refusals: clients print it in place of the number.
const REASONS: [(&str, u16); 7] = [
    ("bad request", 400),
    ("unauthorized", 401),
    ("forbidden", 403),
    ("not found", 404),
    ("conflict", 409),
    ("gone", 410),
    ("unprocessable entity", 422),
];

/// An HTTP status that stands at the beginning of a text: `403: Forbidden`, `429 Too Many Requests`, `HTTP 503`,
/// `status code 500`.
pub(super) fn status(rest: &[u8]) -> Option<u16> {
    const LEADS: [&str; 11] = [
        "http/1.1 ",
        "http/1.0 ",
        "http/2 ",
        "http/2.0 ",
        "http status ",
        "http ",
        "status code ",
        "statuscode: ",
        "status: ",
        "status ",
        // What the webhooks of Teams answer under 200.
        "microsoft teams endpoint returned http error ",
    ];
    if let Some((_, status)) = REASONS.iter().find(|(words, _)| {
        let (head, tail) = rest.split_at_checked(words.len()).unwrap_or((&[], &[]));
        head.eq_ignore_ascii_case(words.as_bytes())
            && tail.first().is_none_or(|next| matches!(next, b':' | b'.' | b',' | b'\n'))
    }) {
        return Some(*status);
    }
    let rest = match rest.first()? {
        b'h' | b'H' | b's' | b'S' | b'm' | b'M' => LEADS.iter().find_map(|lead| {
            let (head, tail) = rest.split_at_checked(lead.len())?;
            head.eq_ignore_ascii_case(lead.as_bytes()).then(|| tail.trim_ascii_start())
        })?,
        _ => rest,
    };
    let digits = rest.get(..3)?;
    // "500.000 users" and "403-4" are no statuses.
    let follows = |nth: usize| rest.get(nth).copied().unwrap_or(b' ');
    let ends = match follows(3) {
        b'.' | b',' => !follows(4).is_ascii_digit(),
        b'_' | b'-' => false,
        next => !next.is_ascii_alphanumeric(),
    };
    let status: u16 = str::from_utf8(digits).ok()?.parse().ok()?;
    (ends && (400..=599).contains(&status)).then_some(status)
}

/// The seconds stated behind "retry", "retry after", "try again in", "wait" or their like.
pub(super) fn delay(after: &[u8]) -> Option<f64> {
    let mut rest = after.trim_ascii_start();
    rest = rest.strip_prefix(b"-").or_else(|| rest.strip_prefix(b"_")).unwrap_or(rest);
    for lead in ["this request in", "after", "in", "of", "for"] {
        if let Some((head, tail)) = rest.split_at_checked(lead.len())
            && head.eq_ignore_ascii_case(lead.as_bytes())
            && !tail.first().is_some_and(u8::is_ascii_alphabetic)
        {
            rest = tail;
            break;
        }
    }
    let number_at =
        rest.iter().take(8).position(|byte| !matches!(byte, b' ' | b':' | b'=' | b'"' | b'\''))?;
    let rest = rest.get(number_at..)?;
    let end = rest.iter().position(|byte| !(byte.is_ascii_digit() || *byte == b'.')).unwrap_or(rest.len());
    let number: f64 = str::from_utf8(rest.get(..end)?).ok()?.trim_end_matches('.').parse().ok()?;
    let unit = rest.get(end..)?.trim_ascii_start();
    let is =
        |word: &str| unit.get(..word.len()).is_some_and(|unit| unit.eq_ignore_ascii_case(word.as_bytes()));
    Some(if is("ms") || is("milli") {
        number / 1000.0
    } else if is("min") || is("m ") {
        number * 60.0
    } else if is("hour") || is("h ") {
        number * 3600.0
    } else {
        number
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_ends_with_a_whole_word() {
        let begins = |rest: &str, key| begins_with(rest.as_bytes(), key);
        assert!(begins("Bot was blocked by the user", "bot was blocked"));
        assert!(!begins("bot was blockedish", "bot was blocked"));
        assert!(begins("Unauthorized.", "unauthorized$") && !begins("Unauthorized: no", "unauthorized$"));
        assert!(begins("User +49 is not registered.", "user * is not registered"));
        assert!(!begins("User is not registered.", "user * is not registered") && !begins("Us", "user * is"));
    }

    #[test]
    fn statuses_and_delays_are_read_where_they_are_stated() {
        let status = |rest: &str| status(rest.as_bytes());
        assert_eq!(status("403: Forbidden"), Some(403));
        assert_eq!(status("HTTP/1.1 502 Bad Gateway"), Some(502));
        assert_eq!(status("status code 502"), Some(502));
        assert_eq!(
            (status("Bad Request: who?"), status("Forbidden"), status("Forbidden fruit")),
            (Some(400), Some(403), None)
        );
        assert_eq!(
            (status("sent 403 messages"), status("500.000 users"), status("403-4")),
            (None, None, None)
        );
        let delay = |after: &str| delay(after.as_bytes());
        assert_eq!(delay(" after 35"), Some(35.0));
        assert_eq!(delay(" in 1.5s"), Some(1.5));
        assert_eq!(delay("-after: 10"), Some(10.0));
        assert_eq!(delay(" after 250 ms."), Some(0.25));
        assert_eq!(delay(" in 2 minutes"), Some(120.0));
        assert_eq!((delay(" after \\d+"), delay(" later"), delay(" interval 3")), (None, None, None));
    }
}
