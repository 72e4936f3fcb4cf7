//! The codes and names that session-owning programs give their coordination errors and cancellations: OpenClaw and
//! fs-safe through the file-lock and the SQLite generations, and the peers whose locks stand beside them.
//!
//! The decision: a table per kind of word, read by people in docs/taxonomy.md. A word that no other field uses is
//! [`Weight::Own`]; a database or a lock library serves other fields too, and weighs less.
//!
//! What must stay true: codes compare exactly and names without their namespace, so that an environment variable or a
//! setting that merely begins like a code (`..._LOCK_STALE_MS`) is never one.

use crate::Code;

use super::word::{
    CLIENT_GONE, DISK_FULL, LANE_TIMEOUT, LOCK_LOST, LOCK_STALE, LOCK_TIMEOUT, Meaning, PERMISSION, SHUTDOWN,
    STORAGE_BUSY, SUPERSEDED, TAKEOVER, USER, Weight, Word, begun, fact, own, wrapper,
};

const CODE: &str = "legacy-code";
const NAME: &str = "legacy-name";
const LIBRARY: &str = "lock-library-code";
const CANCEL_CODE: &str = "cancel-code";
const CANCEL_NAME: &str = "cancel-name";

/// Codes.
const CODES: &[(&str, Word)] = &[
    ("OPENCLAW_SESSION_WRITE_LOCK_TIMEOUT", Word::Means(own(LOCK_TIMEOUT, CODE))),
    ("OPENCLAW_SESSION_WRITE_LOCK_STALE", Word::Means(own(LOCK_STALE, CODE))),
    ("file_lock_timeout", Word::Means(own(LOCK_TIMEOUT, CODE))),
    ("file_lock_stale", Word::Means(own(LOCK_STALE, CODE))),
    ("FILE_LOCK_TIMEOUT", Word::Means(own(LOCK_TIMEOUT, CODE))),
    ("FILE_LOCK_STALE", Word::Means(own(LOCK_STALE, CODE))),
    ("OPENCLAW_STATE_LEASE_HELD", Word::Means(own(LOCK_TIMEOUT, CODE))),
    ("OPENCLAW_STATE_LEASE_TIMEOUT", Word::Means(own(LOCK_TIMEOUT, CODE))),
    ("OPENCLAW_STATE_LEASE_LOST", Word::Means(begun(LOCK_LOST, CODE))),
    // Somebody's signal ended the wait for a lease; the signal's reason is the cause beneath.
    ("OPENCLAW_STATE_LEASE_ABORTED", Word::Means(wrapper(USER, CANCEL_CODE))),
    // The store failed under the lease; the store's own error is the cause beneath.
    ("OPENCLAW_STATE_LEASE_STORAGE_FAILED", Word::Silent),
    ("AGENT_RUN_SUPERSEDED_ABORT", Word::Means(begun(SUPERSEDED, CODE))),
    // A run of a gateway that has restarted since: the newer gateway's runs own the session.
    ("ERR_STALE_GATEWAY_LIFECYCLE", Word::Means(begun(SUPERSEDED, CODE))),
    ("ERR_RESTART_RECOVERY_CLAIM_CHANGED", Word::Means(own(SUPERSEDED, CODE))),
    ("OPENCLAW_RESTART_ABORT", Word::Means(begun(SHUTDOWN, CANCEL_CODE))),
    ("OPENCLAW_DIRECT_ABORT", Word::Means(begun(USER, CANCEL_CODE))),
    // The lock libraries of the Node world. Their locks guard other things too, hence a fact and not a word of our own.
    ("ELOCKED", Word::Means(fact(LOCK_TIMEOUT, LIBRARY))),
    ("ECOMPROMISED", Word::Means(fact(LOCK_LOST, LIBRARY))),
    ("ABORT_ERR", Word::Means(wrapper(USER, CANCEL_CODE))),
    ("ERR_CANCELED", Word::Means(wrapper(USER, CANCEL_CODE))),
    ("ERR_CANCELLED", Word::Means(wrapper(USER, CANCEL_CODE))),
    ("TIMEOUT_ERR", Word::Timeout),
];

/// Names, without namespace. A name that ends in `Error` is known without that word too.
const NAMES: &[(&str, Word)] = &[
    ("SessionWriteLockTimeoutError", Word::Means(own(LOCK_TIMEOUT, NAME))),
    ("SessionWriteLockStaleError", Word::Means(own(LOCK_STALE, NAME))),
    ("FileLockTimeoutError", Word::Means(own(LOCK_TIMEOUT, NAME))),
    ("FileLockStaleError", Word::Means(own(LOCK_STALE, NAME))),
    ("EmbeddedAttemptSessionTakeoverError", Word::Means(begun(TAKEOVER, NAME))),
    ("SessionTranscriptWriterClaimReboundError", Word::Means(begun(SUPERSEDED, NAME))),
    ("AgentHarnessSessionSupersededError", Word::Means(own(SUPERSEDED, NAME))),
    // The lane gave up on a task that was running: what it had begun may have been seen.
    ("CommandLaneTaskTimeoutError", Word::Means(begun(LANE_TIMEOUT, NAME))),
    // The session has a turn in progress; the claim is refused at once, and nothing has happened.
    ("ActiveTurnClaimError", Word::Means(own(LOCK_TIMEOUT, NAME))),
    // Another writer changed the session's row between read and commit; the commit was refused.
    ("SessionWorkStartChangedError", Word::Means(own(STORAGE_BUSY, NAME))),
    ("SqliteTranscriptMutationConflictError", Word::Means(own(STORAGE_BUSY, NAME))),
    ("SqliteSessionMutationConflictError", Word::Means(own(STORAGE_BUSY, NAME))),
    ("SessionEntryLifecycleUpsertConflictError", Word::Means(own(STORAGE_BUSY, NAME))),
    ("GatewayDrainingError", Word::Means(own(SHUTDOWN, CANCEL_NAME))),
    ("CommandLaneClearedError", Word::Means(own(USER, CANCEL_NAME))),
    ("AbortError", Word::Means(wrapper(USER, CANCEL_NAME))),
    ("APIUserAbortError", Word::Means(wrapper(USER, CANCEL_NAME))),
    ("CanceledError", Word::Means(wrapper(USER, CANCEL_NAME))),
    ("CancelledError", Word::Means(wrapper(USER, CANCEL_NAME))),
    ("CancelError", Word::Means(wrapper(USER, CANCEL_NAME))),
    ("CancellationError", Word::Means(wrapper(USER, CANCEL_NAME))),
    ("OperationCanceledException", Word::Means(wrapper(USER, CANCEL_NAME))),
    ("TaskCanceledException", Word::Means(wrapper(USER, CANCEL_NAME))),
    ("CancellationException", Word::Means(wrapper(USER, CANCEL_NAME))),
    ("KeyboardInterrupt", Word::Means(fact(USER, CANCEL_NAME))),
    ("ClientDisconnectedError", Word::Means(fact(CLIENT_GONE, CANCEL_NAME))),
    ("ClientDisconnectError", Word::Means(fact(CLIENT_GONE, CANCEL_NAME))),
    ("ClientDisconnect", Word::Means(fact(CLIENT_GONE, CANCEL_NAME))),
    ("TimeoutError", Word::Timeout),
];

/// What a code says.
pub(super) fn code(text: &str) -> Option<Word> {
    sqlite(text).or_else(|| lookup(CODES, text))
}

/// What an error name says. The namespace (`openclaw.`, `moorline::`) is not part of the name.
pub(super) fn name(text: &str) -> Option<Word> {
    let bare = text.rsplit(['.', ':']).next().unwrap_or(text);
    lookup(NAMES, bare).or_else(|| {
        let (_, word) = NAMES.iter().find(|(name, word)| {
            let own = matches!(word, Word::Means(Meaning { weight: Weight::Own, .. }));
            own && name.strip_suffix("Error") == Some(bare)
        })?;
        Some(*word)
    })
}

fn lookup(table: &[(&str, Word)], text: &str) -> Option<Word> {
    table.iter().find(|(word, _)| *word == text).map(|(_, word)| *word)
}

/// SQLite's result names, extended ones (`SQLITE_BUSY_SNAPSHOT`) included.
fn sqlite(text: &str) -> Option<Word> {
    let name = text.strip_prefix("SQLITE_")?.split('_').next()?;
    sqlite_number(match name {
        "PERM" => 3,
        "BUSY" => 5,
        "LOCKED" => 6,
        "READONLY" => 8,
        "FULL" => 13,
        "AUTH" => 23,
        _ => return Some(Word::Silent),
    })
}

/// SQLite's result numbers; the low byte of an extended one is the primary one.
pub(super) fn sqlite_number(number: i64) -> Option<Word> {
    const RULE: &str = "sqlite-code";
    Some(Word::Means(match number & 0xff {
        5 | 6 => fact(STORAGE_BUSY, RULE),
        3 | 8 | 23 => fact(PERMISSION, RULE),
        13 => fact(DISK_FULL, RULE),
        _ => return None,
    }))
}

/// The codes and names of other programs that mean one of our codes, for people to read.
///
/// ```
/// use moorline_taxonomy::foreign::legacy_words;
/// assert!(legacy_words().any(|(word, code)| word == "file_lock_stale" && code.name() == "lock_stale"));
/// ```
pub fn legacy_words() -> impl Iterator<Item = (&'static str, Code)> {
    CODES.iter().chain(NAMES).filter_map(|(word, meaning)| match meaning {
        Word::Means(meaning) => Some((*word, meaning.code)),
        Word::Transport | Word::Timeout | Word::Silent => None,
    })
}
