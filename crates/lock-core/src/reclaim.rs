//! Taking over a lock whose owner is proven dead.
//!
//! The decision: an exclusive `flock` on the judged inode is the mutex of reclaimers for this very generation of the lock,
//! and an exchange puts our complete lock in its place, so the path is never absent. The option not taken is to read,
//! compare and unlink: between compare and unlink another reclaimer's fresh lock can come, and is deleted.
//!
//! Must stay true: the inode, the bytes and the judgement are checked again under the mutex; what comes out of the
//! exchange is checked once more, and if it is not the judged file it is put straight back. What is held while a
//! reclaimer is stopped or killed dies with its descriptors.

use std::{
    ffi::OsStr,
    io,
    os::{fd::AsFd, unix::ffi::OsStrExt},
};

use crate::{
    evidence::{Judged, Surroundings, judge_now},
    failpoint::step,
    guard_file::{Guard, GuardTaken},
    judge::{Limits, Probe},
    nonce::Nonce,
    publish::{Candidate, Published, is_unsupported},
    sys::{fs, kernel},
    target::Target,
};

/// How often a displaced lock is tried to be put back while others change the path.
const PUT_BACK_TRIES: u32 = 8;

/// How a dead lock is replaced. Only the test kit chooses anything but the exchange.
#[cfg_attr(
    not(feature = "testkit"),
    allow(dead_code, unreachable_pub, reason = "only the test kit names the others")
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReclaimMode {
    /// Under the mutex, by exchange.
    #[default]
    Exchange,
    /// Under the mutex, by unlink and link: what is used where the file system knows no exchange.
    UnlinkAndLink,
    /// Without any mutex: read, compare, unlink, as other programs do it. It loses mutual exclusion; the storm test must
    /// see that.
    #[cfg(feature = "testkit")]
    Naive,
}

pub(crate) enum Reclaimed {
    /// The lock is ours.
    Owned(Published),
    /// Another judge or reclaimer is at work on the same file.
    Contended,
    /// The file at the path is not what was judged any more, or is not dead any more.
    Changed,
    /// A reclaim guard of another program is in the way.
    Guarded,
}

/// Replaces the judged lock by `candidate`.
pub(crate) fn reclaim(
    target: &Target,
    judged: &Judged,
    around: &Surroundings<'_>,
    limits: &Limits,
    mode: ReclaimMode,
    fs_safe_guard: bool,
    candidate: Candidate<'_>,
) -> io::Result<Reclaimed> {
    #[cfg(feature = "testkit")]
    if mode == ReclaimMode::Naive {
        return naive(target, judged, candidate);
    }
    match fs::try_flock_exclusive(&judged.file) {
        Probe::Free => {}
        Probe::Held | Probe::Unknown => return Ok(Reclaimed::Contended),
    }
    let mutex = OwnFlock(judged);
    step!("reclaim.flocked");
    let guard = if fs_safe_guard {
        match Guard::publish(target)? {
            GuardTaken::Ours(guard) => Some(guard),
            GuardTaken::Theirs => return Ok(Reclaimed::Guarded),
        }
    } else {
        None
    };
    step!("reclaim.guarded");
    let around = Surroundings { flock_is_ours: true, ..*around };
    let same_file =
        fs::stat_at(target.dir(), target.lock_name())?.map(|stat| stat.id) == Some(judged.stat.id);
    let same_bytes = fs::read_bounded(&judged.file)? == judged.bytes;
    if !same_file || !same_bytes || !judge_now(judged, &around, limits).1.removable() {
        return Ok(Reclaimed::Changed);
    }
    step!("reclaim.checked");
    let reclaimed = if mode == ReclaimMode::UnlinkAndLink {
        unlink_and_link(target, candidate)
    } else {
        exchange(target, judged, candidate)
    };
    drop(guard);
    drop(mutex);
    step!("reclaim.done");
    reclaimed
}

fn exchange(target: &Target, judged: &Judged, mut candidate: Candidate<'_>) -> io::Result<Reclaimed> {
    let (dir, lock_name) = (target.dir(), target.lock_name());
    let aside = candidate.name_aside()?;
    step!("reclaim.aside");
    match kernel::exchange(dir, &aside, lock_name) {
        Ok(()) => {}
        // Somebody who does not know the mutex removed the lock; contend for the free path.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Reclaimed::Changed),
        // The candidate had a name and is used up; the fallback makes its own.
        Err(error) if is_unsupported(&error) => {
            drop(candidate);
            fs::unlink_at(dir, lock_name)?;
            return Ok(Reclaimed::Changed);
        }
        Err(error) => return Err(error),
    }
    step!("reclaim.exchanged");
    // The private name means what came out now, which may be a live lock: it is removed only once it is known.
    let published = candidate.exchanged_in();
    let came_out = fs::stat_at(dir, &aside)?.map(|stat| stat.id);
    if came_out == Some(judged.stat.id) {
        put_away(target, judged, &aside);
        step!("reclaim.removed");
        return Ok(Reclaimed::Owned(published));
    }
    put_back(target, &published, &aside)?;
    Ok(Reclaimed::Changed)
}

/// Removes the dead file, by a name nobody else uses. What never was a lock file is somebody's data in a lock's place and
/// is kept beside it. What cannot be removed is litter that a sweep finds.
fn put_away(target: &Target, judged: &Judged, aside: &OsStr) {
    if judged.no_lock().is_none() {
        let _ = fs::unlink_at(target.dir(), aside);
        return;
    }
    let mut kept = OsStr::from_bytes(target.lock_name().to_bytes()).to_owned();
    kept.push(format!(".kept-{}", Nonce::fresh()));
    if kernel::rename_noreplace(target.dir(), aside, &kept).is_ok() {
        tracing::warn!(lock = %target.lock_path().display(), ?kept, "what stood in the lock's place was no lock; it is kept");
    }
}

/// Something else came out: a lock that a program without the mutex put there since. Put it back where it was.
fn put_back(target: &Target, ours: &Published, aside: &OsStr) -> io::Result<()> {
    let (dir, lock_name) = (target.dir(), target.lock_name());
    // Each turn sees a change that another program made in between; they do not go on for ever.
    for _ in 0..PUT_BACK_TRIES {
        let there = fs::stat_at(dir, lock_name)?.map(|stat| stat.id);
        let moved = if there == Some(ours.id) {
            kernel::exchange(dir, aside, lock_name)
        } else {
            kernel::rename_noreplace(dir, aside, lock_name)
        };
        match moved {
            // The private name means our own file again.
            Ok(()) if there == Some(ours.id) => return fs::unlink_at(dir, aside),
            Ok(()) => return Ok(()),
            // Ours was removed between the two calls.
            Err(error) if error.kind() == io::ErrorKind::NotFound && there == Some(ours.id) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            // A third lock is there already; the displaced one was lost to its program before.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return fs::unlink_at(dir, aside),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Without exchange: the path is absent for an instant in which any other waiter may win it, which is no loss.
fn unlink_and_link(target: &Target, candidate: Candidate<'_>) -> io::Result<Reclaimed> {
    fs::unlink_at(target.dir(), target.lock_name())?;
    match candidate.publish()? {
        Ok(published) => Ok(Reclaimed::Owned(published)),
        Err(_) => Ok(Reclaimed::Changed),
    }
}

#[cfg(feature = "testkit")]
fn naive(target: &Target, judged: &Judged, candidate: Candidate<'_>) -> io::Result<Reclaimed> {
    let now = fs::open_to_judge(target.dir(), target.lock_name())?
        .map(|file| fs::read_bounded(&file))
        .transpose()?;
    if now.as_deref() != Some(&judged.bytes[..]) {
        return Ok(Reclaimed::Changed);
    }
    step!("reclaim.compared");
    match fs::unlink_at(target.dir(), target.lock_name()) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Reclaimed::Changed),
        Err(error) => return Err(error),
    }
    match candidate.publish()? {
        Ok(published) => Ok(Reclaimed::Owned(published)),
        Err(_) => Ok(Reclaimed::Changed),
    }
}

/// The reclaim mutex. Given back explicitly when the judged file stays open for further waiting.
struct OwnFlock<'a>(&'a Judged);

impl Drop for OwnFlock<'_> {
    fn drop(&mut self) {
        fs::unlock_own(self.0.file.as_fd());
    }
}
