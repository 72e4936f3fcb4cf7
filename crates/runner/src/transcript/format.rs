//! The port to a transcript's format: what the lock window has to know about the lines it guards, and nothing else.
//!
//! The decision: the format is asked two questions, "where do I go on?" and "somebody added these lines: may I go on?". A
//! runtime with a format of its own answers them and gets lock, fence and takeover. The option not taken is to require our
//! entries; the lock locks any file, and so does its window.

use std::{fs::File, io};

use super::entry::Origin;

/// Where the next entry goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tip {
    /// The active leaf: the parent of the next entry.
    pub leaf: Option<String>,
    /// The file is a list: entries have neither ids nor parents.
    pub linear: bool,
}

/// Lines to append, and where the run stands after them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// Whole lines, each with its newline.
    pub bytes: Vec<u8>,
    /// The new leaf.
    pub tip: Tip,
}

/// What became of the lines that others added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merged {
    /// They are side by side with ours; the run goes on from `tip`.
    Accepted {
        /// Where the run goes on.
        tip: Tip,
        /// Lines among them that concern the run, such as announcements, as they are in the file.
        news: Vec<String>,
    },
    /// Somebody else continued the session.
    Takeover {
        /// In a few words, for people: what was found, never what it says.
        what: String,
    },
}

/// A transcript format.
pub trait Transcript: Send + Sync {
    /// Where a run goes on in a file of `len` bytes.
    ///
    /// # Errors
    /// The file cannot be read.
    fn tip(&self, file: &File, len: u64) -> io::Result<Tip>;

    /// Whether a last line without its newline is a complete record after all.
    fn is_whole(&self, line: &[u8]) -> bool;

    /// Whose line it is, seen by the run `run`.
    fn origin(&self, line: &[u8], run: &str) -> Origin;

    /// Whether the run `run`, standing at `tip`, may go on after others added `lines`.
    ///
    /// The default goes on unless one of them is [`Origin::Foreign`].
    ///
    /// # Errors
    /// The lines cannot be read.
    fn merge(
        &self,
        run: &str,
        tip: Tip,
        lines: &mut dyn Iterator<Item = io::Result<Vec<u8>>>,
    ) -> io::Result<Merged> {
        for line in lines {
            if self.origin(&line?, run) == Origin::Foreign {
                return Ok(Merged::Takeover { what: "a line of another writer".to_owned() });
            }
        }
        Ok(Merged::Accepted { tip, news: Vec::new() })
    }

    /// Whether a file that begins with `head` may be rewritten by a pure migration of its format; then its contents are
    /// kept for the comparison.
    fn may_migrate(&self, _head: &[u8]) -> bool {
        false
    }

    /// How many bytes of `new` are `old`, migrated; `None` when it is not a pure migration.
    fn migrated(&self, _old: &[u8], _new: &[u8]) -> Option<u64> {
        None
    }
}
