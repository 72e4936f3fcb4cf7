//! The rules of reading, in the order in which they are tried on one layer, for people: docs/taxonomy.md prints them.
//!
//! What must stay true: every rule that a [`Found`](super::Found) names is here, and a test meets each of them.

use super::Evidence;

/// One rule of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name in [`Found::rule`](super::Found::rule); stable.
    pub id: &'static str,
    /// What it reads from.
    pub evidence: Evidence,
    /// What it recognises.
    pub what: &'static str,
}

/// Every rule, in order.
pub const RULES: &[Rule] = &[
    rule("mark", Evidence::Wire, "A mark in a typed chain of this process."),
    rule(
        "wire-code",
        Evidence::Wire,
        "A code of ours (`domain.name`) in `code`. What stands beneath it does not decide: that error has classified itself.",
    ),
    rule("legacy-code", Evidence::Code, "A code of an OpenClaw or fs-safe program."),
    rule("lock-library-code", Evidence::Code, "A code of a lock-file library (`ELOCKED`, `ECOMPROMISED`)."),
    rule(
        "sqlite-code",
        Evidence::Code,
        "A SQLite result by name or number: busy and locked are contention, full and read-only are this machine's.",
    ),
    rule(
        "cancel-code",
        Evidence::Code,
        "A code that says that somebody ended the run (`ABORT_ERR`, `OPENCLAW_RESTART_ABORT`, a `DOMException` number).",
    ),
    rule(
        "signal",
        Evidence::Code,
        "The signal that ended a process: TERM and QUIT are a shutdown, INT the user, HUP a client that went away.",
    ),
    rule(
        "errno",
        Evidence::Errno,
        "An errno by name, number or `io::ErrorKind`. The network's are transport and not recognised here.",
    ),
    rule("tls-code", Evidence::Errno, "A certificate that is not trusted, as OpenSSL and Node name it."),
    rule(
        "runtime-code",
        Evidence::Errno,
        "A code of the runtime that says configuration (`ERR_INVALID_URL`) or defect (`ERR_ASSERTION`).",
    ),
    rule(
        "legacy-name",
        Evidence::Name,
        "The name of a coordination error of an OpenClaw or fs-safe program.",
    ),
    rule(
        "cancel-name",
        Evidence::Name,
        "A name that says that somebody ended the run. `AbortError` and its like say it last: everything else they carry decides first, and one that carries a timeout says nothing.",
    ),
    rule(
        "runtime-name",
        Evidence::Name,
        "`TypeError` and its like are defects, unless they report a failed connection or stand around a provider's answer; configuration and permission errors by name.",
    ),
    rule(
        "text-lock",
        Evidence::Text,
        "The words of a lock, takeover, superseded or lane error, at the start of the text or behind a prefix that programs put before errors.",
    ),
    rule("text-storage", Evidence::Text, "The words of a store that was busy under another writer."),
    rule(
        "text-local",
        Evidence::Text,
        "The words of a full disk, a read-only file system, a missing program or configuration.",
    ),
    rule("text-tls", Evidence::Text, "The words of a certificate that is not trusted."),
    rule("text-cancel", Evidence::Text, "The words of somebody who ended the run."),
    rule("text-bug", Evidence::Text, "The words of a panic, a failed assertion or a defect of a script."),
];

const fn rule(id: &'static str, evidence: Evidence, what: &'static str) -> Rule {
    Rule { id, evidence, what }
}
