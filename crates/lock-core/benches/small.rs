//! `cargo bench -p moorline-lock-core --bench small`: the single calls a run makes often.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a program that measures, not a library"
)]

use divan::Bencher;
use moorline_lock_core::{Durability, Fence, Held, Journal, LockConfig, Locks, Record, RunTag, Target};
use tokio::runtime::Runtime;

fn main() {
    divan::main();
}

struct Place {
    _dir: tempfile::TempDir,
    runtime: Runtime,
    held: Held,
}

/// A held lock beside a transcript of `len` bytes, most of them a hole.
fn place(len: u64) -> Place {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("session.jsonl");
    std::fs::write(&path, "line\n").unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(len - 1).unwrap();
    std::io::Write::write_all(&mut std::fs::File::options().append(true).open(&path).unwrap(), b"\n")
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let target = Target::sidecar_of(&path).unwrap();
    let held =
        runtime.block_on(Locks::new(LockConfig::default()).acquire(&target, &RunTag::new("bench"))).unwrap();
    Place { _dir: dir, runtime, held }
}

#[divan::bench]
fn verify(bencher: Bencher<'_, '_>) {
    let place = place(1024);
    bencher.bench(|| place.held.verify().unwrap());
}

/// Flat in the size of the transcript.
#[divan::bench(args = [1 << 10, 1 << 20, 1 << 30])]
fn fence_check_of_an_unchanged_transcript(bencher: Bencher<'_, '_>, len: u64) {
    let place = place(len);
    let (journal, _) =
        place.runtime.block_on(Journal::open(&place.held, Durability::None, |_| false)).unwrap();
    let fence: Fence = journal.fence().unwrap();
    bencher.bench(|| fence.check().unwrap());
}

/// Flat in the size of the transcript.
#[divan::bench(args = [1 << 10, 1 << 20, 1 << 30])]
fn open_a_journal(bencher: Bencher<'_, '_>, len: u64) {
    let place = place(len);
    bencher
        .bench(|| place.runtime.block_on(Journal::open(&place.held, Durability::None, |_| false)).unwrap());
}

#[divan::bench]
fn read_a_record(bencher: Bencher<'_, '_>) {
    let place = place(1024);
    let bytes = std::fs::read(place.held.target().lock_path()).unwrap();
    bencher.bench(|| Record::read(&bytes));
}

#[divan::bench]
fn inspect(bencher: Bencher<'_, '_>) {
    let place = place(1024);
    let locks = Locks::new(LockConfig::default());
    let path = place.held.target().path();
    bencher.bench(|| locks.inspect(&path).unwrap());
}
