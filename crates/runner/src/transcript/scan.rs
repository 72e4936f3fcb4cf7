//! The whole of a transcript, line by line: for history and audits. One line is in memory at a time.

use std::{
    fmt,
    fs::File,
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{entry::Entry, lines::Forward};

/// Goes through every readable entry of a transcript, first to last, holding one line at a time.
///
/// # Errors
/// The file cannot be opened; the items carry what goes wrong later.
pub fn scan_session(path: &Path) -> io::Result<Scan> {
    let file = open_to_read(path)?;
    let len = file.metadata()?.len();
    Ok(Scan { lines: Some(Forward::new(file, 0, len)), path: path.to_owned() })
}

/// Opens a transcript for reading.
pub(crate) fn open_to_read(path: &Path) -> io::Result<File> {
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
pub struct Scan {
    /// Gone after an error.
    lines: Option<Forward<File>>,
    path: PathBuf,
}

impl Iterator for Scan {
    type Item = io::Result<Entry>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.lines.as_mut()?.next()? {
                Ok(line) => match Entry::read(&line.bytes) {
                    Some(entry) => return Some(Ok(entry)),
                    None if line.bytes.trim_ascii().is_empty() && !line.too_long => {}
                    None => tracing::warn!(
                        transcript = %self.path.display(),
                        offset = line.offset,
                        "a line is not readable; it is skipped"
                    ),
                },
                Err(error) => {
                    self.lines = None;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("path", &self.path).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that this thread has asked the system for.
    fn asked() -> u64 {
        let io = std::fs::read_to_string("/proc/thread-self/io").unwrap();
        io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap().parse().unwrap()
    }

    #[test]
    fn every_byte_is_read_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.jsonl");
        let line = format!("{{\"type\":\"custom\",\"data\":\"{}\"}}\n", "x".repeat(900));
        std::fs::write(&path, line.repeat(2000)).unwrap();
        let before = asked();
        assert_eq!(scan_session(&path).unwrap().filter(Result::is_ok).count(), 2000);
        let read = asked() - before;
        assert!(read < 2 * 2000 * line.len() as u64, "{read} bytes");
    }
}
