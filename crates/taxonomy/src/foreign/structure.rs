//! What the structure of one layer says: its codes, numbers and names, weighed against each other.
//!
//! The decision: the heaviest word speaks. A fact stands before the name that wraps it, a failed connection before the
//! `TypeError` that reports it, and a name that says nothing of the reason comes last. The option not taken is a fixed
//! order of fields, which makes `{name: "SessionWriteLockTimeoutError", code: "ABORT_ERR"}` an abort.
//!
//! What must stay true: text is used only to refine what structure has said (a lost lease, who wanted an abort), never to
//! overrule it.

use super::{
    Evidence, bugs,
    layer::Layer,
    locals, owned, phrases, text,
    word::{CLIENT_GONE, LOCK_STALE, Meaning, SHUTDOWN, USER, Weight, Word, own, refined, wrapper},
};
use crate::Code;

/// What the codes, numbers and names of a layer say, the heaviest word first.
pub(super) fn structure(layer: &Layer<'_>) -> Option<(Word, Evidence)> {
    if let Some(code) = layer.codes.iter().find_map(Code::parse) {
        return Some((Word::Means(own(code, "wire-code")), Evidence::Wire));
    }
    let message = layer.messages.first();
    let lost = || layer.lease_lost || message.is_some_and(text::says_lease_lost);
    let codes = layer.codes.iter().filter_map(|code| {
        if let Some(meaning) = locals::missing_program(code, layer.syscall) {
            return Some((Word::Means(meaning), Evidence::Errno));
        }
        owned::code(code)
            .map(|word| (word, Evidence::Code))
            .or_else(|| locals::code(code).map(|word| (word, Evidence::Errno)))
    });
    let names = layer.names.iter().filter_map(|name| {
        owned::name(name).or_else(|| bugs::name(name, message)).map(|word| (word, Evidence::Name))
    });
    let numbers = [
        layer.sqlite.and_then(owned::sqlite_number).map(|word| (word, Evidence::Code)),
        layer
            .errno
            .filter(|_| layer.codes.first().is_none())
            .and_then(locals::errno_number)
            .map(|word| (word, Evidence::Errno)),
        dom_exception(layer).map(|word| (word, Evidence::Code)),
        layer.signal.and_then(locals::signal).map(|meaning| (Word::Means(meaning), Evidence::Code)),
    ];
    let (word, evidence) =
        codes.chain(numbers.into_iter().flatten()).chain(names).min_by_key(|(word, _)| rank(*word))?;
    Some(match word {
        Word::Means(meaning) if meaning.code == LOCK_STALE => {
            (Word::Means(refined(meaning, lost())), evidence)
        }
        Word::Means(meaning) if meaning.weight == Weight::Wrapper => {
            (Word::Means(abort(meaning, layer)), evidence)
        }
        Word::Means(_) | Word::Transport | Word::Timeout | Word::Silent => (word, evidence),
    })
}

/// An abort whose words or reason say who wanted it.
fn abort(meaning: Meaning, layer: &Layer<'_>) -> Meaning {
    let says = |words: &[&str]| {
        let mut texts = layer.messages.iter().chain(layer.reason).map(|text| text::line(text, 256));
        texts.any(|text| words.iter().any(|word| phrases::contains(text, word)))
    };
    let code = if says(&["disconnect", "client closed", "client gone", "client went away"]) {
        CLIENT_GONE
    } else if says(&["shutdown", "shutting down", "restart", "sigterm", "draining"]) {
        SHUTDOWN
    } else {
        meaning.code
    };
    Meaning { code, ..meaning }
}

/// The order in which the words of one layer decide: a fact before the name that wraps it, a connection's failure before
/// the `TypeError` that reports it.
fn rank(word: Word) -> u8 {
    match word {
        Word::Means(Meaning { weight: Weight::Own, .. }) => 0,
        Word::Means(Meaning { weight: Weight::Fact, .. }) => 1,
        Word::Timeout => 2,
        Word::Transport => 3,
        Word::Means(Meaning { weight: Weight::Hint, .. }) => 4,
        Word::Means(Meaning { weight: Weight::Wrapper, .. }) => 5,
        Word::Silent => 6,
    }
}

/// The numbers that a `DOMException` has for its two names.
fn dom_exception(layer: &Layer<'_>) -> Option<Word> {
    let dom = layer.names.iter().any(|name| name == "DOMException");
    match layer.code_number.filter(|_| dom)? {
        20 => Some(Word::Means(wrapper(USER, "cancel-code"))),
        23 => Some(Word::Timeout),
        _ => None,
    }
}

/// An abort whose own words, or whose reason in a word, say that time ran out.
pub(super) fn is_timeout_abort(layer: &Layer<'_>) -> bool {
    layer.messages.iter().chain(layer.reason).any(text::says_timeout)
}
