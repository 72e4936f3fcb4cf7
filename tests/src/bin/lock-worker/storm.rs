//! Every hold ends as if its owner had been killed: the descriptor is closed, the file stays, and all contenders have to
//! reclaim it at once.

use std::time::{Duration, Instant};

use moorline_lock_core::{Locks, RunTag};

use crate::{args::Args, cycle::acknowledge, detector::Detector};

pub(crate) async fn run(args: &Args) -> Result<(), String> {
    let end = Instant::now() + Duration::from_millis(args.number("run_ms", 3000));
    let (target, locks) = (args.target("session.jsonl")?, args.locks());
    let detector = Detector::beside(&args.dir);
    let tag = RunTag::new(args.text("id").unwrap_or("w"));
    let mut entries = 0_u64;
    while Instant::now() < end {
        let held = locks.acquire(&target, &tag).await.map_err(|error| format!("acquire: {error}"))?;
        let inside = detector.enter(tag.run_id())?;
        // Long enough that a second entry would be seen, and for the file to be taken away by a wrong reclaimer.
        std::thread::sleep(Duration::from_micros(args.number("hold_us", 50)));
        if held.verify().is_err() {
            detector.report(&format!("lost {}", tag.run_id()))?;
        }
        drop(inside);
        held.abandon();
        entries += 1;
    }
    acknowledge(&format!("done {entries}\n"));
    acknowledge(&format!("stats {}\n", serde_json::to_string(&Locks::stats()).unwrap_or_default()));
    Ok(())
}
