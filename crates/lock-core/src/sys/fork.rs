//! Whether this process is still the one that did something, without a system call.
//!
//! A forked copy inherits guards, the registry and unused random bits; it must release none, keep none and use none. The
//! decision: one page that the kernel wipes in a forked child (`MADV_WIPEONFORK`). The option not taken is to compare pids:
//! that is a system call at every acquire and release, and a copy made into a new pid namespace may have its parent's pid.
//! Where there is no such page (before Linux 4.14, other systems) the pid has to do.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

/// A number that differs between a process and its forked copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Generation(u32);

pub(crate) fn generation() -> Generation {
    static PAGE: OnceLock<Option<&'static AtomicU32>> = OnceLock::new();
    static LAST: AtomicU32 = AtomicU32::new(0);
    let Some(page) = PAGE.get_or_init(wiped_on_fork) else { return Generation(std::process::id()) };
    Generation(match page.load(Ordering::Relaxed) {
        // The first time, or the first time after a fork. The count is inherited, so a child goes on where its parent was.
        0 => {
            let fresh = LAST.fetch_add(1, Ordering::Relaxed).wrapping_add(1).max(1);
            page.compare_exchange(0, fresh, Ordering::Relaxed, Ordering::Relaxed)
                .map_or_else(|set| set, |_| fresh)
        }
        known => known,
    })
}

/// A zeroed number that is zero again in every forked child.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "a page of its own with its own advice has no safe wrapper")]
fn wiped_on_fork() -> Option<&'static AtomicU32> {
    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous};
    // The kernel rounds it up to a page.
    let len = size_of::<AtomicU32>();
    // SAFETY: the kernel chooses the place, so nothing is overwritten; the page is mapped readable and writable, aligned to
    // itself, zeroed, never unmapped, and only ever seen as this one atomic number, of which every value is valid.
    unsafe {
        let page =
            mmap_anonymous(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)
                .ok()?;
        madvise(page, len, Advice::LinuxWipeOnFork).ok()?;
        Some(&*page.cast::<AtomicU32>())
    }
}

#[cfg(not(target_os = "linux"))]
fn wiped_on_fork() -> Option<&'static AtomicU32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(unsafe_code, reason = "fork has no safe wrapper")]
    fn a_forked_copy_is_another_generation_and_its_parent_stays_the_same() {
        let before = generation();
        assert!(wiped_on_fork().is_some(), "this kernel knows the advice");
        // SAFETY: between fork and `_exit` the child reads and writes atomic numbers and compares; it takes no lock and
        // allocates nothing.
        let status = unsafe {
            match libc::fork() {
                0 => {
                    let (now, again) = (generation(), generation());
                    libc::_exit(i32::from(now == before || now != again))
                }
                child => {
                    let mut status = -1;
                    assert_eq!(libc::waitpid(child, &raw mut status, 0), child);
                    status
                }
            }
        };
        assert_eq!(status, 0, "the child took itself for its parent, or changed twice");
        assert!(generation() == before);
    }
}
