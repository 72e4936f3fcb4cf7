//! What letting go and coming back costs, whatever the transcript's size; and what an append costs beside the system calls
//! that nobody can save.
//!
//! `cargo bench -p moorline-runner --bench window`
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench ends where the file system refuses, and its baseline is the raw call"
)]

use std::{
    fs::File,
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use divan::{Bencher, counter::ItemsCount};
use moorline_lock_core::{Durability, LockConfig, Locks, RunTag};
use moorline_runner::{
    Attempt, Candidate, Incoming, Jsonl, Lines, Locked, Model, ModelError, ModelReply, ModelRequest, Nothing,
    Opening, RunOutcome, Runner, Stop, StreamSink, Tip, ToolCall, ToolContext, ToolEffect, ToolError,
    ToolHost, ToolResult, Turn,
};
use tokio::runtime::Runtime;

/// A turn: a message, a tool call with its result, an answer.
const LINES: usize = 4;

fn main() {
    divan::main();
}

struct Site {
    _dir: tempfile::TempDir,
    path: PathBuf,
    locks: Locks,
    runtime: Runtime,
}

impl Site {
    /// A transcript of `len` bytes; above what is needed it is a hole.
    fn new(len: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.jsonl");
        let mut file = File::create(&path).unwrap();
        file.write_all(
            b"{\"type\":\"session\",\"version\":3,\"id\":\"s\",\"timestamp\":\"t\",\"cwd\":\"/\"}\n",
        )
        .unwrap();
        let last = b"\n{\"type\":\"message\",\"id\":\"m\",\"parentId\":null,\"message\":{\"role\":\"user\",\"content\":\"x\"}}\n";
        file.write_all_at(last, len - last.len() as u64).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { _dir: dir, path, locks: Locks::new(LockConfig::default()), runtime }
    }

    fn acquire(&self, durability: Durability) -> Attempt<Locked> {
        let mut opening = Opening::new(&self.locks, self.path.clone(), RunTag::new("bench"), Arc::new(Jsonl));
        opening.durability = durability;
        self.runtime.block_on(Attempt::acquire(opening)).unwrap()
    }
}

/// About what a message is long.
fn line() -> Vec<u8> {
    let text = "x".repeat(400);
    format!("{{\"type\":\"message\",\"id\":\"n\",\"parentId\":\"m\",\"message\":{{\"role\":\"user\",\"content\":\"{text}\"}}}}\n")
        .into_bytes()
}

#[divan::bench(args = [1024, 1024 * 1024, 100 * 1024 * 1024, 1024 * 1024 * 1024_u64])]
fn release_and_reacquire_unchanged(bencher: Bencher<'_, '_>, len: u64) {
    let site = Site::new(len);
    let mut attempt = Some(site.acquire(Durability::None));
    bencher.bench_local(|| {
        let back = site.runtime.block_on(async {
            let released = attempt.take().unwrap().release_for_prompt().await.unwrap();
            released.reacquire_after_prompt().await.unwrap().0
        });
        attempt = Some(back);
    });
}

/// A model that answers at once.
struct Parrot;

#[async_trait]
impl Model for Parrot {
    async fn call(&self, _: &ModelRequest, _: &mut dyn StreamSink) -> Result<ModelReply, ModelError> {
        Ok(ModelReply::text("yes"))
    }
}

struct NoTools;

#[async_trait]
impl ToolHost for NoTools {
    async fn call(&self, _: &ToolCall, _: &ToolContext) -> Result<ToolResult, ToolError> {
        Ok(ToolResult::default())
    }

    fn effect(&self, _: &str) -> ToolEffect {
        ToolEffect::None
    }
}

/// A whole turn with a new key, where everything lies before the latest compaction: the key is looked for in all of it.
#[divan::bench(args = [1024, 1024 * 1024, 100 * 1024 * 1024, 1024 * 1024 * 1024_u64], sample_count = 20, sample_size = 1)]
fn a_turn_of_a_compacted_session(bencher: Bencher<'_, '_>, len: u64) {
    let site = Site::new(1024);
    let mut file = std::fs::OpenOptions::new().append(true).open(&site.path).unwrap();
    let lines = line().repeat(256);
    for _ in 0..len / lines.len() as u64 {
        file.write_all(&lines).unwrap();
    }
    let kept = "{\"type\":\"message\",\"id\":\"k\",\"parentId\":\"n\",\"message\":{\"role\":\"user\",\"content\":\"x\"}}";
    let compaction = "{\"type\":\"compaction\",\"id\":\"c\",\"parentId\":\"k\",\"summary\":\"s\",\"firstKeptEntryId\":\"k\"}";
    writeln!(file, "{kept}\n{compaction}").unwrap();
    let runner = Runner::new(site.locks.clone()).with_durability(Durability::None);
    let mut n = 0;
    bencher.bench_local(|| {
        n += 1;
        let turn = Turn {
            transcript: site.path.clone(),
            run_id: format!("run-{n}"),
            message: Incoming { text: "and now?".to_owned(), ..Incoming::default() },
            candidates: vec![Candidate::new("local", "parrot")],
            ..Turn::default()
        };
        let outcome = site.runtime.block_on(runner.run(&turn, &Parrot, &NoTools, &mut Nothing, &Stop::new()));
        assert!(matches!(outcome, RunOutcome::Replied(_)), "{outcome:?}");
    });
}

/// The lock alone: what of the above is not the fence.
#[divan::bench]
fn lock_and_unlock(bencher: Bencher<'_, '_>) {
    let site = Site::new(1024);
    let target = moorline_lock_core::Target::sidecar_of(&site.path).unwrap();
    let tag = RunTag::new("bench");
    bencher.bench_local(|| {
        site.runtime
            .block_on(async { site.locks.acquire(&target, &tag).await.unwrap().release().await.unwrap() });
    });
}

fn appends(bencher: Bencher<'_, '_>, durability: Durability) {
    let site = Site::new(1024);
    let bytes = line();
    let compose = |tip: &Tip| Lines { bytes: bytes.clone(), tip: tip.clone() };
    bencher.counter(ItemsCount::new(LINES)).with_inputs(|| site.acquire(durability)).bench_local_values(
        |mut attempt| {
            site.runtime.block_on(async {
                for _ in 0..LINES {
                    attempt.append(compose).await.unwrap();
                }
                attempt.finish().await.unwrap();
            });
        },
    );
}

#[divan::bench]
fn turn_of_4_appends_durability_none(bencher: Bencher<'_, '_>) {
    appends(bencher, Durability::None);
}

#[divan::bench]
fn turn_of_4_appends_durability_turn(bencher: Bencher<'_, '_>) {
    appends(bencher, Durability::Turn);
}

#[divan::bench]
fn turn_of_4_appends_durability_append(bencher: Bencher<'_, '_>) {
    appends(bencher, Durability::Append);
}

fn raw(bencher: Bencher<'_, '_>, sync_each: bool, sync_last: bool) {
    let site = Site::new(1024);
    let bytes = line();
    let open = |path: &Path| std::fs::OpenOptions::new().append(true).open(path).unwrap();
    bencher.counter(ItemsCount::new(LINES)).with_inputs(|| open(&site.path)).bench_local_values(
        |mut file| {
            for _ in 0..LINES {
                file.write_all(&bytes).unwrap();
                if sync_each {
                    file.sync_data().unwrap();
                }
            }
            if sync_last {
                file.sync_data().unwrap();
            }
        },
    );
}

#[divan::bench]
fn turn_of_4_raw_writes(bencher: Bencher<'_, '_>) {
    raw(bencher, false, false);
}

#[divan::bench]
fn turn_of_4_raw_writes_one_fdatasync(bencher: Bencher<'_, '_>) {
    raw(bencher, false, true);
}

#[divan::bench]
fn turn_of_4_raw_writes_fdatasync_each(bencher: Bencher<'_, '_>) {
    raw(bencher, true, false);
}
