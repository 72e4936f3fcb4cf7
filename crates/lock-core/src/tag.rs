//! Who asks for a lock: the run, and the session it works for.

use std::sync::Arc;

use crate::nonce::Nonce;

/// Names the run that asks. Two requests with one run id are the same run: the second is refused at once as
/// self-contention while the first owns the lock, because it would wait for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunTag {
    run_id: Arc<str>,
    session_key: Option<Arc<str>>,
}

impl RunTag {
    /// A run by its id; ids longer than 256 characters are cut, as readers of the record do.
    #[must_use]
    pub fn new(run_id: &str) -> Self {
        Self { run_id: cut(run_id), session_key: None }
    }

    /// A run that has no name of its own: every call is another run.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new(Nonce::fresh().as_str())
    }

    /// Adds the session the run belongs to, for people who read the record.
    #[must_use]
    pub fn in_session(mut self, session_key: &str) -> Self {
        self.session_key = Some(cut(session_key));
        self
    }

    /// The run id.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// The session key, where one was given.
    #[must_use]
    pub fn session_key(&self) -> Option<&str> {
        self.session_key.as_deref()
    }

    pub(crate) fn run(&self) -> &Arc<str> {
        &self.run_id
    }
}

fn cut(text: &str) -> Arc<str> {
    match text.char_indices().nth(256) {
        Some((end, _)) => text[..end].into(),
        None => text.into(),
    }
}
