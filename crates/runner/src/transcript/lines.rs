//! Lines of a file, forwards from an offset and backwards from an end, in bounded memory.
//!
//! The decision: reading backwards. A run needs the branch that ends at the leaf, and the leaf is at the end of the file;
//! a transcript of a gibibyte costs what its last mebibytes cost. The option not taken is an index beside the transcript,
//! which would be one more file that can disagree.
//!
//! What must stay true: no line longer than [`LONGEST`] is ever held in memory; it is skipped and counted.

use std::{borrow::Borrow, fs::File, io, os::unix::fs::FileExt};

/// The longest line that is looked at. Images in messages make lines of megabytes; this is far above.
pub(crate) const LONGEST: usize = 64 * 1024 * 1024;
/// Bytes read at once.
const BLOCK: usize = 128 * 1024;

/// A line without its newline, and where it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) offset: u64,
    /// Empty for a line that was too long.
    pub(crate) bytes: Vec<u8>,
    pub(crate) too_long: bool,
}

/// Reads forwards; the last line may lack its newline.
pub(crate) struct Forward<F> {
    file: F,
    /// Where the next block is read.
    at: u64,
    end: u64,
    /// Bytes read and not given out: `buffer[start..]`, which begin at file offset `at - (buffer.len() - start)`.
    buffer: Vec<u8>,
    start: usize,
    /// What comes is the rest of a line that is too long.
    passing: bool,
}

impl<F: Borrow<File>> Forward<F> {
    pub(crate) fn new(file: F, from: u64, end: u64) -> Self {
        Self { file, at: from, end, buffer: Vec::new(), start: 0, passing: false }
    }

    /// The lines that are at hand, without the newline of the last. A line that is too long is passed over in pieces, each given
    /// as an empty line.
    pub(crate) fn several(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            let begins = self.start;
            let rest = &self.buffer[begins..];
            if self.passing {
                let passed = memchr::memchr(b'\n', rest);
                self.passing = passed.is_none();
                self.start += passed.map_or(rest.len(), |newline| newline + 1);
                return if self.passing && !self.fill()? { Ok(None) } else { Ok(Some(&[])) };
            }
            if let Some(last) = memchr::memrchr(b'\n', rest) {
                self.start += last + 1;
                return Ok(Some(&self.buffer[begins..begins + last]));
            }
            if rest.len() > LONGEST {
                self.passing = true;
            } else if !self.fill()? {
                let begins = std::mem::replace(&mut self.start, self.buffer.len());
                return Ok(Some(&self.buffer[begins..]).filter(|rest| !rest.is_empty()));
            }
        }
    }

    fn fill(&mut self) -> io::Result<bool> {
        if self.at >= self.end {
            return Ok(false);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        let old = self.buffer.len();
        // Twice as much each time for a line that does not end, and no more than shows that it is too long.
        let want = old.min((LONGEST + 1).saturating_sub(old)).max(BLOCK);
        let want = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(want);
        self.buffer.resize(old + want, 0);
        let got = read_some(self.file.borrow(), &mut self.buffer[old..], self.at)?;
        self.buffer.truncate(old + got);
        self.at += got as u64;
        Ok(got > 0)
    }
}

impl<F: Borrow<File>> Iterator for Forward<F> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut searched = 0;
        let mut too_long = None;
        loop {
            let rest = &self.buffer[self.start..];
            let begins = self.at - rest.len() as u64;
            if let Some(found) = memchr::memchr(b'\n', &rest[searched..]) {
                let end = searched + found;
                let line = match too_long {
                    Some(offset) => Line { offset, bytes: Vec::new(), too_long: true },
                    None => Line { offset: begins, bytes: rest[..end].to_vec(), too_long: false },
                };
                self.start += end + 1;
                return Some(Ok(line));
            }
            if rest.len() > LONGEST {
                too_long.get_or_insert(begins);
                self.start = self.buffer.len();
            }
            searched = self.buffer.len() - self.start;
            match self.fill() {
                Ok(true) => {}
                Ok(false) => {
                    let rest = self.buffer.split_off(self.start);
                    self.buffer.clear();
                    self.start = 0;
                    return match too_long {
                        Some(offset) => Some(Ok(Line { offset, bytes: Vec::new(), too_long: true })),
                        None if rest.is_empty() => None,
                        None => Some(Ok(Line { offset: begins, bytes: rest, too_long: false })),
                    };
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// Reads backwards from `end`; the first line given may lack its newline.
pub(crate) struct Backward<'a> {
    file: &'a File,
    /// The file offset of `buffer[0]`.
    at: u64,
    buffer: Vec<u8>,
    /// A newline that ends the line to come has been given out with the line after it.
    first: bool,
}

impl<'a> Backward<'a> {
    pub(crate) fn new(file: &'a File, end: u64) -> Self {
        Self { file, at: end, buffer: Vec::new(), first: true }
    }

    fn fill(&mut self) -> io::Result<bool> {
        if self.at == 0 {
            return Ok(false);
        }
        let want = self.at.min(BLOCK.max(self.buffer.len()) as u64);
        let mut block = vec![0; usize::try_from(want).unwrap_or(BLOCK)];
        self.file.read_exact_at(&mut block, self.at - want)?;
        self.at -= want;
        block.append(&mut self.buffer);
        self.buffer = block;
        Ok(true)
    }
}

impl Iterator for Backward<'_> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut too_long = false;
        loop {
            if self.first && !self.buffer.is_empty() {
                // The newline of the last line is its end, not the beginning of an empty one.
                if self.buffer.last() == Some(&b'\n') {
                    self.buffer.pop();
                }
                self.first = false;
            }
            if let Some(newline) = memchr::memrchr(b'\n', &self.buffer) {
                let bytes = self.buffer.split_off(newline + 1);
                self.buffer.pop();
                let offset = self.at + newline as u64 + 1;
                let bytes = if too_long { Vec::new() } else { bytes };
                return Some(Ok(Line { offset, bytes, too_long }));
            }
            if self.buffer.len() > LONGEST {
                too_long = true;
                self.buffer.clear();
            }
            match self.fill() {
                Ok(true) => {}
                Ok(false) => {
                    if self.first || (self.buffer.is_empty() && !too_long && self.at == 0) {
                        return self.last_empty();
                    }
                    let bytes = std::mem::take(&mut self.buffer);
                    self.first = true;
                    let bytes = if too_long { Vec::new() } else { bytes };
                    return Some(Ok(Line { offset: 0, bytes, too_long }));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Backward<'_> {
    fn last_empty(&mut self) -> Option<io::Result<Line>> {
        // A file that begins with a newline has an empty first line; nobody needs it.
        self.first = true;
        None
    }
}

fn read_some(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    fn check(bytes: &[u8], expected: &[&str]) {
        let file = file(bytes);
        let len = bytes.len() as u64;
        let text = |line: io::Result<Line>| String::from_utf8(line.unwrap().bytes).unwrap();
        let forward: Vec<_> = Forward::new(&file, 0, len).map(text).collect();
        assert_eq!(forward, expected, "forward over {bytes:?}");
        let mut backward: Vec<_> = Backward::new(&file, len).map(text).collect();
        backward.reverse();
        // An empty first line is not given backwards.
        let expected = if expected.first() == Some(&"") { &expected[1..] } else { expected };
        assert_eq!(backward, expected, "backward over {bytes:?}");
        for line in Backward::new(&file, len) {
            let line = line.unwrap();
            let from = usize::try_from(line.offset).unwrap();
            assert_eq!(&bytes[from..from + line.bytes.len()], line.bytes);
        }
    }

    #[test]
    fn lines_come_in_both_directions() {
        check(b"", &[]);
        check(b"a\n", &["a"]);
        check(b"a", &["a"]);
        check(b"a\nb\nc\n", &["a", "b", "c"]);
        check(b"a\n\nc", &["a", "", "c"]);
        check(b"\nb\n", &["", "b"]);
        check(b"a\r\nb\r\n", &["a\r", "b\r"]);
    }

    #[test]
    fn lines_longer_than_a_block_are_whole() {
        let long = "x".repeat(BLOCK * 3 + 7);
        check(format!("a\n{long}\nb\n").as_bytes(), &["a", &long, "b"]);
        check(format!("{long}\n{long}").as_bytes(), &[&long, &long]);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_in_bounded_memory() {
        let file = tempfile::tempfile().unwrap();
        let hole = LONGEST as u64 * 2;
        file.write_all_at(b"first\n", 0).unwrap();
        file.write_all_at(b"\nlast\n", 6 + hole).unwrap();
        let end = 6 + hole + 6;
        let seen = |line: io::Result<Line>| {
            let line = line.unwrap();
            (line.offset, line.bytes.len(), line.too_long)
        };
        let forward: Vec<_> = Forward::new(&file, 0, end).map(seen).collect();
        assert_eq!(forward, [(0, 5, false), (6, 0, true), (7 + hole, 4, false)]);
        let backward: Vec<_> = Backward::new(&file, end).map(seen).collect();
        assert_eq!(backward, [(7 + hole, 4, false), (6, 0, true), (0, 5, false)]);
    }
}
