//! Where a text may begin, and whether it begins with a phrase.
//!
//! Client libraries put prefixes before a server's text ("Call to 'sendMessage' failed! (403: Forbidden: bot was ...",
//! "An API error occurred: ..."), so a documented text is looked for at the few places where a text may begin, and
//! nowhere else. That keeps "could not remember the thread" from being a membership error, and a message that merely
//! quotes an error from being one. Work is bounded by the number of places and by [`LONGEST`].

/// Bytes of a message that are looked at. Documented texts are far shorter.
const LONGEST: usize = 512;
/// Places where a text may begin.
const MOST_BEGINNINGS: usize = 8;

/// The message cut to what is looked at.
pub(super) fn head(message: &str) -> &str {
    let mut end = message.len().min(LONGEST);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    &message[..end]
}

/// The rests of `message` from each place where a text may begin, from the left.
pub(super) fn beginnings(message: &str) -> impl Iterator<Item = &str> {
    let message = head(message);
    let after_mark = message.char_indices().filter_map(|(at, mark)| {
        // A colon ends a prefix only before a space: an address or a time is one word.
        let opens = match mark {
            ':' => message[at + 1..].starts_with(' '),
            '-' => message[..at].ends_with(' ') && message[at + 1..].starts_with(' '),
            '(' | '[' | ']' | ')' | '"' | '!' => true,
            '|' | ';' | '\n' => true,
            _ => false,
        };
        opens.then(|| message[at + mark.len_utf8()..].trim_start())
    });
    std::iter::once(message.trim_start())
        .chain(after_mark)
        .filter(|rest| !rest.is_empty())
        .take(MOST_BEGINNINGS)
}

/// Whether `rest` begins with `key`, ignoring ASCII case, and the last word of `key` is whole there. ` * ` in `key`
/// stands for one word, and a `$` at its end for the end of the text, but for punctuation.
pub(super) fn begins_with(rest: &str, key: &str) -> bool {
    if let Some((before, after)) = key.split_once(" * ") {
        let Some((head, tail)) = rest.split_at_checked(before.len() + 1) else { return false };
        let next = tail.split_once(' ').map(|(_, next)| next);
        return head.trim_end().eq_ignore_ascii_case(before)
            && next.is_some_and(|next| begins_with(next, after));
    }
    let (key, whole) = key.strip_suffix('$').map_or((key, false), |key| (key, true));
    let Some((head, tail)) = rest.as_bytes().split_at_checked(key.len()) else { return false };
    if !head.eq_ignore_ascii_case(key.as_bytes()) {
        return false;
    }
    if whole {
        return tail.iter().all(|byte| !byte.is_ascii_alphanumeric());
    }
    let word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    !(word(head.last()) && word(tail.first()))
}

/// Whether `words` stand in `message`, which is in lower case, as whole words.
pub(super) fn mentions(message: &str, words: &str) -> bool {
    let inside = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    message.match_indices(words).any(|(at, _)| {
        let bytes = message.as_bytes();
        !inside(at.checked_sub(1).and_then(|before| bytes.get(before)))
            && !inside(bytes.get(at + words.len()))
    })
}

/// The words of a message that may be an error code: letters, digits and underscores.
pub(super) fn words(message: &str) -> impl Iterator<Item = &str> {
    head(message)
        .split(|next: char| !(next.is_ascii_alphanumeric() || next == '_'))
        .filter(|word| (2..=64).contains(&word.len()))
}

/// Numbers that a message marks as codes: `[50007]`, `(#131030)`, `code 50007`, `code: 50007`, `code=50007`.
pub(super) fn marked_numbers(message: &str) -> impl Iterator<Item = &str> {
    let message = head(message);
    let digits_at = |at: usize| {
        let rest = &message[at..];
        let end = rest.find(|next: char| !next.is_ascii_digit()).unwrap_or(rest.len());
        let inside_word = rest[end..].starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_');
        ((1..=7).contains(&end) && !inside_word).then(|| &rest[..end])
    };
    message.match_indices(['[', '#', 'e', 'E']).filter_map(move |(at, mark)| {
        let next = at + 1;
        if !mark.eq_ignore_ascii_case("e") {
            return digits_at(next);
        }
        let before = message.get(at.checked_sub(3)?..next)?;
        let rest = message[next..].trim_start_matches([' ', ':', '=', '"']);
        let separated = rest.len() < message.len() - next;
        (before.eq_ignore_ascii_case("code") && separated)
            .then(|| digits_at(message.len() - rest.len()))
            .flatten()
    })
}

/// An HTTP status that a message states at one of its beginnings: `403: Forbidden`, `429 Too Many Requests`,
/// `HTTP 503`, `status code 500`.
pub(super) fn status(message: &str) -> Option<u16> {
    beginnings(message).find_map(|rest| {
        let rest = ["http/1.1 ", "http/2 ", "http ", "status code ", "status: ", "status "]
            .iter()
            .find_map(|lead| begins_with(rest, lead).then(|| rest[lead.len()..].trim_start()))
            .unwrap_or(rest);
        let digits = rest.get(..3)?;
        // "500.000 users" and "403-4" are no statuses.
        let follows = |nth: usize| rest.as_bytes().get(nth).copied().unwrap_or(b' ');
        let ends = match follows(3) {
            b'.' | b',' => !follows(4).is_ascii_digit(),
            b'_' | b'-' => false,
            next => !next.is_ascii_alphanumeric(),
        };
        let status: u16 = digits.parse().ok()?;
        (ends && (400..=599).contains(&status)).then_some(status)
    })
}

/// The seconds after "retry after" or "retry in", wherever a text states them.
pub(super) fn retry_after(message: &str) -> Option<f64> {
    let message = head(message);
    if !message.as_bytes().windows(5).any(|window| window.eq_ignore_ascii_case(b"retry")) {
        return None;
    }
    let lower = message.to_ascii_lowercase();
    ["retry after ", "retry in ", "retry_after=", "retry_after: "].iter().find_map(|lead| {
        let rest = &lower[lower.find(lead)? + lead.len()..];
        let end = rest.find(|next: char| !(next.is_ascii_digit() || next == '.')).unwrap_or(rest.len());
        let number: f64 = rest[..end].trim_end_matches('.').parse().ok()?;
        let unit = rest[end..].trim_start();
        Some(if unit.starts_with("ms") || unit.starts_with("millisecond") {
            number / 1000.0
        } else if unit.starts_with("min") {
            number * 60.0
        } else {
            number
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_begins_after_a_prefix_and_not_inside_a_sentence() {
        let found = |message: &str, key: &str| beginnings(message).any(|rest| begins_with(rest, key));
        let key = "bot was blocked";
        assert!(found("Bot was blocked by the user", key));
        assert!(found("Call to 'sendMessage' failed! (403: Forbidden: bot was blocked by the user)", key));
        assert!(!found("the user says that the bot was blocked", key));
        assert!(!found("bot was blockedish", key));
        assert!(
            found("Unauthorized", "unauthorized$") && !found("Unauthorized: bot was kicked", "unauthorized$")
        );
        assert!(found("12:30 error: chat not found", "chat not found"));
        assert!(
            found("Server says - Unauthorized", "unauthorized$")
                && !found("re-unauthorized", "unauthorized$")
        );
        assert!(found("User +49 is not registered.", "user * is not registered"));
        assert!(!found("User is not registered.", "user * is not registered") && !found("Us", "user * is"));
        assert!(mentions("a rate limit, again", "rate limit") && !mentions("corporate limits", "rate limit"));
        assert_eq!(beginnings(&"a: ".repeat(10_000)).count(), MOST_BEGINNINGS);
        assert_eq!(beginnings("").count(), 0);
    }

    #[test]
    fn numbers_count_only_where_they_are_marked() {
        let numbers = |message| marked_numbers(message).collect::<Vec<_>>();
        assert_eq!(numbers("DiscordAPIError[50007]: Cannot send"), ["50007"]);
        assert_eq!(numbers("(#131030) Recipient phone number not in allowed list"), ["131030"]);
        assert_eq!(numbers("failed with code: 50013, Code=4"), ["50013", "4"]);
        assert!(numbers("tool text_editor_20250429 in chat 50007, node 50007").is_empty());
        assert!(numbers("ünï[ 1] code").is_empty());
    }

    #[test]
    fn statuses_and_delays_are_read_where_they_are_stated() {
        assert_eq!(status("403: Forbidden: bot was kicked"), Some(403));
        assert_eq!(status("Request failed: status code 502"), Some(502));
        assert_eq!(status("MatrixError: [403] Forbidden"), Some(403));
        assert_eq!(status("sent 403 messages"), None);
        assert_eq!(status("500.000 users"), None);
        assert_eq!(retry_after("Too Many Requests: retry after 35"), Some(35.0));
        assert_eq!(retry_after("rate limited, retry in 1.5s"), Some(1.5));
        assert_eq!(retry_after("retry after 250 ms."), Some(0.25));
        assert_eq!(retry_after("Too Many Requests: retry after \\d+"), None);
    }
}
