//! The port to provider-side prompt caches, and the entries in which their handles are kept.
//!
//! A provider keeps a long system prompt and its tools under a handle; asking with the handle is cheaper than sending them
//! again. Handles are `custom` entries of the session, so that the next process finds them. What must stay true: a cache is
//! prepared while no lock is held; one that cannot be had never fails a turn; that this run may not write any more always
//! reaches it.

use std::{
    error::Error,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use moorline_retry::Clock;
use moorline_taxonomy::{Code, Mark, PromptCacheVerdict, policy};
use serde_json::Value;

use super::model::ModelRequest;
use crate::{AttemptError, Draft, RunWriter, Session, WriteAs, transcript::Kind};

/// A prompt cache could not be prepared, or its handle not be stored.
#[derive(Debug)]
pub struct CacheError {
    message: String,
    mark: Mark,
}

impl CacheError {
    /// An error of this class.
    #[must_use]
    pub fn new(code: impl Into<Code>, message: impl Into<String>) -> Self {
        Self { message: message.into(), mark: Mark::new(code) }
    }

    /// The class.
    #[must_use]
    pub fn code(&self) -> Code {
        self.mark.code()
    }

    /// Whether the turn must know, by the policy table.
    #[must_use]
    pub fn must_propagate(&self) -> bool {
        match policy(self.code(), self.mark.effect()).prompt_cache {
            PromptCacheVerdict::Propagate => true,
            PromptCacheVerdict::Ignore => false,
        }
    }
}

impl From<AttemptError> for CacheError {
    fn from(error: AttemptError) -> Self {
        let mark = Mark::new(error.code());
        Self {
            message: "a prompt cache's handle could not be stored".to_owned(),
            mark: mark.caused_by(error),
        }
    }
}

impl fmt::Display for CacheError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for CacheError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.mark)
    }
}

/// Keeps provider-side prompt caches.
#[async_trait]
pub trait PromptCache: Send + Sync {
    /// The name of a cache that holds the request's system prompt and tools for its candidate; `None` to send them as they
    /// are. Called before each model call, without the lock, and not for requests that name a cache already.
    ///
    /// # Errors
    /// Logged and otherwise ignored, unless the policy says that the turn must know (coordination and cancellation).
    async fn prepare(
        &self,
        request: &ModelRequest,
        ledger: &CacheLedger,
    ) -> Result<Option<String>, CacheError>;
}

/// The cache entries of a session: what earlier runs stored, and a way to store more.
pub struct CacheLedger {
    writer: RunWriter,
    clock: Arc<dyn Clock>,
    /// Type and data, oldest first.
    entries: Mutex<Vec<(String, Value)>>,
}

impl CacheLedger {
    pub(super) fn new(session: &Session, writer: RunWriter, clock: Arc<dyn Clock>) -> Self {
        let custom =
            session.entries().iter().filter(|entry| entry.kind() == Kind::Custom).filter_map(|entry| {
                let mut value = entry.value();
                let custom_type = value.get("customType")?.as_str()?.to_owned();
                Some((custom_type, value.get_mut("data")?.take()))
            });
        Self { writer, clock, entries: Mutex::new(custom.collect()) }
    }

    /// The latest entry of a type for which `is` holds.
    pub fn latest(&self, custom_type: &str, is: impl Fn(&Value) -> bool) -> Option<Value> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries
            .iter()
            .rev()
            .find(|(kind, data)| kind == custom_type && is(data))
            .map(|(_, data)| data.clone())
    }

    /// Stores an entry in the session. Within this run it counts from now on, even where it could not be stored.
    ///
    /// # Errors
    /// As [`RunWriter::append`].
    pub async fn append(&self, custom_type: &str, data: Value) -> Result<(), CacheError> {
        self.entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((custom_type.to_owned(), data.clone()));
        self.writer.append(Draft::custom(custom_type, data), WriteAs::Metadata, self.clock.wall()).await?;
        Ok(())
    }

    /// The clock of the run.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }
}

impl fmt::Debug for CacheLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheLedger").finish_non_exhaustive()
    }
}
