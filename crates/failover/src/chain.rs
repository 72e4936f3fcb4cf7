//! The chain: candidates in order, until one serves.
//!
//! What a caller sets up and holds; one run of it is in `run.rs`. Time comes from a [`Clock`], and waiting is the only
//! thing done between calls. Nothing is spawned.
//!
//! What must stay true: an error that is not a provider's ends the run at once with nothing cooled; output that was
//! shown is never silently replayed; and what the store cannot do never fails a call, it is written into the record.
//!
//! Cancellation: dropping the future of [`Chain::run`] drops the call in flight and forgets the run. Cooldowns already
//! written stay; a claimed probe is held until its lease ends.

use std::{future::Future, sync::Arc, time::SystemTime};

use moorline_retry::{Budget, Clock, Schedule};

use crate::{
    attempt::Attempt,
    candidate::{Candidate, Needs},
    chain_error::ChainError,
    cooldown::Cooldown,
    decide::Limits,
    failure::CallError,
    record::Record,
    run::Run,
    store::{CooldownStore, MemoryStore, StoreError},
};

/// Candidates in the order in which they are tried. Clones share the store, the budget and the clock.
#[derive(Clone)]
pub struct Chain {
    pub(crate) candidates: Vec<Candidate>,
    pub(crate) limits: Limits,
    pub(crate) backoff: Schedule,
    pub(crate) budget: Budget,
    pub(crate) store: Arc<dyn CooldownStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observer: Option<Observer>,
}

/// Hears each step.
type Observer = Arc<dyn Fn(&Record) + Send + Sync>;

/// An answer, and what it took to get it.
#[derive(Debug)]
pub struct Served<T> {
    /// What the call returned.
    pub value: T,
    /// Who served.
    pub candidate: Candidate,
    /// What was done before, in order; the last record is the serving call.
    pub records: Vec<Record>,
}

impl Chain {
    /// A chain with default limits, no delay between tries of one candidate where none is stated, no shared budget, and
    /// a store that forgets with the process.
    pub fn new(candidates: impl IntoIterator<Item = Candidate>, clock: Arc<dyn Clock>) -> Self {
        Self {
            candidates: candidates.into_iter().collect(),
            limits: Limits::default(),
            backoff: Schedule::never(),
            budget: Budget::unlimited(),
            store: Arc::new(MemoryStore::new()),
            clock,
            observer: None,
        }
    }

    /// Other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The delays between tries of one candidate where nothing was stated.
    #[must_use]
    pub fn with_backoff(mut self, backoff: Schedule) -> Self {
        self.backoff = backoff;
        self
    }

    /// A budget of second tries, shared with everybody who holds a clone of it.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// A store that others share or that survives a restart.
    #[must_use]
    pub fn with_store(mut self, store: Arc<dyn CooldownStore>) -> Self {
        self.store = store;
        self
    }

    /// Tells each step when it is made; whom a failure leads to, and after which wait, is in the run's own records only.
    #[must_use]
    pub fn observed_by(mut self, observer: impl Fn(&Record) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Calls candidates in order until one serves.
    ///
    /// `call` gets the candidate and a handle; it returns the answer or what the call failed with. A local error in any
    /// wrapping ends the run: no candidate is consumed and nothing cools.
    ///
    /// # Errors
    /// [`ChainError`] says why nobody served, with a record of everything that was done.
    pub async fn run<T, F, Answer>(&self, needs: &Needs, call: F) -> Result<Served<T>, ChainError>
    where
        T: Send,
        F: FnMut(Candidate, Attempt) -> Answer + Send,
        Answer: Future<Output = Result<T, CallError>> + Send,
    {
        Run::new(self, needs, call).all().await
    }

    /// What is left alone, against the clock of now; with what the store said when it could not tell.
    pub(crate) async fn cooldowns(&self, now: SystemTime) -> (Vec<Cooldown>, Option<String>) {
        let mut cooldowns = match self.store.load().await {
            Ok(cooldowns) => cooldowns,
            Err(error) => return (Vec::new(), Some(said(&error))),
        };
        let mut failed = None;
        for cooldown in &mut cooldowns {
            if let Some(rebased) = cooldown.rebased(now) {
                let until = std::mem::replace(cooldown, rebased).until;
                if let Err(error) = self.replace(cooldown, until).await {
                    failed = Some(said(&error));
                }
            }
        }
        (cooldowns, failed)
    }

    /// Keeps `cooldown` in the place of one that ended at `until`. Merging alone would keep the later end.
    async fn replace(&self, cooldown: &Cooldown, until: SystemTime) -> Result<(), StoreError> {
        self.store.clear(&cooldown.key, cooldown.why, until).await?;
        self.store.merge(cooldown).await
    }
}

/// An error with all its causes, in one line.
pub(crate) fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
