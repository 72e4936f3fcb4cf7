//! What programs put before an error's own words: its name, a code, a log line's head, a sentence that says what failed.
//!
//! The decision: a text is read as `prefix: prefix: words`, and a prefix must *look like one*. Behind "Turn failed" stands
//! an error; behind `Invalid value for messages[3].content` stands a quotation. Where a provider is named, only names,
//! codes and the known wrappers count, since the sentence is then the provider's. The option not taken is cutting at
//! every colon.
//!
//! What must stay true: a prefix is short and within one line, and no more than a dozen are taken off.

use super::phrases::{begins, contains};

/// The longest prefix. A sentence that says what failed is shorter; a longer one is prose.
const MAX_PREFIX: usize = 160;

/// How far a text is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing shows that a provider was called.
    Free,
    /// A provider or a channel is named: sentences may be its own.
    Strict,
    /// The words of a provider's answer: nothing in them is an error of this machine.
    Words,
}

/// The text without what precedes any message: decoration, time stamps, log tags, levels.
pub(super) fn undecorated(text: &str) -> &str {
    let mut rest = text;
    // Each turn takes off at least one character, and no real log line has more heads than this.
    for _ in 0..8 {
        rest = rest.trim_start_matches(|first: char| {
            !first.is_alphanumeric() && !matches!(first, '{' | '[' | '"' | '(' | '<' | '`' | '/')
        });
        match log_head(rest) {
            Some(after) => rest = after,
            None => break,
        }
    }
    rest
}

/// What follows a time stamp, a `[tag]`, a level or `Uncaught`.
fn log_head(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    if bytes.first() == Some(&b'[') {
        // `[Errno 28]` and `[SSL: …]` are the message's own, and a bracket before JSON opens a list.
        let end = super::text::line(text, 64).find(']')?;
        let tag = &text[1..end];
        let json = tag.trim_start().starts_with(['{', '[', '"']) || tag.trim().is_empty();
        return (!json && !begins(tag, "errno ") && !begins(tag, "ssl: "))
            .then(|| text[end + 1..].trim_start_matches([':', ' ']));
    }
    if bytes.len() > 10
        && bytes.starts_with(b"20")
        && bytes[4] == b'-'
        && bytes[7] == b'-'
        && matches!(bytes[10], b'T' | b' ')
    {
        // What merely begins like a time stamp may end before its time does.
        let time = super::text::line(text, 40).get(11..)?;
        return time.find(' ').map(|at| &text[11 + at + 1..]);
    }
    if begins(text, "(node:") {
        return text.find(") ").map(|at| &text[at + 2..]);
    }
    [
        "Uncaught ",
        "(in promise) ",
        "Unhandled rejection ",
        "UnhandledPromiseRejectionWarning: ",
        "ERROR ",
        "WARN ",
        "FATAL ",
    ]
    .into_iter()
    .find_map(|head| text.strip_prefix(head))
}

/// A prefix and what stands behind it.
pub(super) fn split(text: &str) -> Option<(&str, &str)> {
    let line = super::text::line(text, MAX_PREFIX);
    let at = line
        .match_indices(':')
        .map(|(at, _)| at)
        .find(|at| line[at + 1..].starts_with(' ') || at + 1 == line.len())?;
    Some((&text[..at], text[at + 1..].trim_start()))
}

/// The error name of a prefix such as `GatewayClientRequestError` or `Error [SOME_CODE]`, and that code.
pub(super) fn name(prefix: &str) -> Option<(&str, Option<&str>)> {
    let (name, code) = match prefix.split_once(" [") {
        Some((name, code)) => (name, Some(code.strip_suffix(']')?)),
        None => (prefix, None),
    };
    let bare = name.rsplit(['.', ':']).next()?;
    let word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':'));
    // `User` and `Note` are capitalised too; an error's name says that it is one, and a code is all capitals.
    let is_error = ["Error", "Exception", "Failure", "Interrupt", "Abort", "Timeout"]
        .iter()
        .any(|end| bare.ends_with(end))
        || bare.len() >= 4
            && bare.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    (word && is_error && bare.starts_with(|first: char| first.is_ascii_uppercase())).then_some((name, code))
}

/// May an error stand behind `prefix`?
pub(super) fn precedes_an_error(prefix: &str, mode: Mode) -> bool {
    // Names and codes are single capitalised words: `TypeError`, `UNAVAILABLE`.
    if name(prefix).is_some() || is_wrapper(prefix) {
        return true;
    }
    match mode {
        Mode::Free => (is_label(prefix) || is_failure(prefix)) && !is_quotation(prefix),
        Mode::Strict | Mode::Words => false,
    }
}

/// The sentences that agent runtimes put before whatever ended a run.
fn is_wrapper(prefix: &str) -> bool {
    let sentence = prefix.trim_end();
    begins(sentence, "lane task ")
        || ends(sentence, "failed before reply")
        || ends(sentence, "agent run failed")
        || ends(sentence, "agent run error")
        || ends(sentence, "run error")
        || ["cause", "caused by", "[cause]", "reason", "error"]
            .iter()
            .any(|word| sentence.eq_ignore_ascii_case(word))
}

/// One word that says where the error comes from: a method, a tool, a model. Not a role of a conversation, and not the
/// path of a field: behind those stand somebody's words.
fn is_label(prefix: &str) -> bool {
    const ROLES: &[&str] = &[
        "user",
        "assistant",
        "system",
        "tool",
        "human",
        "content",
        "text",
        "log",
        "note",
        "quote",
        "message",
    ];
    let label = prefix
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/' | b':' | b'@' | b'#'));
    label && prefix.len() <= 64 && !ROLES.iter().any(|role| prefix.eq_ignore_ascii_case(role))
}

/// A sentence that says that something failed.
fn is_failure(prefix: &str) -> bool {
    const WORDS: &[&str] = &[
        "fail",
        "error",
        "exception",
        "reject",
        "abort",
        "crash",
        "panic",
        "fatal",
        "caused by",
        "could not",
        "cannot",
        "can't",
        "unable",
        "uncaught",
        "unhandled",
        "gave up",
        "giving up",
        "interrupted",
    ];
    WORDS.iter().any(|word| contains(prefix, word))
}

/// A sentence that introduces somebody's words.
fn is_quotation(prefix: &str) -> bool {
    const WORDS: &[&str] = &[
        "said",
        "says",
        "quot",
        "invalid",
        "unexpected",
        "messages[",
        "messages.",
        ".content",
        "input[",
        "body.",
        "the log",
        "prompt contain",
    ];
    WORDS.iter().any(|word| contains(prefix, word))
}

fn ends(text: &str, end: &str) -> bool {
    text.len() >= end.len() && text.as_bytes()[text.len() - end.len()..].eq_ignore_ascii_case(end.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_log_lines_come_off_and_nothing_else() {
        for (text, rest) in [
            ("\u{26a0}\u{fe0f} Agent failed", "Agent failed"),
            ("2026-06-09T09:58:16.073+00:00 [ws] lane task error", "lane task error"),
            ("[tools]: failed", "failed"),
            ("(node:77) UnhandledPromiseRejectionWarning: Error: x", "Error: x"),
            ("Uncaught (in promise) Error: x", "Error: x"),
            ("[Errno 28] No space", "[Errno 28] No space"),
            ("[SSL: CERTIFICATE_VERIFY_FAILED] x", "[SSL: CERTIFICATE_VERIFY_FAILED] x"),
            ("[{\"code\":1}]", "[{\"code\":1}]"),
            ("20\n0-00-00T x", "20\n0-00-00T x"),
            ("2026-06-09T", "2026-06-09T"),
            ("", ""),
        ] {
            assert_eq!(undecorated(text), rest, "{text}");
        }
    }

    #[test]
    fn an_error_stands_behind_what_says_that_something_failed() {
        let free = |prefix| precedes_an_error(prefix, Mode::Free);
        let strict = |prefix| precedes_an_error(prefix, Mode::Strict);
        for prefix in
            ["Error", "openclaw.SqliteError", "UNAVAILABLE", "Error [E_X]", "Agent failed before reply"]
        {
            assert!(free(prefix) && strict(prefix), "{prefix}");
        }
        for prefix in
            ["sessions_send", "openai/gpt-5", "could not append", "Error invoking remote method 'a.b'"]
        {
            assert!(free(prefix) && !strict(prefix), "{prefix}");
        }
        for prefix in [
            "user",
            "User",
            "Note",
            "the user said",
            "messages[3].content",
            "Invalid value",
            "Here is what I saw",
            "the failed run said",
            "Unexpected error in messages[3].content",
        ] {
            assert!(!free(prefix) && !strict(prefix), "{prefix}");
        }
    }
}
