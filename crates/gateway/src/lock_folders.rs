//! Where the locks of a directory are looked for: in it, and in the directories that lie in it.
//!
//! The lock library looks into one directory and knows no layout. Here it is known that the transcripts of a state directory
//! lie in `sessions/AGENT`, and that `gateway.lock` beside them is no session's. The option not taken is to walk all the
//! way: a home directory is a million files.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The directory and those in it; of a state directory, those of its sessions. Another path is only itself. Links are not
/// followed.
pub(crate) fn of(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let sessions = path.join("sessions");
    let is_state = sessions.is_dir() && path.join("events").is_dir();
    let first = if is_state { sessions } else { path.to_owned() };
    let inside = directories(&first)?;
    Ok(std::iter::once(first).chain(inside).collect())
}

fn directories(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
