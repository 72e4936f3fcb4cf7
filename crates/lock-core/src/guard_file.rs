//! The `<lock>.reclaim` guard that other programs (fs-safe 0.5 and later) put around a reclaim, and that they respect.
//!
//! Ours is a private directory with an `owner.json`, locked with `flock` *before* it gets the guard's name and until it
//! is renamed away again, so that an orphan of a killed reclaimer can be told from a live guard. A foreign guard (an
//! empty directory or a file) is respected for as long as it is there: those programs fail closed on purpose.

use std::{
    ffi::OsStr,
    fs::File,
    io::{self, Write},
};

use crate::{
    failpoint::step,
    nonce::Nonce,
    sys::{
        fs::{self, Kind, Probe},
        kernel,
    },
    target::Target,
};

const OWNER: &str = "owner.json";

pub(crate) struct Guard {
    target: Target,
    /// Keeps the `flock` that says the reclaimer lives.
    dir: File,
}

pub(crate) enum GuardTaken {
    Ours(Guard),
    Theirs,
}

impl Guard {
    pub(crate) fn publish(target: &Target) -> io::Result<GuardTaken> {
        let private = target.aside_name(&Nonce::fresh());
        fs::make_dir_at(target.dir(), &private)?;
        let made = Self::furnish(target, &private);
        step!("guard.furnished");
        let outcome = match made {
            Ok(dir) => kernel::rename_noreplace(target.dir(), &private, target.guard_name())
                .map(|()| GuardTaken::Ours(Self { target: target.clone(), dir })),
            Err(error) => Err(error),
        };
        step!("guard.published");
        match outcome {
            Ok(taken) => Ok(taken),
            Err(error) => {
                remove_private(target, &private);
                if error.kind() == io::ErrorKind::AlreadyExists { Ok(GuardTaken::Theirs) } else { Err(error) }
            }
        }
    }

    fn furnish(target: &Target, private: &OsStr) -> io::Result<File> {
        let Some(dir) = fs::open_to_judge(target.dir(), private)? else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if fs::try_flock_exclusive(&dir) != Probe::Free {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut owner = fs::create_new(&dir, OWNER)?;
        writeln!(owner, "{{\"pid\": {}, \"program\": \"moorline\"}}", std::process::id())?;
        Ok(dir)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Somebody's doctor may have removed ours, and another program's guard may stand there now.
        let there = fs::stat_at(self.target.dir(), self.target.guard_name());
        let ours = fs::stat_fd(&self.dir);
        if !matches!((there, ours), (Ok(Some(there)), Ok(ours)) if there.id == ours.id) {
            return;
        }
        let private = self.target.aside_name(&Nonce::fresh());
        // Renamed first, so that the guard vanishes in one step. What fails stays as an orphan that the next waiter sees.
        if kernel::rename_noreplace(self.target.dir(), self.target.guard_name(), &private).is_ok() {
            step!("guard.withdrawn");
            remove_private(&self.target, &private);
        }
    }
}

/// What stands at the guard's path.
pub(crate) enum Standing {
    /// Nothing.
    None,
    /// A guard; the open file to wait on, and what it says of its owner.
    Guard { file: File, says: String },
}

/// Looks at the guard; clears it away when it is an orphan of ours.
pub(crate) fn look(target: &Target) -> io::Result<Standing> {
    // One `lstat` for the common case that there is none.
    let Some(stat) = fs::stat_at(target.dir(), target.guard_name())? else { return Ok(Standing::None) };
    if stat.kind == Kind::Symlink || stat.kind == Kind::Special {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the reclaim guard beside the lock is neither a file nor a directory; remove it by hand",
        ));
    }
    let Some(file) = fs::open_to_judge(target.dir(), target.guard_name())? else { return Ok(Standing::None) };
    let says = if stat.kind == Kind::Directory {
        match fs::open_to_judge(&file, OWNER)? {
            Some(owner) => {
                let says = String::from_utf8_lossy(&fs::read_bounded(&owner)?)
                    .trim()
                    .chars()
                    .take(256)
                    .collect::<String>();
                if says.contains("\"moorline\"") && clear_orphan(target, &file)? {
                    return Ok(Standing::None);
                }
                says
            }
            None => "another program (an empty directory)".to_owned(),
        }
    } else {
        String::from_utf8_lossy(&fs::read_bounded(&file)?).trim().chars().take(256).collect()
    };
    Ok(Standing::Guard { file, says })
}

/// Removes a guard of ours whose reclaimer is dead: nobody holds its `flock` any more.
fn clear_orphan(target: &Target, dir: &File) -> io::Result<bool> {
    if target.on_network() || fs::try_flock_exclusive(dir) != Probe::Free {
        return Ok(false);
    }
    // Under its `flock`, only its reclaimer could have renamed it, and that one is dead.
    if fs::stat_at(target.dir(), target.guard_name())?.map(|stat| stat.id) == Some(fs::stat_fd(dir)?.id) {
        let private = target.aside_name(&Nonce::fresh());
        kernel::rename_noreplace(target.dir(), target.guard_name(), &private)?;
        remove_private(target, &private);
    }
    Ok(true)
}

/// Whether a private guard directory has its `owner.json`, which its maker writes under its `flock`.
pub(crate) fn is_furnished(dir: &File) -> bool {
    matches!(fs::stat_at(dir, OWNER), Ok(Some(_)))
}

/// Removes a private guard directory; what cannot be removed is litter that a sweep finds.
pub(crate) fn remove_private(target: &Target, name: &OsStr) {
    if let Ok(Some(dir)) = fs::open_to_judge(target.dir(), name) {
        let _ = fs::unlink_at(&dir, OWNER);
    }
    let _ = fs::remove_dir_at(target.dir(), name);
}
