//! Sees two owners at once without asking the code under test.
//!
//! A second file is locked by whoever believes to own the session. Its descriptor is opened after the lock's and moved
//! to a high number: a killed process gives its descriptors up in the reverse of the order it lists them in, so the
//! detector is free before the lock looks free. The other way round it reports double entries that never were.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::fs::FlockOperation;

/// Above every descriptor that the library under test opens.
const HIGH: i32 = 700;

pub(crate) struct Detector {
    path: PathBuf,
    violations: PathBuf,
}

/// Inside, until dropped.
pub(crate) struct Inside {
    _fd: OwnedFd,
}

impl Detector {
    pub(crate) fn beside(dir: &Path) -> Self {
        Self { path: dir.join("detector"), violations: dir.join("violations") }
    }

    /// Enters, and reports when somebody else is inside.
    pub(crate) fn enter(&self, who: &str) -> Result<Inside, String> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.path)
            .map_err(|error| format!("detector: {error}"))?;
        let fd =
            rustix::io::fcntl_dupfd_cloexec(&file, HIGH).map_err(|error| format!("detector: {error}"))?;
        drop(file);
        if rustix::fs::flock(&fd, FlockOperation::NonBlockingLockExclusive).is_err() {
            self.report(&format!("double {who}"))?;
        }
        Ok(Inside { _fd: fd })
    }

    /// Adds a line to the file that the test reads at the end.
    pub(crate) fn report(&self, line: &str) -> Result<(), String> {
        let append = |file: &mut File| file.write_all(format!("{line}\n").as_bytes());
        let mut file = OpenOptions::new()
            .append(true)
            .create(true)
            .open(&self.violations)
            .map_err(|error| format!("violations: {error}"))?;
        append(&mut file).map_err(|error| format!("violations: {error}"))
    }
}
