//! Counters of this process, for metrics and for tests that must know what did not happen.

use std::sync::{
    LazyLock,
    atomic::{AtomicU64, Ordering},
};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// What the locks of this process did since it started.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct Stats { $($(#[$doc])* pub $name: u64),+ }

        #[derive(Default)]
        pub(crate) struct Counters { $($name: AtomicU64),+ }

        impl Counters {
            $(pub(crate) fn $name(&self) { self.$name.fetch_add(1, Ordering::Relaxed); })+

            pub(crate) fn read(&self) -> Stats {
                Stats { $($name: self.$name.load(Ordering::Relaxed)),+ }
            }
        }
    };
}

counters! {
    /// Locks acquired.
    acquired,
    /// Locks taken over from a proven dead owner.
    reclaimed,
    /// Times a waiter went to sleep on another process's lock.
    waited,
    /// Times a waiter was woken by a change of the lock file.
    woken,
    /// Times the safety tick was what helped: a wake-up was missed. Stays at zero.
    safety_tick,
    /// Live stale locks reported.
    stale_reported,
    /// Acquisitions that ended as a timeout.
    timed_out,
    /// Locks lost while held.
    lost,
    /// Own holds longer than `maxHoldMs`, counted once per span.
    hold_exceeded,
    /// Times the lock was left to another process's waiter first.
    gave_way,
}

static GLOBAL: LazyLock<Counters> = LazyLock::new(Counters::default);

pub(crate) fn global() -> &'static Counters {
    &GLOBAL
}
