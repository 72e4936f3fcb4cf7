//! Writing for a run from beside it: tools, mirrors and whoever else works for it.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{error::AttemptError, window::Shared};
use crate::transcript::{Added, Draft, Lines, Provenance, Tip, WriteAs, compose};

/// Writes into the session on behalf of a run. While the run holds the lock it joins it, else it takes the lock for one append;
/// either way the run knows the entry as its own. Cheap to clone.
#[derive(Clone)]
pub struct RunWriter {
    shared: Arc<Shared>,
}

impl RunWriter {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Appends one entry of a session in the OpenClaw format.
    ///
    /// Mirrors, metadata and announcements stay beside the conversation; a turn becomes its next step.
    ///
    /// Cancel-safe: dropped half-way, the entry is there, whole, or not at all.
    ///
    /// # Errors
    /// The run has ended, the lock is not had, another writer has the session, or the file system refuses.
    pub async fn append(
        &self,
        draft: Draft,
        written_as: WriteAs,
        at: SystemTime,
    ) -> Result<Added, AttemptError> {
        let run = self.shared.setup.tag.run_id().to_owned();
        let entry = [(draft, Provenance { run, turn: None, written_as, settled: None })];
        let entry_id = std::sync::Mutex::new(None);
        let compose = |tip: &Tip| {
            let lines = compose(tip, &entry, at);
            if let Ok(mut id) = entry_id.lock() {
                id.clone_from(&lines.tip.leaf);
            }
            match written_as {
                WriteAs::Turn => lines,
                // The conversation goes on from where it was.
                WriteAs::Mirror | WriteAs::Metadata | WriteAs::Announce => {
                    Lines { tip: tip.clone(), ..lines }
                }
            }
        };
        let (_, len) = self.append_lines_with(&compose).await?;
        let entry_id = entry_id.into_inner().unwrap_or_default();
        Ok(Added { entry_id, len })
    }

    /// Appends lines of any format.
    ///
    /// # Errors
    /// As [`RunWriter::append`].
    pub async fn append_lines(
        &self,
        compose: impl Fn(&Tip) -> Lines + Send + Sync,
    ) -> Result<Lines, AttemptError> {
        self.append_lines_with(&compose).await.map(|(lines, _)| lines)
    }

    /// Ends the attempt that this writer belongs to.
    pub(crate) async fn end(&self, drain: Duration) {
        self.shared.abort(drain).await;
    }

    async fn append_lines_with(
        &self,
        compose: &(dyn Fn(&Tip) -> Lines + Sync),
    ) -> Result<(Lines, u64), AttemptError> {
        self.shared.append(compose).await
    }
}

impl std::fmt::Debug for RunWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunWriter").field("path", &self.shared.setup.target.path()).finish_non_exhaustive()
    }
}
