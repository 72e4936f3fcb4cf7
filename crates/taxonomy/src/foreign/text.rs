//! Reading one text: taking prefixes off, then asking what stands at the start.
//!
//! The decision: the reader *says* what it meets, one thing after another, and the walk decides what to do with it; so a
//! text that holds JSON, a list of candidates or a cause of its own needs no recursion here. The option not taken is
//! returning one class per text: "All models failed (2): a: … | b: …" has two.
//!
//! What must stay true: no more than [`MAX_TEXT`] bytes are looked at, each a bounded number of times; a status at the
//! start ends the reading, since everything behind it is the provider's.

use super::{
    bugs, evidence, locals, owned,
    phrases::{self, begins, contains},
    prefix::{self, Mode},
    status,
    word::{Meaning, Weight, Word, refined},
};
use crate::{Code, foreign::Evidence, wire::head};

/// Bytes of one text that are looked at. An error's own words are at its start; what is longer is a page or a prompt.
pub(super) const MAX_TEXT: usize = 4096;
/// Candidates of one summary, and causes of one text.
const MAX_PARTS: usize = 16;
/// Prefixes taken off one text.
const MAX_PREFIXES: usize = 12;

/// One thing that a text says.
#[derive(Debug)]
pub(super) enum Said<'t> {
    /// It names a class.
    Means(Meaning, Evidence),
    /// An HTTP status stands before everything else: a provider answered.
    Status,
    /// It says that a model was called: a summary of candidates, or an error of a provider client by name.
    Called,
    /// A connection failed.
    Transport,
    /// JSON starts here.
    Json(&'t str),
    /// The words of one candidate of a summary.
    Candidate(&'t str),
    /// The words of a cause.
    Cause(&'t str),
}

/// Says what `text` says.
pub(super) fn read<'t>(text: &'t str, mode: Mode, say: &mut dyn FnMut(Said<'t>)) {
    let head = head(text, MAX_TEXT);
    if !start(text, head, mode, say) && mode != Mode::Words {
        tail(head, mode, say);
    }
    if mode != Mode::Words {
        causes(head, mode, say);
    }
}

/// Reads the start of a text, prefix by prefix. True once something decides what the text is.
fn start<'t>(text: &'t str, head: &'t str, mode: Mode, say: &mut dyn FnMut(Said<'t>)) -> bool {
    // Everything below takes off from the front, so what is left is the end of `head`; JSON may reach beyond it.
    let whole = |rest: &str| &text[head.len() - rest.len()..];
    let mut rest = head;
    // A prefix that hints at a class decides only if nothing behind it does.
    let mut hinted = None;
    for _ in 0..MAX_PREFIXES {
        rest = prefix::undecorated(rest);
        if rest.starts_with(['{', '[', '"']) && !rest.starts_with("[Errno ") && !rest.starts_with("[SSL") {
            say(Said::Json(whole(rest)));
            return true;
        }
        if status::comes_first(rest) {
            say(Said::Status);
            if let Some(at) = rest.find(['{', '[']).filter(|at| *at <= 64) {
                say(Said::Json(whole(&rest[at..])));
            }
            return true;
        }
        if mode == Mode::Words {
            return false;
        }
        if let Some(said) = words(rest) {
            say(said);
            return true;
        }
        if summary(rest, say) {
            return true;
        }
        if let Some(inner) = log_field(rest, mode) {
            rest = inner;
            continue;
        }
        let Some((before, after)) = prefix::split(rest) else { break };
        if status::is_named(before) {
            say(Said::Status);
            if after.starts_with('{') {
                say(Said::Json(whole(after)));
            }
            return true;
        }
        if prefix::name(before).is_some_and(|(name, _)| evidence::is_client_name(name)) {
            say(Said::Called);
        }
        match named(before, after) {
            Some(Word::Means(meaning)) if meaning.weight <= Weight::Fact => {
                say(Said::Means(meaning, Evidence::Text));
                return true;
            }
            Some(Word::Means(meaning)) => hinted = hinted.or(Some(meaning)),
            Some(Word::Transport | Word::Timeout | Word::Silent) | None => {}
        }
        // A value behind a sentence is a program's doing, even where the sentence itself might be a provider's.
        let mode = if after.starts_with('{') { Mode::Free } else { mode };
        if !prefix::precedes_an_error(before, mode) {
            break;
        }
        rest = after;
    }
    if let Some(meaning) = hinted {
        say(Said::Means(meaning, Evidence::Text));
        return true;
    }
    if status::is_named(line(rest, 256)) {
        say(Said::Status);
        return true;
    }
    if bugs::is_transport(rest) {
        say(Said::Transport);
        return true;
    }
    false
}

/// The text itself: one word that is a code, a known phrase, an errno.
fn words<'t>(rest: &str) -> Option<Said<'t>> {
    let word = rest.trim_end();
    if !word.contains(char::is_whitespace)
        && let Some((Word::Means(meaning), evidence)) = single(word)
    {
        return Some(Said::Means(meaning, evidence));
    }
    if let Some(meaning) = phrases::meaning(rest) {
        return Some(Said::Means(meaning, Evidence::Text));
    }
    let errno = match rest.strip_prefix("[Errno ") {
        // Python writes a negative number only for a name that was not resolved, by the count of `getaddrinfo`.
        Some(numbered) if numbered.starts_with('-') => Some(Word::Transport),
        Some(numbered) => locals::errno_number(numbered.split_once(']')?.0.trim().parse().ok()?),
        None => locals::errno(rest.split_once(": ")?.0),
    };
    match errno {
        Some(Word::Means(meaning)) => {
            Some(Said::Means(Meaning { weight: Weight::Hint, ..meaning }, Evidence::Text))
        }
        Some(Word::Transport | Word::Timeout | Word::Silent) | None => None,
    }
}

/// A text that is nothing but a code or a name.
pub(super) fn single(word: &str) -> Option<(Word, Evidence)> {
    // Codes and names have a capital, a line or a dot in them; prose mostly has not, and is asked first.
    if word.len() > 80 || !word.bytes().any(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'.')) {
        return None;
    }
    if let Some(code) = Code::parse(word) {
        return Some((Word::Means(super::word::own(code, "wire-code")), Evidence::Wire));
    }
    owned::code(word)
        .map(|word| (word, Evidence::Code))
        .or_else(|| owned::name(word).map(|word| (word, Evidence::Name)))
        .or_else(|| locals::code(word).map(|word| (word, Evidence::Errno)))
        .or_else(|| locals::signal(word).map(|meaning| (Word::Means(meaning), Evidence::Code)))
}

/// What the error name or code of a prefix says, given the words behind it.
fn named(before: &str, after: &str) -> Option<Word> {
    let (name, code) = prefix::name(before)?;
    let lost = phrases::lease_lost(after);
    let word = code
        .and_then(owned::code)
        .or_else(|| owned::name(name))
        .or_else(|| owned::code(name))
        .or_else(|| bugs::name(name, Some(after)))?;
    Some(match word {
        Word::Means(meaning) => Word::Means(refined(meaning, lost)),
        Word::Transport | Word::Timeout | Word::Silent => word,
    })
}

/// "All models failed (2): a: … | b: …": each candidate for itself.
fn summary<'t>(rest: &'t str, say: &mut dyn FnMut(Said<'t>)) -> bool {
    let title = line(rest, 64);
    let of_models = ["model", "candidate", "provider", "fallback"].iter().any(|what| contains(title, what));
    if !begins(rest, "all ") || !contains(title, " failed") || !of_models {
        return false;
    }
    say(Said::Called);
    let Some(at) = title.find(':') else { return true };
    let list = rest[at + 1..].trim();
    // One list uses one separator: bars where there are any, lines otherwise.
    let bar = list.contains(" | ") || list.contains("\n|");
    let parts = list.split(|next| if bar { next == '|' } else { next == '\n' });
    for part in parts.map(str::trim).filter(|part| !part.is_empty()).take(MAX_PARTS) {
        // The label is the model; its own colons (`openrouter/model:free`) have no space behind them.
        let words =
            part.split_once(": ").filter(|(label, _)| !label.contains(' ')).map_or(part, |(_, words)| words);
        say(Said::Candidate(words));
    }
    true
}

/// The value of a log line's `error="…"`.
fn log_field(rest: &str, mode: Mode) -> Option<&str> {
    let line = line(rest, 512);
    if !line.contains('=') {
        return None;
    }
    let (at, key) = ["error=", "err="].into_iter().find_map(|key| {
        let at = line
            .match_indices(key)
            .map(|(at, _)| at)
            .find(|at| *at == 0 || line.as_bytes()[at - 1] == b' ')?;
        Some((at, key))
    })?;
    let before = &line[..at];
    let logged = begins(before, "lane task ")
        || mode == Mode::Free && !before.contains('"') && (at == 0 || before.contains('='));
    // The closing quote stays: what is read is the start.
    logged.then(|| rest[at + key.len()..].trim_start_matches(['"', '\'', '\\']))
}

/// What stands at the end of a text or within it in a form that only programs write.
fn tail<'t>(head: &str, mode: Mode, say: &mut dyn FnMut(Said<'t>)) {
    // Rust's own form of an errno.
    if head.contains('(')
        && let Some((_, numbered)) = head.rsplit_once("(os error ")
        && let Some(Word::Means(meaning)) = numbered
            .split_once(')')
            .and_then(|(number, _)| number.parse().ok())
            .and_then(locals::errno_number)
    {
        say(Said::Means(Meaning { weight: Weight::Hint, ..meaning }, Evidence::Text));
        return;
    }
    // Every code has one of these in it.
    if mode != Mode::Free || !head.contains(['_', '.']) {
        return;
    }
    // A chain printed in one line, in which a mark says its code: "turn failed: session busy: coordination.lock_timeout".
    // And a message with its code behind it: "agent run aborted for restart | OPENCLAW_RESTART_ABORT", "(CODE)".
    let is_end =
        |byte: &u8| matches!(byte, b':' | b'|' | b'\n' | b'(' | b')' | b'[' | b']' | b',' | b'{' | b'}');
    let said = head
        .as_bytes()
        .split(is_end)
        .take(4 * MAX_PARTS)
        .filter_map(|part| str::from_utf8(part).ok())
        .find_map(|part| {
            let part = part.trim();
            let part = part.strip_prefix("code=").unwrap_or(part).trim_matches(['\'', '"', '`']);
            match single(part).filter(|_| part.len() >= 8)? {
                (Word::Means(meaning), _) if meaning.weight == Weight::Own => Some(meaning),
                (Word::Means(_) | Word::Transport | Word::Timeout | Word::Silent, _) => None,
            }
        });
    if let Some(meaning) = said {
        say(Said::Means(meaning, Evidence::Text));
    }
}

/// The causes that a text of several lines names: Node's `[cause]:`, Rust's `Caused by:` with or without numbers, and what
/// a failed command printed. A line that merely has an error's words is a quotation.
fn causes<'t>(head: &'t str, mode: Mode, say: &mut dyn FnMut(Said<'t>)) {
    let Some((title, lines)) = head.split_once('\n') else { return };
    let failed = prefix::split(prefix::undecorated(title))
        .is_some_and(|(before, _)| prefix::precedes_an_error(before, mode));
    let mut beneath = false;
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()).take(2 * MAX_PARTS) {
        let marked = ["[cause]:", "Caused by:", "caused by:", "cause:"]
            .into_iter()
            .find_map(|mark| line.strip_prefix(mark));
        if let Some(cause) = marked {
            beneath = true;
            say(Said::Cause(cause));
        } else if beneath && !line.starts_with("at ") {
            say(Said::Cause(
                line.trim_start_matches(|first: char| first.is_ascii_digit()).trim_start_matches([':', ' ']),
            ));
        } else if let Some((before, after)) = prefix::split(line)
            && prefix::name(before).is_some()
        {
            // A name of this field says it by itself; "Error: session file locked" does where the first line failed.
            let own = |meaning: Meaning| meaning.weight == Weight::Own;
            let named = matches!(named(before, after), Some(Word::Means(meaning)) if own(meaning));
            if named || failed && phrases::meaning(after).is_some_and(own) {
                say(Said::Cause(line));
            }
        }
    }
}

/// The first line of `text`, at most `most` bytes of it.
pub(super) fn line(text: &str, most: usize) -> &str {
    let text = head(text, most);
    text.split_once('\n').map_or(text, |(line, _)| line)
}

/// Does the text say that something took too long?
pub(super) fn says_timeout(text: &str) -> bool {
    let line = line(text, 256);
    ["timed out", "timeout", "deadline exceeded"].iter().any(|words| contains(line, words))
}

/// Does a stale error's message say, at its start, that the lease was lost?
pub(super) fn says_lease_lost(text: &str) -> bool {
    let mut rest = head(text, MAX_TEXT);
    for _ in 0..MAX_PREFIXES {
        rest = prefix::undecorated(rest);
        if phrases::lease_lost(rest) {
            return true;
        }
        match prefix::split(rest) {
            Some((before, after)) if prefix::precedes_an_error(before, Mode::Strict) => rest = after,
            Some(_) | None => return false,
        }
    }
    false
}
