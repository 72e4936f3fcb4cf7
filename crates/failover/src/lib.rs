//! Classify a provider failure, decide, and run a chain of candidates.
//!
//! Three functions, each usable alone. [`classify()`] says what one failed call was: its class, what is unwell, what the
//! failed side allows, and by which documented rule we know. [`decide()`] says what to do about a verdict, as a pure
//! function of it, the state and the time. [`Chain::run`] does it: candidates in order, with preflight, cooldowns, one
//! probe at a time, a shared budget of second tries, and a record of every step.
//!
//! The decision: a class is read from what providers document, structure before text, and the policy of a class stands
//! once, in `moorline-taxonomy`. The option not taken is one list of patterns over the error's text, which is how a lock
//! error with the word *timeout* in it burns every model.
//!
//! An error that did not come from a provider call never walks the chain: [`CallError`] keeps such errors apart, and no
//! conversion leads from a lock error into it.
//!
//! This crate reads no environment, installs nothing, spawns nothing, and has no clock of its own.

mod attempt;
mod candidate;
mod chain;
mod chain_error;
mod classifier;
mod classify;
mod cooldown;
pub mod corpus;
mod decide;
mod delay;
mod envelope;
mod explain;
mod failure;
mod fold;
mod matcher;
mod preflight;
mod record;
mod rules;
mod run;
mod signal;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod vendor;
mod verdict;

pub use attempt::Attempt;
pub use candidate::{Candidate, Capabilities, Capability, Needs};
pub use chain::{Chain, Served};
pub use chain_error::{ChainError, Report};
pub use classifier::{Class, Classifier, CodeRule};
pub use classify::classify;
pub use cooldown::{Cooldown, Key, Why};
pub use decide::{Decision, Limits, State, StopReason, decide};
pub use explain::{Explained, Surface, explain, render};
pub use failure::{CallError, LocalFault, ProviderFailure, Source};
pub use preflight::{Preflight, Skip, preflight};
pub use record::{Event, Record};
pub use rules::{RuleInfo, rules};
pub use signal::{Provenance, Signal, Transport};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;
pub use store::{CooldownStore, LONGEST_LEASE, MemoryStore, StoreError};
pub use verdict::{Certainty, Evidence, Retry, Scope, Stated, Verdict};
