//! Reading a session from the end of its transcript, as far back as a model will see.
//!
//! The decision: the active branch is read in a window. It ends where the branch begins, at the first entry that the latest
//! compaction kept, or after [`WINDOW`] bytes. What must stay true: memory is bounded by the window, not by the file.

use std::{fs::File, io, path::Path};

use serde_json::Value;

use super::{
    entry::{Entry, Kind},
    format::Tip,
    jsonl::first_line,
    lines::Backward,
    scan,
    session::{Session, SessionHeader},
    tree::{self, Tree},
};

/// The most that is read back: several times what the largest context windows take as text.
const WINDOW: u64 = 32 * 1024 * 1024;

/// Reads a session from its transcript, without a lock: what another process is writing right now may be missing.
///
/// Blocking: at most 32 MiB are read, however long the transcript is, and the rest of the line that begins before them.
///
/// # Errors
/// The file cannot be opened or read. What is written in it is never an error.
pub fn read_session(path: &Path) -> io::Result<Session> {
    let file = scan::open_to_read(path)?;
    let len = file.metadata()?.len();
    load(&file, len)
}

/// Loads the window that ends at `len`.
pub(crate) fn load(file: &File, len: u64) -> io::Result<Session> {
    let header = first_line(file, len)?.as_deref().and_then(header_of);
    let mut lines = Backward::new(file, len);
    let mut reading = Reading { from: len, ..Reading::default() };
    let tree = loop {
        let more = reading.read_back(&mut lines, len)?;
        reading.entries.reverse();
        let tree = tree::resolve(&reading.entries, more);
        let complete = !tree.cut || reading.starts_at_kept(&tree);
        if complete || !more || len - reading.from >= WINDOW {
            break tree;
        }
        // The compaction that was met is not on the branch: read on without a mark to stop at.
        reading.entries.reverse();
        reading.kept_from = None;
        reading.met_compaction = true;
    };
    if reading.broken > 0 {
        tracing::warn!(
            lines = reading.broken,
            "a transcript has lines that are not readable; they are skipped"
        );
    }
    Ok(Session {
        header,
        leaf: tree.leaf.as_deref().map(str::to_owned),
        cut: tree.cut,
        branch: tree.branch,
        entries: reading.entries,
        broken: reading.broken,
        window_from: reading.from,
        len,
    })
}

/// Where the next entry goes, read from the last few lines alone where they say it.
pub(super) fn tip_of(file: &File, len: u64) -> io::Result<Tip> {
    for line in Backward::new(file, len) {
        let line = line?;
        let Some(entry) = Entry::read(&line.bytes) else { continue };
        match entry.kind() {
            Kind::Header => continue,
            // What it points to has to be looked up.
            Kind::Leaf => break,
            Kind::Message
            | Kind::CustomMessage
            | Kind::Custom
            | Kind::Label
            | Kind::SessionInfo
            | Kind::Compaction
            | Kind::BranchSummary
            | Kind::Setting
            | Kind::Other => {}
        }
        match entry.id() {
            _ if entry.side => {}
            Some(id) => return Ok(Tip { leaf: Some(id.to_owned()), linear: false }),
            None => break,
        }
    }
    Ok(load(file, len)?.tip())
}

#[derive(Default)]
struct Reading {
    entries: Vec<Entry>,
    broken: usize,
    /// The entry at which reading may stop: the first one that the latest compaction kept.
    kept_from: Option<String>,
    met_compaction: bool,
    from: u64,
}

impl Reading {
    /// Reads back to a place where stopping makes sense; whether there is more before it.
    fn read_back(&mut self, lines: &mut Backward<'_>, len: u64) -> io::Result<bool> {
        for line in lines {
            let line = line?;
            self.from = line.offset;
            let more = line.offset > 0;
            match Entry::read(&line.bytes) {
                Some(entry) => {
                    if entry.kind() == Kind::Compaction && !self.met_compaction {
                        self.met_compaction = true;
                        let value = entry.value();
                        self.kept_from =
                            value.get("firstKeptEntryId").and_then(Value::as_str).map(str::to_owned);
                    }
                    let reached = self.kept_from.is_some() && self.kept_from.as_deref() == entry.id();
                    self.entries.push(entry);
                    if reached && more {
                        return Ok(true);
                    }
                }
                None if line.bytes.trim_ascii().is_empty() && !line.too_long => {}
                None => self.broken += 1,
            }
            if more && len - line.offset >= WINDOW {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether the branch, though cut, begins with what its compaction kept.
    fn starts_at_kept(&self, tree: &Tree) -> bool {
        let first = tree.branch.first().and_then(|index| self.entries[*index].id());
        first.is_some()
            && first == self.kept_from.as_deref()
            && tree.branch.iter().any(|index| self.entries[*index].kind() == Kind::Compaction)
    }
}

fn header_of(line: &[u8]) -> Option<SessionHeader> {
    let entry = Entry::read(line).filter(|entry| entry.kind() == Kind::Header)?;
    let value = entry.value();
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    Some(SessionHeader {
        id: text("id")?,
        version: value.get("version").and_then(Value::as_u64).unwrap_or(1),
        timestamp: text("timestamp"),
        cwd: text("cwd"),
        raw: entry.raw().to_owned(),
    })
}

/// The version that a file beginning with `head` states; `None` when it does not begin with a header.
pub(super) fn version_of(head: &[u8]) -> Option<u64> {
    let line = head.split(|byte| *byte == b'\n').next()?;
    header_of(line).map(|header| header.version)
}
