//! Who asks for a lock: the run, and the session it works for.

use std::sync::Arc;

use crate::{nonce::Nonce, record};

/// Names the run that asks. Two requests with one run id are the same run: the second is refused at once as
/// self-contention while the first owns the lock, because it would wait for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunTag(Arc<Inner>);

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    run_id: Arc<str>,
    session_key: Option<Box<str>>,
    /// The two as they stand in a record; a run acquires its lock more than once.
    text: Vec<u8>,
}

impl RunTag {
    /// A run by its id; ids longer than 256 characters are cut, as readers of the record do.
    #[must_use]
    pub fn new(run_id: &str) -> Self {
        Self::build(cut(run_id).into(), None)
    }

    /// A run that has no name of its own: every call is another run.
    #[must_use]
    pub fn anonymous() -> Self {
        Self::new(Nonce::fresh().as_str())
    }

    /// Adds the session the run belongs to, for people who read the record.
    #[must_use]
    pub fn in_session(self, session_key: &str) -> Self {
        Self::build(Arc::clone(&self.0.run_id), Some(cut(session_key).into()))
    }

    fn build(run_id: Arc<str>, session_key: Option<Box<str>>) -> Self {
        let text = record::run_text(&run_id, session_key.as_deref());
        Self(Arc::new(Inner { run_id, session_key, text }))
    }

    /// The run id.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.0.run_id
    }

    /// The session key, where one was given.
    #[must_use]
    pub fn session_key(&self) -> Option<&str> {
        self.0.session_key.as_deref()
    }

    pub(crate) fn run(&self) -> &Arc<str> {
        &self.0.run_id
    }

    pub(crate) fn text(&self) -> &[u8] {
        &self.0.text
    }
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(256).map_or(text, |(end, _)| &text[..end])
}
