//! Taking secrets out of text before it reaches a log, the wire or a person.
//!
//! The decision: a left-to-right pass, repeated while it changes something, over a short list of shapes that secrets have (a known prefix, a header, a named
//! parameter, a password inside a URL, a PEM key), each tried only at the start of a word. The options not taken: entropy
//! guessing, which eats session ids and hashes that an operator needs, and a regex engine, for a dozen prefixes.
//!
//! What must stay true: linear time (a shape that does not match has looked at a bounded number of bytes, one that does
//! is skipped as a whole), text without secrets is returned as it came without a copy, and redacting twice is redacting
//! once. It is a net beneath the rule that secrets are not put into errors, not a replacement for it.

use std::borrow::Cow;

/// What stands in for a secret.
const REDACTED: &str = "[redacted]";

/// Passes over a text that has secrets; a bound that keeps the time linear, not a number that real text reaches.
const MAX_PASSES: usize = 8;

/// Prefixes that vendors give their secrets, and the fewest characters that follow in a real one.
const PREFIXES: &[(&str, usize)] = &[
    ("sk-", 16),
    ("AIza", 30),
    ("AKIA", 16),
    ("ASIA", 16),
    ("eyJ", 24),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("ghu_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("gsk_", 20),
    ("hf_", 20),
    ("pplx-", 20),
    ("xai-", 20),
    ("xapp-", 10),
    ("xoxa-", 10),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("ya29.", 20),
];

/// Names whose value is a secret, whole or as the last part of a longer one (`x-api-key`, `OPENAI_API_KEY`).
const NAMES: &[(&str, Value)] = &[
    ("accesstoken", Value::Word),
    ("access_token", Value::Word),
    ("api-key", Value::Word),
    ("api_key", Value::Word),
    ("apikey", Value::Word),
    ("authorization", Value::Line),
    ("clientsecret", Value::Word),
    ("client_secret", Value::Word),
    ("cookie", Value::Line),
    ("key", Value::Parameter),
    ("password", Value::Word),
    ("passwd", Value::Word),
    ("private_key", Value::Word),
    ("refreshtoken", Value::Word),
    ("refresh_token", Value::Word),
    ("secret", Value::Opaque),
    ("token", Value::Opaque),
];
/// Longer than any name above with its prefix.
const MAX_NAME: usize = 48;

/// How far the value of a name reaches.
#[derive(Clone, Copy)]
enum Value {
    /// One word, or what stands between quotes.
    Word,
    /// One word, and only where it looks like a secret: "unexpected token: end" is no secret.
    Opaque,
    /// One word, and only in a URL's query.
    Parameter,
    /// The rest of the line: a header's value has spaces.
    Line,
}

/// `text` without the secrets that can be recognised.
///
/// ```
/// use moorline_taxonomy::redact;
/// assert_eq!(redact("Authorization: Bearer abc123def456"), "Authorization: [redacted]");
/// assert_eq!(redact("session agent:main:chat is busy"), "session agent:main:chat is busy");
/// ```
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut redacted = pass(text);
    // What stands in for one secret may be a part of the value of a name before it (`token: x://a:b@c`), which is seen
    // only now. Text without secrets, the common case, is read once.
    for _ in 1..MAX_PASSES {
        let Cow::Owned(changed) = &redacted else { break };
        let Cow::Owned(again) = pass(changed) else { break };
        redacted = Cow::Owned(again);
    }
    redacted
}

fn pass(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let (mut kept, mut at) = (0, 0);
    while at < bytes.len() {
        match secret_at(bytes, at) {
            Some((start, end)) if !bytes[start..].starts_with(REDACTED.as_bytes()) => {
                out.push_str(&text[kept..start]);
                out.push_str(REDACTED);
                (kept, at) = (end, end);
            }
            Some((_, end)) => at = end,
            None => at += 1,
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    out.push_str(&text[kept..]);
    Cow::Owned(out)
}

/// The secret whose shape begins at `at`, as a byte range. Both ends lie beside ASCII, so they are character boundaries.
fn secret_at(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = &bytes[at..];
    match rest[0] {
        b':' => return password_in_url(bytes, at),
        b'-' => return pem(bytes, at),
        b'/' => return bot_token(bytes, at),
        // Every other shape starts with a letter at the start of a word.
        _ => {}
    }
    if !rest[0].is_ascii_alphabetic() || at > 0 && is_word(bytes[at - 1]) {
        return None;
    }
    prefixed(bytes, at).or_else(|| scheme(bytes, at)).or_else(|| named(bytes, at))
}

/// `sk-…`, `AIza…` and their like; the whole token goes.
fn prefixed(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = &bytes[at..];
    let (prefix, least) = PREFIXES.iter().find(|(prefix, _)| rest.starts_with(prefix.as_bytes()))?;
    let length = opaque_run(rest, is_token)?;
    (length >= prefix.len() + least).then_some((at, at + length))
}

/// `Bearer …` and `Basic …` outside a header line. A word without a digit is prose: "basic authentication required".
fn scheme(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = &bytes[at..];
    let name = ["bearer ", "basic "].into_iter().find(|name| starts_with_ignoring_case(rest, name))?;
    let start = at + name.len();
    let length = opaque_run(&bytes[start..], is_token)?;
    (length >= 8).then_some((start, start + length))
}

/// `name: value`, `name=value` and `"name":"value"`, also with the quotes escaped.
fn named(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = &bytes[at..];
    let word = &rest[..run(&rest[..rest.len().min(MAX_NAME)], is_word)];
    let (_, value) = NAMES.iter().find(|(name, value)| is_named(word, name, *value))?;
    if matches!(value, Value::Parameter) && !(at > 0 && matches!(bytes[at - 1], b'?' | b'&')) {
        return None;
    }
    let mut start = at + word.len();
    start += quote(&bytes[start..]);
    start += run(&bytes[start..bytes.len().min(start + 4)], |byte| byte == b' ');
    if !matches!(bytes.get(start), Some(b':' | b'=')) {
        return None;
    }
    start += 1;
    start += run(&bytes[start..bytes.len().min(start + 4)], |byte| byte == b' ');
    let quoted = quote(&bytes[start..]);
    start += quoted;
    let body = &bytes[start..];
    let length = match value {
        Value::Line if quoted == 0 => run(body, |byte| !matches!(byte, b'\n' | b'\r' | b'"' | b'\'')),
        Value::Opaque => opaque_run(body, is_value).filter(|length| *length >= 12)?,
        Value::Word | Value::Parameter | Value::Line if quoted > 0 => {
            run(body, |byte| !matches!(byte, b'"' | b'\'' | b'\\' | b'\n'))
        }
        Value::Word | Value::Parameter | Value::Line => run(body, is_value),
    };
    (length > 0).then_some((start, start + length))
}

/// Is `word` the name, or a longer one that ends with it? `key` alone is too common a word to end one.
fn is_named(word: &[u8], name: &str, value: Value) -> bool {
    let Some(before) = word.len().checked_sub(name.len()) else { return false };
    let longer = before > 0 && matches!(word[before - 1], b'_' | b'-') && !matches!(value, Value::Parameter);
    (before == 0 || longer) && word[before..].eq_ignore_ascii_case(name.as_bytes())
}

/// `://user:password@host`: user and password go.
fn password_in_url(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    if !bytes[at..].starts_with(b"://") {
        return None;
    }
    let start = at + 3;
    // Longer than any real one; it bounds the look at a text full of "://".
    let head = &bytes[start..bytes.len().min(start + 256)];
    let length = run(head, |byte| !byte.is_ascii_whitespace() && !matches!(byte, b'/' | b'@' | b'?' | b'"'));
    let userinfo = &head[..length];
    (head.get(length) == Some(&b'@') && userinfo.contains(&b':')).then_some((start, start + length))
}

/// The path segment `/bot<id>:<secret>` of a Telegram URL.
fn bot_token(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = bytes[at..].strip_prefix(b"/bot")?;
    let digits = run(&rest[..rest.len().min(16)], |byte| byte.is_ascii_digit());
    if digits < 6 || rest.get(digits) != Some(&b':') {
        return None;
    }
    let secret = run(&rest[digits + 1..], is_word);
    let start = at + 4;
    (secret >= 30).then_some((start, start + digits + 1 + secret))
}

/// A PEM private key, to its last line or the end of the text.
fn pem(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = bytes[at..].strip_prefix(b"-----BEGIN ")?;
    let title = run(&rest[..rest.len().min(64)], |byte| byte.is_ascii_uppercase() || byte == b' ');
    if !rest[..title].ends_with(b"PRIVATE KEY") {
        return None;
    }
    const END: &[u8] = b"-----END ";
    let body = &rest[title..];
    let length = body.windows(END.len()).position(|window| window == END).unwrap_or(body.len());
    let start = at + 11 + title;
    Some((start, start + length))
}

/// The length of an opening or closing quote, escaped or not.
fn quote(rest: &[u8]) -> usize {
    match rest {
        [b'\\', b'"' | b'\'', ..] => 2,
        [b'"' | b'\'', ..] => 1,
        _ => 0,
    }
}

fn run(bytes: &[u8], is: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !is(*byte)).unwrap_or(bytes.len())
}

/// The run of a secret, which shows a digit early on where prose has none. What is let go is looked at again from its
/// next word on, so the look before the decision is bounded; that keeps the whole pass linear.
fn opaque_run(bytes: &[u8], is: impl Fn(u8) -> bool) -> Option<usize> {
    let head = &bytes[..bytes.len().min(64)];
    head[..run(head, &is)].iter().any(u8::is_ascii_digit).then(|| run(bytes, is))
}

fn starts_with_ignoring_case(bytes: &[u8], prefix: &str) -> bool {
    bytes.get(..prefix.len()).is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
}

/// What a name or a token continues with; such a byte before a position means that no word starts there.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_token(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'.' | b'=' | b'/' | b'+' | b'~')
}

/// A value without quotes ends at a space or at what separates it from the next.
fn is_value(byte: u8) -> bool {
    byte > b' '
        && byte != 0x7f
        && !matches!(byte, b',' | b';' | b'&' | b'"' | b'\'' | b')' | b']' | b'}' | b'<' | b'>' | b'\\')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn secrets_go_and_the_rest_stays() {
        let key = "abcdEFGH0123456789abcdEFGH0123456789";
        for (text, expected) in [
            ("Incorrect API key provided: sk-{key}.", "Incorrect API key provided: [redacted]"),
            ("Bearer {key} was refused", "Bearer [redacted] was refused"),
            ("authorization: Basic dXNlcjpwYXNz\nnext", "authorization: [redacted]\nnext"),
            ("curl -H 'x-api-key: {key}' -d x", "curl -H 'x-api-key: [redacted]' -d x"),
            ("https://h/v1?key=AIza{key}&alt=sse", "https://h/v1?key=[redacted]&alt=sse"),
            ("https://h/v1?alt=sse&key=short", "https://h/v1?alt=sse&key=[redacted]"),
            (r#"{"api_key":"{key}","model":"m"}"#, r#"{"api_key":"[redacted]","model":"m"}"#),
            (r#"body {\"apiKey\": \"{key}\"}"#, r#"body {\"apiKey\": \"[redacted]\"}"#),
            ("OPENAI_API_KEY={key} moorline serve", "OPENAI_API_KEY=[redacted] moorline serve"),
            ("postgres://moor:{key}@db/state", "postgres://[redacted]@db/state"),
            ("POST /bot123456789:{key}/sendMessage", "POST /bot[redacted]/sendMessage"),
            ("ghp_{key} and AKIA0123456789ABCDEF", "[redacted] and [redacted]"),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA",
                "-----BEGIN RSA PRIVATE KEY[redacted]-----END RSA",
            ),
            ("TELEGRAM_TOKEN={key}", "TELEGRAM_TOKEN=[redacted]"),
            // Once the password is gone, the whole value of the name is seen.
            ("token: 0://a:b@\"", "token: [redacted]]@\""),
        ] {
            assert_eq!(redact(&text.replace("{key}", key)), expected, "{text}");
        }
    }

    #[test]
    fn what_only_resembles_a_secret_stays_and_is_not_copied() {
        for text in [
            "",
            "session file locked (timeout 60000ms): pid=1 /state/agents/main/sessions/7774.jsonl.lock",
            "session key=agent:main:chat, idempotency-key: run-12345678",
            "unexpected token: end of input",
            "max_tokens: 4096 exceeds the limit of 2048",
            "basic authentication required, bearer authentication refused",
            "risk-averse task-queue-0123456789abcdef012345",
            "https://host:8080/path@2x, see https://example.com/a:b@c",
            "\u{26a0}\u{fe0f} der Schlüssel passt nicht",
        ] {
            assert!(matches!(redact(text), Cow::Borrowed(same) if same == text), "{text}: {}", redact(text));
        }
    }

    #[test]
    fn hostile_repetition_costs_linear_time() {
        // Each of these makes a scanner that looks ahead without a bound quadratic, which takes minutes here.
        for unit in [
            "key=",
            "token=a",
            "://",
            "bearer ",
            "eyJ.",
            "sk-",
            "/bot1",
            "-----BEGIN ",
            "password",
            "\"",
            "api_key=\"x",
        ] {
            let text = unit.repeat(300_000 / unit.len());
            let once = redact(&text);
            assert_eq!(redact(&once), once, "{unit}");
        }
    }

    proptest! {
        #[test]
        fn redacting_twice_is_redacting_once(text in "(\\PC|key=|token: |Bearer |sk-|://a:b@|[a-z0-9]{20}|\"|\\?|\n){0,40}") {
            let once = redact(&text).into_owned();
            prop_assert_eq!(redact(&once).into_owned(), once);
        }

        #[test]
        fn no_secret_survives_whatever_stands_around_it(
            before in "(.{0,20}[ \n(,])?",
            secret in "[A-Za-z]{8}[0-9]{4}[A-Za-z0-9]{28}",
            after in "([ \n),].{0,20})?",
        ) {
            for text in [
                format!("{before}sk-{secret}{after}"),
                format!("{before}Authorization: Bearer {secret}{after}"),
                format!("{before}https://h/p?key={secret}{after}"),
                format!("{before}\"api_key\": \"{secret}\"{after}"),
            ] {
                prop_assert!(!redact(&text).contains(&secret), "{}", text);
            }
        }
    }
}
