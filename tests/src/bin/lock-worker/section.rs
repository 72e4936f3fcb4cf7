//! The critical section as peers of other programs can see it, too: a file created exclusively, with the pid inside.
//!
//! `detector.rs` is stricter and cheaper, but its `flock` is nothing that a Node program can take.

use std::{
    fs::OpenOptions,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::detector::Detector;

pub(crate) struct Section {
    path: PathBuf,
}

impl Section {
    pub(crate) fn beside(dir: &Path) -> Self {
        Self { path: dir.join("section") }
    }

    /// Enters; a maker that is dead is cleared away, a living one is a double entry.
    pub(crate) fn enter(&self, who: &str, detector: &Detector) -> Result<(), String> {
        for _ in 0..200 {
            match OpenOptions::new().write(true).create_new(true).open(&self.path) {
                Ok(mut file) => {
                    return file
                        .write_all(std::process::id().to_string().as_bytes())
                        .map_err(|error| error.to_string());
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(format!("section: {error}")),
            }
            match std::fs::read_to_string(&self.path) {
                // Killed between creating and writing, or writing just now: looked at again.
                Ok(maker) if maker.is_empty() => std::thread::sleep(Duration::from_millis(2)),
                Ok(maker) if gone(&maker) => self.leave(),
                Ok(_) => std::thread::sleep(Duration::from_millis(2)),
                Err(_) => detector.report(&format!("double {who}: somebody left while it entered"))?,
            }
        }
        // An empty one is what a kill left.
        if std::fs::read_to_string(&self.path).is_ok_and(|maker| maker.is_empty()) {
            self.leave();
            return self.enter(who, detector);
        }
        let maker = std::fs::read_to_string(&self.path).unwrap_or_default();
        detector.report(&format!("double {who}: {maker} is inside"))
    }

    pub(crate) fn leave(&self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn gone(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| {
        stat.rsplit(") ").next().is_none_or(|rest| rest.starts_with('Z') || rest.starts_with('X'))
    })
}
