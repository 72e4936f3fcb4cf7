//! The whole of a transcript, line by line: for history and audits. One line is in memory at a time.

use std::{
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
    Ok(Scan { file, at: 0, len, path: path.to_owned() })
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
