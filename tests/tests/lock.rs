//! The session lock, proven with real processes on real files: kills, stops, clocks, namespaces, full disks.
//!
//! The decision: a test talks to `lock-worker` processes and looks at the files on disk; what it concludes does not rest
//! on the counters of the code under test alone. Tests that need more than Rust (root, namespaces, other programs) are
//! ignored with the reason and run by `.ci/run`; nothing skips in silence.
//!
//! Must stay true: no sleeping for luck (a test waits for an event or for a deadline that only a failure reaches), and a
//! worker is ended by its own pid.

mod lock {
    mod calls;
    mod containers;
    mod crash;
    mod foreign;
    mod full;
    mod hostile;
    mod interleavings;
    mod peers;
    mod pids;
    mod readers;
    mod settings;
    mod soak;
    mod stopped;
    mod storm;
    mod support;
    mod waiting;
    mod worker;
}
