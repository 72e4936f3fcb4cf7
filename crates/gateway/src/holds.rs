//! How long locks were waited for and held, one line each, for whoever looks at a run afterwards.
//!
//! Written where the state directory asks for it by having a folder `holds`; a stress run makes it. The option not taken is
//! to keep this in the event files: it is several lines a turn, nothing is owed by them, and every start would read them.

use std::{
    fs::File,
    io::Write,
    os::unix::fs::DirBuilderExt,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{clock, state_dir::StateDir};

const FOLDER: &str = "holds";

/// One wait or hold that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Span {
    /// When it was over, in milliseconds since the Unix epoch.
    pub(crate) at: u64,
    pub(crate) pid: u32,
    /// Microseconds.
    pub(crate) waited: Option<u64>,
    pub(crate) held: Option<u64>,
}

/// This process's file, if one is wanted.
pub(crate) struct Holds(Option<Mutex<File>>);

impl Holds {
    pub(crate) fn open(state: &StateDir) -> Self {
        if !state.root().join(FOLDER).is_dir() {
            return Self(None);
        }
        let name = format!("{FOLDER}/{}-{}.jsonl", clock::wall_ms(), std::process::id());
        match state.create_private(&name) {
            Ok(file) => Self(Some(Mutex::new(file))),
            Err(error) => {
                tracing::warn!(%error, "holds of locks are not written down");
                Self(None)
            }
        }
    }

    pub(crate) fn waited(&self, span: Duration) {
        self.write(|now| Span { waited: Some(micros(span)), ..now });
    }

    pub(crate) fn held(&self, span: Duration) {
        self.write(|now| Span { held: Some(micros(span)), ..now });
    }

    fn write(&self, span: impl FnOnce(Span) -> Span) {
        let Some(file) = &self.0 else { return };
        let now = Span { at: clock::wall_ms(), pid: std::process::id(), waited: None, held: None };
        let Ok(mut line) = serde_json::to_vec(&span(now)) else { return };
        line.push(b'\n');
        // A figure that is missing is no harm: nothing is decided by it.
        let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

/// Asks the processes of a state directory to write them.
pub(crate) fn ask_for(root: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(root.join(FOLDER))
}

/// Every span of a state directory, in the order of time; lines that a kill or a full disk cut are left out.
pub(crate) fn read(root: &Path) -> anyhow::Result<Vec<Span>> {
    let mut spans: Vec<Span> = Vec::new();
    for file in std::fs::read_dir(root.join(FOLDER))? {
        let text = String::from_utf8_lossy(&std::fs::read(file?.path())?).into_owned();
        spans.extend(text.lines().filter_map(|line| serde_json::from_str::<Span>(line).ok()));
    }
    spans.sort_unstable_by_key(|span: &Span| span.at);
    Ok(spans)
}

/// Median, 99th percentile, largest and number of values.
pub(crate) fn percentiles(values: impl Iterator<Item = u64>) -> [u64; 4] {
    let mut sorted: Vec<u64> = values.collect();
    sorted.sort_unstable();
    let count = u64::try_from(sorted.len()).unwrap_or(u64::MAX);
    [percentile(&sorted, 50), percentile(&sorted, 99), percentile(&sorted, 100), count]
}

/// The smallest value that `percent` of all values do not exceed.
pub(crate) fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn a_percentile_is_a_value_that_was_measured() {
        let hundred: Vec<u64> = (1..=100).collect();
        for (values, percent, is) in [(&hundred[..], 50, 50), (&hundred, 99, 99), (&[7], 50, 7), (&[], 99, 0)]
        {
            assert_eq!(percentile(values, percent), is);
        }
    }
}
