//! A session, read from the end of its transcript as far back as the model will see; and the whole of it, line by line.
//!
//! The decision: the active branch is read in a window. It ends where the branch begins, at the first entry that the
//! latest compaction kept, or after [`WINDOW`] bytes. What must stay true: memory is bounded by the window, not by the file;
//! what was left out is said ([`Session::is_cut`]).

use std::{
    fs::File,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    entry::{Entry, Kind},
    format::Tip,
    jsonl::first_line,
    lines::{Backward, Forward},
    tree::{self, Tree},
};

/// The header version of the generation this crate writes.
pub(crate) const VERSION: u64 = 3;
/// The most that is read back: several times what the largest context windows take as text.
const WINDOW: u64 = 32 * 1024 * 1024;

/// The first line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionHeader {
    /// The session's id.
    pub id: String,
    /// The format's version; 1 where none is stated.
    pub version: u64,
    /// When it began, as written.
    pub timestamp: Option<String>,
    /// Where it works, as written.
    pub cwd: Option<String>,
    /// The whole line.
    pub raw: String,
}

/// A user's message that no reply, failure or cancellation follows: the run that worked on it died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    /// The entry of the user's message.
    pub entry_id: Option<String>,
    /// Its idempotency key, where it has one.
    pub idempotency_key: Option<String>,
    /// The run that wrote it, where it was one of ours.
    pub run_id: Option<String>,
    /// Tool calls that have no result: they may have had an effect.
    pub open_tool_calls: Vec<String>,
}

/// A session as a run sees it.
#[derive(Clone, Debug)]
pub struct Session {
    header: Option<SessionHeader>,
    entries: Vec<Entry>,
    branch: Vec<usize>,
    leaf: Option<String>,
    cut: bool,
    broken: usize,
    len: u64,
}

impl Session {
    /// The header, where the first line is one.
    #[must_use]
    pub fn header(&self) -> Option<&SessionHeader> {
        self.header.as_ref()
    }

    /// The active branch, root first; its beginning is missing when [`Session::is_cut`].
    pub fn branch(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.branch.iter().map(|index| &self.entries[*index])
    }

    /// Every entry of the window, in file order: side entries and metadata too.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Whether an entry of the window is on the active branch.
    #[must_use]
    pub fn is_on_branch(&self, entry: &Entry) -> bool {
        self.branch().any(|other| std::ptr::eq(other, entry))
    }

    /// The id of the active leaf.
    #[must_use]
    pub fn leaf(&self) -> Option<&str> {
        self.leaf.as_deref()
    }

    /// Whether the branch goes on before the window.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Lines of the window that could not be read.
    #[must_use]
    pub fn broken_lines(&self) -> usize {
        self.broken
    }

    /// Bytes of the transcript.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the transcript is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The name of the session: the latest `session_info` of the window.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let info = self.entries.iter().rev().find(|entry| entry.kind() == Kind::SessionInfo)?;
        let value = info.value();
        value
            .get("name")
            .and_then(Value::as_str)
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
    }

    /// Where the next entry goes.
    #[must_use]
    pub fn tip(&self) -> Tip {
        let first_generation = self.header.as_ref().is_some_and(|header| header.version < 2);
        let linear = first_generation && self.branch().next_back().is_none_or(|entry| entry.id().is_none());
        Tip { leaf: self.leaf.clone(), linear }
    }

    /// The turn at the end of the branch that nobody settled, if there is one. While a run works on the session this is
    /// that run's turn.
    #[must_use]
    pub fn unfinished(&self) -> Option<Unfinished> {
        let mut open_tool_calls = Vec::new();
        let mut answered = Vec::new();
        let mut settled: Vec<String> = Vec::new();
        for entry in &self.entries {
            if let Some(mark) = entry.provenance().filter(|mark| mark.settled.is_some()) {
                settled.extend(mark.turn.clone());
            }
        }
        for entry in
            self.branch().rev().filter(|entry| entry.kind() == Kind::Message && !entry.transcript_only)
        {
            let value = entry.value();
            let message = value.get("message").unwrap_or(&Value::Null);
            match entry.role() {
                Some("toolResult") => {
                    answered.extend(message.get("toolCallId").and_then(Value::as_str).map(str::to_owned));
                }
                Some("assistant") => {
                    let calls = calls_of(message);
                    if calls.is_empty() {
                        return None;
                    }
                    open_tool_calls.extend(calls.into_iter().filter(|call| !answered.contains(call)));
                }
                Some("user") => {
                    let key = message.get("idempotencyKey").and_then(Value::as_str).map(str::to_owned);
                    let turn = entry.provenance().and_then(|mark| mark.turn.clone());
                    if turn.as_ref().or(key.as_ref()).is_some_and(|key| settled.contains(key)) {
                        return None;
                    }
                    return Some(Unfinished {
                        entry_id: entry.id().map(str::to_owned),
                        idempotency_key: key,
                        run_id: entry.provenance().map(|mark| mark.run.clone()),
                        open_tool_calls,
                    });
                }
                Some(_) | None => {}
            }
        }
        None
    }
}

fn calls_of(message: &Value) -> Vec<String> {
    let blocks = message.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let calls = blocks.iter().filter(|block| block.get("type").and_then(Value::as_str) == Some("toolCall"));
    calls.filter_map(|call| call.get("id").and_then(Value::as_str)).map(str::to_owned).collect()
}

/// Reads a session from its transcript, without a lock: what another process is writing right now may be missing.
///
/// Blocking: at most 32 MiB are read, however long the transcript is.
///
/// # Errors
/// The file cannot be opened or read. What is written in it is never an error.
pub fn read_session(path: &Path) -> io::Result<Session> {
    let file = open(path)?;
    let len = file.metadata()?.len();
    load(&file, len)
}

/// Goes through every readable entry of a transcript, first to last, holding one line at a time.
///
/// # Errors
/// The file cannot be opened; the items carry what goes wrong later.
pub fn scan_session(path: &Path) -> io::Result<Scan> {
    let file = open(path)?;
    let len = file.metadata()?.len();
    Ok(Scan { file, at: 0, len, path: path.to_owned() })
}

fn open(path: &Path) -> io::Result<File> {
    // A fifo in the place of a transcript must not hang the reader.
    let file = std::fs::OpenOptions::new().read(true).custom_flags(NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok(file)
}

/// `O_NONBLOCK` on Linux.
const NONBLOCK: i32 = 0o4000;

/// The iterator of [`scan_session`].
#[derive(Debug)]
pub struct Scan {
    file: File,
    at: u64,
    len: u64,
    path: PathBuf,
}

impl Iterator for Scan {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.at < self.len {
            let mut lines = Forward::new(&self.file, self.at, self.len);
            for line in &mut lines {
                match line {
                    Ok(line) => {
                        self.at = line.offset + line.bytes.len() as u64 + 1;
                        match Entry::read(&line.bytes) {
                            Some(entry) => return Some(Ok(entry)),
                            None if line.bytes.trim_ascii().is_empty() && !line.too_long => {}
                            None => tracing::warn!(
                                transcript = %self.path.display(),
                                offset = line.offset,
                                "a line is not readable; it is skipped"
                            ),
                        }
                    }
                    Err(error) => {
                        self.at = self.len;
                        return Some(Err(error));
                    }
                }
            }
            self.at = self.len;
        }
        None
    }
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
