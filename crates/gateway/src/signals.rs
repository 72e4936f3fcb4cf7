//! Signals that end this program: it revokes its locks, lets what is under way end for a bounded time, releases, and then
//! ends as the signal would have ended it. What could not be released in time is a dead lock that others take over.

use std::sync::{Arc, atomic::AtomicBool};

use signal_hook::consts::SIGXFSZ;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Exit;

/// The signals that ask the program to end.
pub(crate) struct Ending {
    all: Vec<(i32, Signal)>,
}

impl Ending {
    /// Installs the handlers. Done before anything is acquired: a signal that comes during start-up ends it in order.
    #[allow(clippy::disallowed_methods, reason = "the program installs handlers, its libraries do not")]
    pub(crate) fn install() -> std::io::Result<Self> {
        // tokio names no kind for SIGABRT (6 on every Linux).
        let abort = SignalKind::from_raw(6);
        let hangup = SignalKind::hangup();
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::quit(), abort, hangup];
        // Started by `nohup`, the program outlives its terminal: a handler would undo that.
        let wanted = kinds.into_iter().filter(|kind| *kind != hangup || !hangup_is_ignored());
        let all = wanted.map(|kind| signal(kind).map(|signal| (kind.as_raw_value(), signal)));
        Ok(Self { all: all.collect::<Result<_, _>>()? })
    }

    /// The next of them. Cancel-safe.
    pub(crate) async fn next(&mut self) -> i32 {
        std::future::poll_fn(|context| {
            for (number, signal) in &mut self.all {
                if signal.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*number);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}

/// Whether whoever started this program had it ignore SIGHUP: bit 0 of the kernel's mask.
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

/// The end of a command that was interrupted and has cleaned up: status 130 for ctrl-C, as a shell says it; any other
/// signal ends the process as it would have.
pub(crate) fn interrupted(number: i32) -> Exit {
    if number != SignalKind::interrupt().as_raw_value() {
        end_by(number);
    }
    Exit::Status(u8::try_from(128 + number).unwrap_or(u8::MAX))
}

/// Makes a write beyond the file size limit an error of that write instead of the end of the process: then it is cut back,
/// said and survived, as on a full disk. A handler and not "ignore", which a command run under a lock would inherit.
pub(crate) fn fail_writes_beyond_the_limit() {
    if let Err(error) = signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))) {
        tracing::warn!(%error, "a write beyond the file size limit will end this process");
    }
}

/// SIGTERM: what an orderly end is asked for with.
pub(crate) const TERMINATE: i32 = 15;

/// Whether a signal only asks for an orderly end, which then is a success.
pub(crate) fn is_polite(number: i32) -> bool {
    number == SignalKind::interrupt().as_raw_value() || number == TERMINATE
}

/// Ends the process as the signal would have, now that everything is released.
pub(crate) fn end_by(number: i32) {
    if let Err(error) = signal_hook::low_level::emulate_default_handler(number) {
        tracing::warn!(%error, number, "the signal could not be passed on");
    }
}
