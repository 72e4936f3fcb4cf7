//! The session model: what a transcript of the OpenClaw generation says, read without reading it whole, and written
//! without touching what others wrote.
//!
//! A transcript is JSON Lines: a `session` header, then entries that form a tree by `id` and `parentId`; the last entry
//! that is not a side entry is the leaf, and the way from the root to it is the active branch. What must stay true: a line
//! that is there is never serialised again, whatever it says; a line that cannot be read is skipped, not repaired.

mod append;
mod context;
mod draft;
mod entry;
mod fork;
mod format;
mod jsonl;
mod lines;
mod load;
mod mentions;
mod merge;
mod migration;
mod scan;
mod session;
mod tree;

pub use append::{SessionError, append_entry, create_session};
pub use draft::{Added, Draft, NewSession, WriteAs};
pub use entry::{Entry, Kind, Origin, Provenance};
pub use fork::fork_session;
pub use format::{Lines, Merged, Tip, Transcript};
pub use jsonl::Jsonl;
pub use load::read_session;
pub use scan::{Scan, scan_session};
pub use session::{Session, SessionHeader, Unfinished};

pub(crate) use append::{append_with, released};
pub(crate) use context::{message_of, paired};
pub(crate) use draft::compose;
pub(crate) use lines::Forward;
pub(crate) use load::load;
pub(crate) use mentions::mentions;
pub(crate) use scan::open_to_read;
