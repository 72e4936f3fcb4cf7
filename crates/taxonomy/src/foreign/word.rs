//! What one word of a foreign program's vocabulary means: an error code, an error name, or what a sentence says.
//!
//! The decision: a word carries its *weight*, so that the weighing needs no list of exceptions. The option not taken is
//! treating all names alike: `AbortError` wraps anything, `SessionWriteLockTimeoutError` is never anything else.
//!
//! What must stay true: the order of the weights is the order in which they decide.

use crate::{Cancelled, Code, Coordination, Effect, Local};

/// How much a recognised word weighs against provider evidence, heaviest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// A word that only programs of this field use. It decides even where an HTTP status stands beside it.
    Own,
    /// A structured fact of this machine: an errno, a certificate code. A provider's answer around it decides.
    Fact,
    /// A name or a sentence that wrappers use too. A provider's answer around it or beneath it decides.
    Hint,
    /// A name that says nothing of the reason (`AbortError`): everything else decides first.
    Wrapper,
}

/// A class, and how sure the word is of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meaning {
    pub(super) code: Code,
    pub(super) effect: Effect,
    pub(super) weight: Weight,
    pub(super) rule: &'static str,
}

/// What a code or a name says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// It names a class.
    Means(Meaning),
    /// A connection failed: a provider error if a provider was called, otherwise nothing that is recognised.
    Transport,
    /// Something took too long; an abort that carries it was nobody's wish.
    Timeout,
    /// Known, and it says nothing of the class: a wrapper's code, whose cause decides.
    Silent,
}

pub(super) const LOCK_TIMEOUT: Code = Code::Coordination(Coordination::LockTimeout);
pub(super) const LOCK_STALE: Code = Code::Coordination(Coordination::LockStale);
pub(super) const LOCK_LOST: Code = Code::Coordination(Coordination::LockLost);
pub(super) const TAKEOVER: Code = Code::Coordination(Coordination::SessionTakeover);
pub(super) const SUPERSEDED: Code = Code::Coordination(Coordination::WriterSuperseded);
pub(super) const LANE_TIMEOUT: Code = Code::Coordination(Coordination::LaneTimeout);
pub(super) const STORAGE_BUSY: Code = Code::Coordination(Coordination::StorageBusy);
pub(super) const USER: Code = Code::Cancelled(Cancelled::User);
pub(super) const CLIENT_GONE: Code = Code::Cancelled(Cancelled::ClientGone);
pub(super) const SHUTDOWN: Code = Code::Cancelled(Cancelled::Shutdown);
pub(super) const DISK_FULL: Code = Code::Local(Local::DiskFull);
pub(super) const PERMISSION: Code = Code::Local(Local::Permission);
pub(super) const TLS_TRUST: Code = Code::Local(Local::TlsTrust);
pub(super) const CONFIG: Code = Code::Local(Local::Config);
pub(super) const UNSUPPORTED: Code = Code::Local(Local::UnsupportedFilesystem);
pub(super) const BUG: Code = Code::Local(Local::Bug);
pub(super) const UNCLASSIFIED: Code = Code::Local(Local::Unclassified);

/// A word of this field, refused before anything happened.
pub(super) const fn own(code: Code, rule: &'static str) -> Meaning {
    Meaning { code, effect: Effect::None, weight: Weight::Own, rule }
}

/// A word of this field that ends something which had begun: it may have been seen.
pub(super) const fn begun(code: Code, rule: &'static str) -> Meaning {
    Meaning { code, effect: Effect::Possible, weight: Weight::Own, rule }
}

/// A structured fact.
pub(super) const fn fact(code: Code, rule: &'static str) -> Meaning {
    Meaning { code, effect: Effect::None, weight: Weight::Fact, rule }
}

/// A hint.
pub(super) const fn hint(code: Code, rule: &'static str) -> Meaning {
    Meaning { code, effect: Effect::None, weight: Weight::Hint, rule }
}

/// A wrapper's name.
pub(super) const fn wrapper(code: Code, rule: &'static str) -> Meaning {
    Meaning { code, effect: Effect::None, weight: Weight::Wrapper, rule }
}

/// A stale error whose reason is that the lease was lost is no stale lock: the lock was taken from its owner.
pub(super) fn refined(meaning: Meaning, lease_lost: bool) -> Meaning {
    if lease_lost && meaning.code == LOCK_STALE {
        Meaning { code: LOCK_LOST, effect: Effect::Possible, ..meaning }
    } else {
        meaning
    }
}
