//! Logs: to stderr, as text on a terminal and as JSON elsewhere unless `log.format` says otherwise, filtered by
//! `MOORLINE_LOG`.
//!
//! Libraries of others print whole messages when they are asked for details, and in them are prompts and tokens. Whatever
//! the filter says, they are heard from a warning on only; the provider client, which puts bodies into its warnings, never.

use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, filter::filter_fn, fmt, prelude::*};

use crate::settings::LogFormat;

/// Installs the subscriber. A long-running gateway tells more than a command whose errors are its output.
#[allow(clippy::disallowed_methods, reason = "the program reads the environment, its libraries do not")]
pub(crate) fn install(long_running: bool, format: LogFormat) {
    let default = if long_running { "info" } else { "error" };
    let filter = std::env::var("MOORLINE_LOG").ok().filter(|filter| !filter.is_empty());
    let filter =
        EnvFilter::try_new(filter.as_deref().unwrap_or(default)).unwrap_or_else(|_| EnvFilter::new(default));
    let terminal = std::io::stderr().is_terminal();
    let as_text = match format {
        LogFormat::Auto => terminal,
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let text = as_text.then(|| fmt::layer().with_writer(std::io::stderr).with_ansi(terminal));
    let json = (!as_text).then(|| fmt::layer().json().with_writer(std::io::stderr));
    // A test may have installed its own.
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(may_tell))
        .with(text)
        .with(json)
        .try_init();
}

fn may_tell(metadata: &Metadata<'_>) -> bool {
    let (target, level) = (metadata.target(), *metadata.level());
    target.starts_with("moorline") || (level <= Level::WARN && !target.starts_with("genai"))
}
