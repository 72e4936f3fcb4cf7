//! What one uncontended acquire and release asks of the kernel, counted from outside.
//!
//! A figure in microseconds moves with the machine; this does not. Each call in the list has its reason, and one that is
//! not in it has to be argued for here.

use super::{support::dir, worker::Worker};

const CYCLES: usize = 64;

/// Calls of one kind for each cycle, as a fraction: so many calls in so many cycles.
const EXPECTED: [(&str, &str, usize, usize, &str); 11] = [
    ("newfstatat", ".lock.reclaim\"", 1, 1, "no reclaimer of another program is at work"),
    ("openat", "O_TMPFILE", 1, 1, "the candidate"),
    ("flock", "LOCK_EX", 1, 1, "its proof of life"),
    ("statx", "STATX_INO", 1, 1, "what identifies it, and the device in its record"),
    ("pwrite64", "\"{\\n  \\\"pid\\\"", 1, 1, "its record, before it has a name"),
    ("linkat", ".lock\"", 1, 1, "the publish"),
    ("newfstatat", ".lock\"", 1, 1, "release: the file at the path is still ours"),
    ("unlinkat", ".lock\"", 1, 1, "release"),
    ("fcntl", "F_OFD_GETLK", 1, 4, "release: whether another process waits, asked by one in a streak"),
    ("getrandom", "", 1, 32, "nonces, fetched for 32 publishes at once"),
    ("getpid", "", 0, 1, "a fork is noticed without it"),
];

/// Calls of the worker itself: its start, its runtime, its commands.
fn slack(call: &str) -> usize {
    match call {
        "getrandom" | "getpid" => 8,
        _ => 0,
    }
}

#[test]
#[ignore = "needs strace"]
fn an_uncontended_cycle_makes_no_call_that_no_invariant_needs() {
    let dir = dir();
    let trace = tempfile::NamedTempFile::new().unwrap();
    let path = trace.path().display().to_string();
    let mut worker = Worker::serve_with(&["strace", "-f", "-qq", "-s", "64", "-o", &path], dir.path(), &[]);
    for _ in 0..CYCLES {
        worker.ok("acquire session.jsonl run=one");
        worker.ok("release session.jsonl");
    }
    worker.send("exit");
    assert!(worker.wait().success());
    let trace = std::fs::read_to_string(trace.path()).unwrap();
    let mut wrong = Vec::new();
    for (call, about, calls, in_cycles, reason) in EXPECTED {
        let (start, resumed) = (format!("{call}("), format!("<... {call} resumed>"));
        let seen = trace
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(_, line)| line.trim_start())
            // What a call answers stands on a line of its own when another thread came in between.
            .filter(|line| line.starts_with(&start) || line.starts_with(&resumed))
            .filter(|line| line.contains(about))
            .count();
        let expected = CYCLES * calls / in_cycles;
        println!("{call:<12} {seen:>3} in {CYCLES} cycles  {reason}");
        if seen < expected || seen > expected + slack(call) {
            wrong.push(format!("{call} {about}: {seen}, expected {expected} in {CYCLES} cycles ({reason})"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Before Linux 6.10 a file may be linked by its descriptor with CAP_DAC_READ_SEARCH alone; `strace` refuses it here as those do.
#[test]
#[ignore = "needs strace"]
fn a_kernel_that_refuses_to_link_by_descriptor_is_asked_once() {
    let dir = dir();
    let trace = tempfile::NamedTempFile::new().unwrap();
    let path = trace.path().display().to_string();
    let refuse =
        ["strace", "-f", "-qq", "-o", &path, "-e", "trace=linkat", "-e", "inject=linkat:error=ENOENT:when=1"];
    let mut worker = Worker::serve_with(&refuse, dir.path(), &[]);
    for _ in 0..3 {
        worker.ok("acquire session.jsonl");
        worker.ok("release session.jsonl");
    }
    worker.send("exit");
    assert!(worker.wait().success());
    let trace = std::fs::read_to_string(trace.path()).unwrap();
    let of =
        |about: &str| trace.lines().filter(|line| line.contains("linkat(") && line.contains(about)).count();
    assert_eq!((of("AT_EMPTY_PATH"), of("/proc/self/fd/")), (1, 3), "{trace}");
}
