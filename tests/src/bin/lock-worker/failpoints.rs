//! `fail=POINT:ACTION[:NTH]`: what happens at a named point between two system calls of the protocol.
//!
//! Actions: `abort` and `kill` end the process there, `stop` stops it, `sleep-US` widens the window by microseconds.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rustix::process::{Signal, getpid, kill_process};

use crate::args::Args;

struct Fail {
    point: String,
    action: Action,
    /// Which time at the point it happens; every time when zero.
    nth: u64,
    reached: AtomicU64,
}

enum Action {
    Abort,
    Kill,
    Stop,
    Sleep(Duration),
}

static FAIL: OnceLock<Fail> = OnceLock::new();

pub(crate) fn install(args: &Args) {
    let Some(text) = args.text("fail") else { return };
    let mut words = text.split(':');
    let point = words.next().unwrap_or_default().to_owned();
    let action = match words.next() {
        Some("abort") => Action::Abort,
        Some("stop") => Action::Stop,
        Some(sleep) if sleep.starts_with("sleep-") => {
            Action::Sleep(Duration::from_micros(sleep.trim_start_matches("sleep-").parse().unwrap_or(1000)))
        }
        Some(_) | None => Action::Kill,
    };
    let nth = words.next().and_then(|word| word.parse().ok()).unwrap_or(1);
    if FAIL.set(Fail { point, action, nth, reached: AtomicU64::new(0) }).is_ok() {
        moorline_lock_core::failpoint::install(reached);
    }
}

fn reached(point: &'static str) {
    let Some(fail) = FAIL.get().filter(|fail| fail.point == point) else { return };
    let reached = fail.reached.fetch_add(1, Ordering::Relaxed) + 1;
    if fail.nth != 0 && reached != fail.nth {
        return;
    }
    match fail.action {
        Action::Abort => std::process::abort(),
        Action::Kill => {
            let _ = kill_process(getpid(), Signal::KILL);
        }
        Action::Stop => {
            let _ = kill_process(getpid(), Signal::STOP);
        }
        Action::Sleep(time) => std::thread::sleep(time),
    }
}
