//! What errors say in words, where nothing but words is left of them.
//!
//! The decision: a phrase counts only at the start of the text (or of what stands behind a prefix that programs put before
//! an error, see [`super::prefix`]), and only with what follows it in the real message. The option not taken is searching
//! the text for it: a provider that quotes "session file locked" out of the prompt would then be a lock error.
//!
//! What must stay true: a phrase is a whole clause of a known message, never a word such as "locked" or "timeout".

use super::word::{
    BUG, CLIENT_GONE, CONFIG, DISK_FULL, LANE_TIMEOUT, LOCK_LOST, LOCK_STALE, LOCK_TIMEOUT, Meaning,
    PERMISSION, SHUTDOWN, STORAGE_BUSY, SUPERSEDED, TAKEOVER, TLS_TRUST, USER, begun, hint, own, wrapper,
};

/// What must come after the start of a phrase.
enum Then {
    /// Anything.
    Any,
    /// A parenthesis, a colon or the end: the clause ends here.
    End,
    /// These words, within the same line.
    Words(&'static str),
}

const LOCK: &str = "text-lock";
const STORE: &str = "text-storage";
const LOCAL: &str = "text-local";
const TLS: &str = "text-tls";
const CANCEL: &str = "text-cancel";
const DEFECT: &str = "text-bug";

/// Start, continuation, meaning. Lower case (texts are compared without regard to it), and in the order of their first
/// letters, so that a text is compared with those of its own letter only. "Session lock" is this house's own message,
/// after another program kept nothing but its words.
const PHRASES: &[(&str, Then, Meaning)] = &[
    ("[ssl: certificate_verify_failed]", Then::Any, hint(TLS_TRUST, TLS)),
    ("agent run superseded by a newer session writer", Then::Any, begun(SUPERSEDED, LOCK)),
    ("agent run belongs to a stale gateway lifecycle", Then::Any, begun(SUPERSEDED, LOCK)),
    ("attempt to write a readonly database", Then::Any, hint(PERMISSION, LOCAL)),
    ("agent run aborted for restart", Then::Any, begun(SHUTDOWN, CANCEL)),
    ("agent run aborted", Then::End, begun(USER, CANCEL)),
    ("aborted by user", Then::Any, hint(USER, CANCEL)),
    ("aborted by the user", Then::Any, hint(USER, CANCEL)),
    ("assertion failed: ", Then::Any, hint(BUG, DEFECT)),
    ("assertion `", Then::Words("` failed"), hint(BUG, DEFECT)),
    ("attempt to ", Then::Words(" with overflow"), hint(BUG, DEFECT)),
    ("attempt to divide by zero", Then::Any, hint(BUG, DEFECT)),
    ("command lane ", Then::Words(" task timed out"), begun(LANE_TIMEOUT, LOCK)),
    ("command lane ", Then::Words("cleared"), own(USER, CANCEL)),
    ("config validation failed", Then::End, hint(CONFIG, LOCAL)),
    ("certificate has expired", Then::Any, hint(TLS_TRUST, TLS)),
    ("certificate is not yet valid", Then::Any, hint(TLS_TRUST, TLS)),
    ("certificate verify failed", Then::Any, hint(TLS_TRUST, TLS)),
    ("command was killed with sigterm", Then::Any, hint(SHUTDOWN, CANCEL)),
    ("client disconnected", Then::Any, hint(CLIENT_GONE, CANCEL)),
    ("client closed the connection", Then::Any, hint(CLIENT_GONE, CANCEL)),
    ("client connection closed", Then::Any, hint(CLIENT_GONE, CANCEL)),
    ("cancelled by user", Then::Any, hint(USER, CANCEL)),
    ("cancelled by the user", Then::Any, hint(USER, CANCEL)),
    ("canceled by user", Then::Any, hint(USER, CANCEL)),
    ("canceled by the user", Then::Any, hint(USER, CANCEL)),
    ("cancelled by operator", Then::Any, hint(USER, CANCEL)),
    ("cannot read properties of undefined", Then::Any, hint(BUG, DEFECT)),
    ("cannot read properties of null", Then::Any, hint(BUG, DEFECT)),
    ("cannot set properties of undefined", Then::Any, hint(BUG, DEFECT)),
    ("cannot set properties of null", Then::Any, hint(BUG, DEFECT)),
    ("cannot read property '", Then::Any, hint(BUG, DEFECT)),
    ("called `option::", Then::Words("`none` value"), hint(BUG, DEFECT)),
    ("called `result::", Then::Words("value"), hint(BUG, DEFECT)),
    ("database is locked", Then::Any, hint(STORAGE_BUSY, STORE)),
    ("database table is locked", Then::Any, hint(STORAGE_BUSY, STORE)),
    ("database schema is locked", Then::Any, hint(STORAGE_BUSY, STORE)),
    ("disk quota exceeded", Then::Any, hint(DISK_FULL, LOCAL)),
    ("database or disk is full", Then::Any, hint(DISK_FULL, LOCAL)),
    ("file lock timeout for ", Then::Any, own(LOCK_TIMEOUT, LOCK)),
    ("file lock stale for ", Then::Any, own(LOCK_STALE, LOCK)),
    ("gateway is draining", Then::Any, own(SHUTDOWN, CANCEL)),
    ("gateway is shutting down", Then::Any, own(SHUTDOWN, CANCEL)),
    ("hostname/ip does not match certificate", Then::Any, hint(TLS_TRUST, TLS)),
    ("invalid config", Then::End, hint(CONFIG, LOCAL)),
    ("invalid peer certificate", Then::Any, hint(TLS_TRUST, TLS)),
    ("internal error: entered unreachable code", Then::Any, hint(BUG, DEFECT)),
    ("index out of bounds: the len is ", Then::Any, hint(BUG, DEFECT)),
    ("killed by sigterm", Then::Any, hint(SHUTDOWN, CANCEL)),
    ("missing required environment variable", Then::Any, hint(CONFIG, LOCAL)),
    ("maximum call stack size exceeded", Then::Any, hint(BUG, DEFECT)),
    ("no space left on device", Then::Any, hint(DISK_FULL, LOCAL)),
    ("panicked at ", Then::Any, hint(BUG, DEFECT)),
    ("panic: runtime error", Then::Any, hint(BUG, DEFECT)),
    ("restart recovery claim changed before agent adoption", Then::Any, own(SUPERSEDED, LOCK)),
    ("reply session initialization conflicted", Then::Any, own(STORAGE_BUSY, STORE)),
    ("read-only file system", Then::Any, hint(PERMISSION, LOCAL)),
    ("requested agent harness ", Then::Words(" is not registered"), hint(CONFIG, LOCAL)),
    ("received sigterm", Then::Any, hint(SHUTDOWN, CANCEL)),
    ("received sigint", Then::Any, hint(USER, CANCEL)),
    ("request was aborted", Then::Any, wrapper(USER, CANCEL)),
    ("session file locked", Then::End, own(LOCK_TIMEOUT, LOCK)),
    ("session file lock stale", Then::End, own(LOCK_STALE, LOCK)),
    ("session file changed while embedded prompt lock", Then::Any, begun(TAKEOVER, LOCK)),
    ("session writer claim changed before transcript persistence", Then::Any, begun(SUPERSEDED, LOCK)),
    ("state lease ", Then::Words(" was lost"), begun(LOCK_LOST, LOCK)),
    ("session ", Then::Words(" already has an active turn claim"), own(LOCK_TIMEOUT, LOCK)),
    ("session ", Then::Words(" changed while starting work"), own(STORAGE_BUSY, STORE)),
    ("session ", Then::Words(" was deleted while starting work"), own(STORAGE_BUSY, STORE)),
    ("session lock ", Then::Words(" not acquired within "), own(LOCK_TIMEOUT, LOCK)),
    ("session lock ", Then::Words(" is stale ("), own(LOCK_STALE, LOCK)),
    ("session lock ", Then::Words(" was lost"), begun(LOCK_LOST, LOCK)),
    ("sqlite transcript changed while preparing ", Then::Any, own(STORAGE_BUSY, STORE)),
    ("sqlite session state changed while preparing ", Then::Any, own(STORAGE_BUSY, STORE)),
    ("spawn ", Then::Words(" enoent"), hint(CONFIG, LOCAL)),
    ("self signed certificate", Then::Any, hint(TLS_TRUST, TLS)),
    ("self-signed certificate", Then::Any, hint(TLS_TRUST, TLS)),
    ("server is shutting down", Then::Any, hint(SHUTDOWN, CANCEL)),
    ("shutting down", Then::Any, hint(SHUTDOWN, CANCEL)),
    ("signal is aborted without reason", Then::Any, wrapper(USER, CANCEL)),
    ("the transcript writer no longer owned this session", Then::Any, begun(SUPERSEDED, LOCK)),
    ("timed out draining work before reply session rollover", Then::Any, own(LANE_TIMEOUT, LOCK)),
    ("timed out waiting for ", Then::Words(" lease "), own(LOCK_TIMEOUT, LOCK)),
    ("the database file is locked", Then::Any, hint(STORAGE_BUSY, STORE)),
    ("the state database was busy", Then::Any, hint(STORAGE_BUSY, STORE)),
    ("the state database was locked", Then::Any, hint(STORAGE_BUSY, STORE)),
    ("there is not enough space on the disk", Then::Any, hint(DISK_FULL, LOCAL)),
    ("the state database was full", Then::Any, hint(DISK_FULL, LOCAL)),
    ("the state database was read-only", Then::Any, hint(PERMISSION, LOCAL)),
    ("terminated by sigterm", Then::Any, hint(SHUTDOWN, CANCEL)),
    ("the user aborted a request", Then::Any, hint(USER, CANCEL)),
    ("this operation was aborted", Then::Any, wrapper(USER, CANCEL)),
    ("the operation was aborted", Then::Any, wrapper(USER, CANCEL)),
    ("the operation was canceled", Then::Any, wrapper(USER, CANCEL)),
    ("the operation was cancelled", Then::Any, wrapper(USER, CANCEL)),
    ("thread '", Then::Words("panicked at"), hint(BUG, DEFECT)),
    ("task ", Then::Words(" panicked"), hint(BUG, DEFECT)),
    ("unable to verify the first certificate", Then::Any, hint(TLS_TRUST, TLS)),
    ("unable to get local issuer certificate", Then::Any, hint(TLS_TRUST, TLS)),
    ("unable to get issuer certificate", Then::Any, hint(TLS_TRUST, TLS)),
    ("x509: ", Then::Any, hint(TLS_TRUST, TLS)),
];

/// How far after a start its continuation is looked for.
const REACH: usize = 256;

/// What the text says at its start.
pub(super) fn meaning(text: &str) -> Option<Meaning> {
    let first = text.as_bytes().first()?.to_ascii_lowercase();
    let from = PHRASES.partition_point(|(start, _, _)| start.as_bytes()[0] < first);
    let same_letter = PHRASES[from..].iter().take_while(|(start, _, _)| start.as_bytes()[0] == first);
    let (_, _, meaning) = same_letter.into_iter().find(|(start, then, _)| {
        begins(text, start)
            && match then {
                Then::Any => true,
                Then::End => matches!(
                    text[start.len()..].trim_start().bytes().next(),
                    None | Some(b'(' | b':' | b'\n' | b'|')
                ),
                Then::Words(words) => contains(super::text::line(&text[start.len()..], REACH), words),
            }
    })?;
    Some(super::word::refined(*meaning, lease_lost(text)))
}

/// Does the text begin with a stale lock whose reasons, in parentheses, name the lost lease?
pub(super) fn lease_lost(text: &str) -> bool {
    const START: &str = "session file lock stale (";
    let Some(rest) = begins(text, START).then(|| &text[START.len()..]) else { return false };
    let (reasons, _) = rest.split_once(')').unwrap_or((rest, ""));
    crate::wire::head(reasons, REACH).split(',').any(|reason| reason.trim() == "lease-lost")
}

/// Does the text begin with `start`, which is lower-case ASCII?
pub(super) fn begins(text: &str, start: &str) -> bool {
    // The first byte rules out nearly everything; the rest of the comparison is then not begun.
    let first = |text: &str| text.as_bytes().first().map(u8::to_ascii_lowercase);
    first(text) == first(start)
        && text.as_bytes().get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
}

/// Does `text`, which is short, contain `words`, which are lower-case ASCII?
pub(super) fn contains(text: &str, words: &str) -> bool {
    text.as_bytes().windows(words.len()).any(|window| window.eq_ignore_ascii_case(words.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_stand_in_the_order_of_their_first_letters() {
        assert!(PHRASES.is_sorted_by_key(|(start, _, _)| start.as_bytes()[0]));
        for (start, then, _) in PHRASES {
            assert!(start.is_ascii() && *start == start.to_lowercase(), "{start}");
            if let Then::Words(words) = then {
                assert!(words.is_ascii() && *words == words.to_lowercase(), "{words}");
            }
        }
    }

    #[test]
    fn a_phrase_counts_at_the_start_and_with_what_follows_it() {
        let code = |text: &str| meaning(text).map(|meaning| meaning.code);
        assert_eq!(code("Session file locked (timeout 5ms): pid=1"), Some(LOCK_TIMEOUT));
        assert_eq!(code("session file locked"), Some(LOCK_TIMEOUT));
        assert_eq!(code("session file locked by the editor"), None);
        assert_eq!(code("the session file locked (timeout 5ms)"), None);
        assert_eq!(code("session file lock stale (too-old, lease-lost): pid=1"), Some(LOCK_LOST));
        assert_eq!(code("session file lock stale (too-old): lease-lost"), Some(LOCK_STALE));
        assert_eq!(code("Command lane \"main\" task timed out after 5ms"), Some(LANE_TIMEOUT));
        assert_eq!(code("Command lane \"main\" is idle\n task timed out"), None);
    }
}
