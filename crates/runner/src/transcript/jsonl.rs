//! The JSON Lines format of the OpenClaw generation, as the lock window sees it.

use std::{fs::File, io};

use super::{
    entry::{Entry, Origin},
    format::{Merged, Tip, Transcript},
    lines::Forward,
    load,
    merge::Merging,
    session,
};

/// Session transcripts of the OpenClaw 2026.5 to 2026.7 generation (header version 3; versions 1 and 2 are read, too).
#[derive(Clone, Copy, Debug, Default)]
pub struct Jsonl;

impl Transcript for Jsonl {
    fn tip(&self, file: &File, len: u64) -> io::Result<Tip> {
        load::tip_of(file, len)
    }

    fn is_whole(&self, line: &[u8]) -> bool {
        // A torn line can be valid JSON only if it is a bare number or word, and no entry is one.
        Entry::read(line).is_some()
    }

    fn origin(&self, line: &[u8], run: &str) -> Origin {
        Entry::read(line).map_or(Origin::Metadata, |entry| entry.origin(run))
    }

    fn merge(
        &self,
        run: &str,
        tip: Tip,
        lines: &mut dyn Iterator<Item = io::Result<Vec<u8>>>,
    ) -> io::Result<Merged> {
        let mut merging = Merging::new(run, tip);
        for line in lines {
            if let Some(what) = merging.add(&line?) {
                return Ok(Merged::Takeover { what });
            }
        }
        Ok(merging.accepted())
    }

    fn may_migrate(&self, head: &[u8]) -> bool {
        load::version_of(head).is_some_and(|version| version < session::VERSION)
    }

    fn migrated(&self, old: &[u8], new: &[u8]) -> Option<u64> {
        super::migration::covered(old, new)
    }
}

/// The header line of a file, where it has one.
pub(super) fn first_line(file: &File, len: u64) -> io::Result<Option<Vec<u8>>> {
    Forward::new(file, 0, len).next().transpose().map(|line| line.map(|line| line.bytes))
}
