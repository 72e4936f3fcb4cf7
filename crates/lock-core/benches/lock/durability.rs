//! Appends by durability, beside a bare write and a bare write with `fdatasync`.

use std::{fs::File, io::Write, time::Instant};

use moorline_lock_core::{Durability, Journal, LockConfig, Locks, RunTag, Target};

use crate::figures::Samples;

const LINE: &[u8] = b"{\"type\":\"message\",\"text\":\"a line of a transcript, about as long as a short answer of a model is, so that the write itself is real\"}\n";

pub(crate) fn run() {
    println!("\nappends of {} bytes under a held lock", LINE.len());
    let dir = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let raw = |what: &str, sync: bool, count: usize| {
        let mut file = File::options().append(true).create(true).open(dir.path().join("raw")).unwrap();
        let mut samples = Samples::default();
        for _ in 0..count {
            let began = Instant::now();
            file.write_all(LINE).unwrap();
            if sync {
                file.sync_data().unwrap();
            }
            samples.push(began.elapsed());
        }
        samples.line(what);
    };
    raw("bare write", false, 20_000);
    raw("bare write + fdatasync", true, 500);
    runtime.block_on(async {
        let target = Target::sidecar_of(&dir.path().join("session.jsonl")).unwrap();
        let held = Locks::new(LockConfig::default()).acquire(&target, &RunTag::new("bench")).await.unwrap();
        for (what, durability, count) in [
            ("append, durability none", Durability::None, 20_000),
            ("append, durability turn (synced once per 10)", Durability::Turn, 2000),
            ("append, durability append", Durability::Append, 500),
        ] {
            let (mut journal, _) = Journal::open(&held, durability, |_| false).await.unwrap();
            let mut samples = Samples::default();
            for number in 0..count {
                let began = Instant::now();
                journal.append(&held, LINE).await.unwrap();
                if durability == Durability::Turn && number % 10 == 9 {
                    journal.sync().await.unwrap();
                }
                samples.push(began.elapsed());
            }
            samples.line(what);
        }
        held.release().await.unwrap();
    });
}
