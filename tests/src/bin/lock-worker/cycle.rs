//! Acquire, append a numbered line, release, for ever or `turns` times, with `tasks` tasks.
//!
//! A line is acknowledged (one line on standard output) only after the append returned, so what is acknowledged must be
//! in the transcript once, and what is not may be there at most once.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use moorline_lock_core::{Durability, Journal, Locks, RunTag};
use tokio::task::JoinSet;

use crate::{args::Args, detector::Detector, section::Section};

pub(crate) async fn run(args: &Args) -> Result<(), String> {
    let (turns, tasks) = (args.number("turns", u64::MAX), args.number("tasks", 1_u64));
    let hold = Duration::from_micros(args.number("hold_us", 0));
    let end = Instant::now() + Duration::from_millis(args.number("run_ms", 3_600_000));
    let id = args.text("id").unwrap_or("w").to_owned();
    let (target, locks) = (args.target("session.jsonl")?, args.locks());
    let detector = Arc::new(Detector::beside(&args.dir));
    let quiet = args.text("quiet") == Some("1");
    let bare = args.text("bare") == Some("1");
    let section = (args.text("section") == Some("1")).then(|| Arc::new(Section::beside(&args.dir)));
    let done = Arc::new(AtomicU64::new(0));
    let mut set = JoinSet::new();
    for task in 0..tasks {
        let section = section.clone();
        let (target, locks, detector, done) =
            (target.clone(), locks.clone(), Arc::clone(&detector), Arc::clone(&done));
        let who = format!("{id}-{task}");
        set.spawn(async move {
            let tag = RunTag::new(&who);
            let mut number = 0;
            while number < turns && Instant::now() < end {
                number += 1;
                let held = locks.acquire(&target, &tag).await.map_err(|error| format!("acquire: {error}"))?;
                if bare {
                    held.release().await.map_err(|error| error.to_string())?;
                    continue;
                }
                let inside = detector.enter(&who)?;
                if let Some(section) = &section {
                    section.enter(&who, &detector)?;
                }
                let opened = Journal::open(&held, Durability::None, is_json).await;
                let (mut journal, opened) = opened.map_err(|error| format!("open: {error}"))?;
                if let Some(torn) = opened.torn {
                    detector.report(&format!("torn {}", torn.display()))?;
                }
                let line =
                    format!("{{\"who\":\"{who}\",\"number\":{number},\"token\":\"{}\"}}\n", held.token());
                journal.append(&held, line.as_bytes()).await.map_err(|error| format!("append: {error}"))?;
                if !quiet {
                    acknowledge(&format!("ack {who} {number}\n"));
                }
                if !hold.is_zero() {
                    tokio::time::sleep(hold).await;
                }
                if let Some(section) = &section {
                    section.leave();
                }
                drop(inside);
                if let Err(error) = held.release().await {
                    detector.report(&format!("lost {who}: {error}"))?;
                }
                done.fetch_add(1, Ordering::Relaxed);
                let stats = Locks::stats();
                if stats.safety_tick > 0 {
                    detector.report(&format!("safety-tick {who} {}", stats.safety_tick))?;
                }
            }
            Ok::<(), String>(())
        });
    }
    while let Some(result) = set.join_next().await {
        result.map_err(|error| error.to_string())??;
    }
    acknowledge(&format!("done {}\n", done.load(Ordering::Relaxed)));
    acknowledge(&format!("stats {}\n", serde_json::to_string(&Locks::stats()).unwrap_or_default()));
    Ok(())
}

fn is_json(bytes: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Value>(bytes).is_ok()
}

/// One write, so that a kill leaves a whole line or none.
pub(crate) fn acknowledge(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}
