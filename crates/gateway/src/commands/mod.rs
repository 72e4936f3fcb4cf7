//! One file per command: read the arguments, call the library, show the result.

pub(crate) mod agent;
pub(crate) mod announce;
pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod classify;
pub(crate) mod doctor;
pub(crate) mod lock;
pub(crate) mod lock_exec;
pub(crate) mod mcp;
pub(crate) mod parked;
pub(crate) mod qa;
pub(crate) mod serve;
pub(crate) mod stress;

use std::path::Path;

use anyhow::Context;

/// Whether a report can be written where it is asked for: found out before the work, not after it.
pub(crate) fn check_writable(path: &Path) -> anyhow::Result<()> {
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(path);
    file.map(drop).with_context(|| format!("cannot write {}; nothing was started", path.display()))
}
