//! `cargo bench -p moorline-lock-core --bench lock [SECTION]`: the figures of docs/performance.md.
//!
//! The decision: a plain program that starts itself again as owner, waiter and contender, because what is measured is
//! several processes and their deaths. Each figure stands beside what the system calls alone cost in the same run, since on a
//! shared machine only ratios can be compared.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures, not a library"
)]

mod contention;
mod durability;
mod figures;
mod reference;
mod takeover;
mod uncontended;

use std::path::Path;

fn main() {
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let word = |at: usize| words.get(at).map(String::as_str);
    match (word(0), word(1)) {
        (Some("child"), Some("contend")) => {
            return contention::contend(Path::new(&words[2]), words[3].parse().unwrap());
        }
        (Some("child"), Some("own")) => return takeover::own(Path::new(&words[2])),
        (Some("child"), Some("take")) => return takeover::take(Path::new(&words[2])),
        (Some("child"), Some("wait")) => return takeover::wait(Path::new(&words[2])),
        // For `strace` and `valgrind --tool=callgrind`, which count what a clock on a busy machine cannot tell.
        (Some("cycles"), Some(count)) => return uncontended::cycles(count.parse().unwrap()),
        _ => {}
    }
    let chosen = |name: &str| words.is_empty() || words.iter().any(|word| word == name);
    let dir = tempfile::tempdir().unwrap();
    println!("directory {} on {}", dir.path().display(), figures::filesystem(dir.path()));
    if chosen("uncontended") {
        uncontended::run(dir.path());
        if let Ok(shm) = tempfile::tempdir_in("/dev/shm") {
            println!("directory {} on {}", shm.path().display(), figures::filesystem(shm.path()));
            uncontended::run(shm.path());
        }
    }
    if chosen("tasks") {
        contention::one_process();
    }
    if chosen("processes") {
        contention::processes();
    }
    if chosen("takeover") {
        takeover::run();
    }
    if chosen("handover") {
        takeover::handover();
    }
    if chosen("idle") {
        takeover::idle();
    }
    if chosen("durability") {
        durability::run();
    }
}
