//! The session lock: who may write a session's transcript, and what happens when somebody else did.
//!
//! A lock is a sidecar file `<file>.lock` that says who owns the *turn*. Its life is proved by the kernel, not by its
//! age: the owner keeps it open, locked and writable, and a lock whose owner lives is never removed; it is reported
//! ([`LockError::Stale`]). [`Journal`] is the only code that opens a transcript for append; every append verifies the
//! guard inside its own exclusive file lock.
//!
//! This crate reads no environment unless asked ([`LockConfig::from_env`]), installs no handlers and starts one thread
//! with the first acquisition (`background.rs` says why). It locks any file and knows no key syntax.
//!
//! Reading order: `judge.rs`, `publish.rs`, `reclaim.rs`, `acquire.rs`, `hold.rs`, `journal.rs`.

mod acquire;
mod background;
mod config;
#[cfg(feature = "control")]
pub mod control;
mod doubt;
mod error;
mod evidence;
#[cfg(feature = "testkit")]
pub mod failpoint;
#[cfg(not(feature = "testkit"))]
mod failpoint;
mod fence;
mod guard_file;
mod held;
mod hold;
mod inspect;
mod journal;
mod journal_error;
pub mod judge;
mod lane;
mod locks;
mod nonce;
mod observer;
mod obstacle;
mod prehashed;
mod publish;
mod reclaim;
mod record;
mod registry;
mod sleep;
mod stats;
mod sweep;
mod sync;
mod sys;
mod tag;
mod target;

pub use config::{ConfigError, LockConfig, OnHoldExceeded, OnStale, SETTINGS, Setting};
pub use error::{LockError, LostHow, Relation, Report};
pub use fence::{Change, Fence};
pub use held::{Held, ReleaseError, TakenOver};
pub use hold::Inheritance;
pub use inspect::{EvidenceView, LockView};
pub use journal::{Durability, Journal, Opened};
pub use journal_error::JournalError;
pub use locks::{Locks, Wait};
pub use observer::Observer;
#[cfg(feature = "testkit")]
pub use publish::PublishMode;
#[cfg(feature = "testkit")]
pub use reclaim::ReclaimMode;
pub use record::Record;
pub use stats::Stats;
pub use sweep::Swept;
pub use tag::RunTag;
pub use target::Target;
