//! Logs: to stderr, as text on a terminal and as JSON elsewhere, filtered by `MOORLINE_LOG`.
//!
//! Libraries of others print whole messages when they are asked for details, and in them are prompts and tokens. Whatever
//! the filter says, they are heard from a warning on only.

use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, filter::filter_fn, fmt, prelude::*};

/// Installs the subscriber. A long-running gateway tells more than a command whose errors are its output.
#[allow(clippy::disallowed_methods, reason = "the program reads the environment, its libraries do not")]
pub(crate) fn install(long_running: bool) {
    let default = if long_running { "info" } else { "error" };
    let filter = std::env::var("MOORLINE_LOG").ok().filter(|filter| !filter.is_empty());
    let filter =
        EnvFilter::try_new(filter.as_deref().unwrap_or(default)).unwrap_or_else(|_| EnvFilter::new(default));
    let terminal = std::io::stderr().is_terminal();
    let text = terminal.then(|| fmt::layer().with_writer(std::io::stderr).with_ansi(true));
    let json = (!terminal).then(|| fmt::layer().json().with_writer(std::io::stderr));
    // A test may have installed its own.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(may_tell))
        .with(text)
        .with(json)
        .try_init();
}

fn may_tell(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("moorline") || *metadata.level() <= Level::WARN
}
