//! Where cooldowns are kept: a port, and the store that forgets with the process.
//!
//! The port is small on purpose: read all, merge one, clear what a success disproved, and claim the one probe. A claim
//! is a lease with an end, so that a prober that dies or is dropped does not keep everybody out.
//!
//! What must stay true: `merge` is idempotent and takes the later of each field; `claim` is atomic among all users of
//! the store.

use std::{
    collections::BTreeMap,
    error::Error,
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use moorline_taxonomy::{Code, Coordination, Local, Mark};

use crate::cooldown::{Cooldown, Key, Why};

/// No lease of a probe is longer.
pub const LONGEST_LEASE: Duration = Duration::from_secs(600);

/// A place for cooldowns.
///
/// Every method may be dropped at any await: what it did is then either whole or not done.
#[async_trait]
pub trait CooldownStore: Send + Sync {
    /// Everything that is kept, ended cooldowns included: they say what has to be probed.
    async fn load(&self) -> Result<Vec<Cooldown>, StoreError>;

    /// Keeps a cooldown; where one of its key and reason is kept, the later of each field.
    async fn merge(&self, cooldown: &Cooldown) -> Result<(), StoreError>;

    /// Forgets the cooldown of `key` and `why`, unless it was prolonged beyond `until` in the meantime.
    async fn clear(&self, key: &Key, why: Why, until: SystemTime) -> Result<(), StoreError>;

    /// Takes the one probe of `key` until `lease_end`. `false` while somebody else holds it. A lease that ends more
    /// than [`LONGEST_LEASE`] from now was written by a clock that was ahead; it holds nobody back.
    async fn claim(&self, key: &Key, now: SystemTime, lease_end: SystemTime) -> Result<bool, StoreError>;

    /// Gives the probe back.
    async fn release(&self, key: &Key) -> Result<(), StoreError>;
}

/// The store failed. The chain goes on without it and says so in its records.
#[derive(Debug)]
pub struct StoreError {
    code: Code,
    doing: &'static str,
    mark: Mark,
}

impl StoreError {
    /// The store was briefly busy under another writer.
    pub fn busy(doing: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Coordination::StorageBusy.into(), doing, source)
    }

    /// The store cannot do it.
    pub fn failed(doing: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Local::Unclassified.into(), doing, source)
    }

    fn new(code: Code, doing: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { code, doing, mark: Mark::new(code).caused_by(source) }
    }

    /// The class.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the cooldown store could not {}", self.doing)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.mark)
    }
}

/// Cooldowns in memory, shared by everybody who holds it.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    cooldowns: BTreeMap<(Key, Why), Cooldown>,
    probes: BTreeMap<Key, SystemTime>,
}

impl MemoryStore {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, use_state: impl FnOnce(&mut State) -> T) -> T {
        // Every change is one insertion or removal, so the maps are whole even after a panic elsewhere.
        use_state(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl CooldownStore for MemoryStore {
    async fn load(&self) -> Result<Vec<Cooldown>, StoreError> {
        Ok(self.with(|state| state.cooldowns.values().cloned().collect()))
    }

    async fn merge(&self, cooldown: &Cooldown) -> Result<(), StoreError> {
        self.with(|state| {
            let slot = (cooldown.key.clone(), cooldown.why);
            let merged =
                state.cooldowns.get(&slot).map_or_else(|| cooldown.clone(), |kept| kept.merge(cooldown));
            state.cooldowns.insert(slot, merged);
        });
        Ok(())
    }

    async fn clear(&self, key: &Key, why: Why, until: SystemTime) -> Result<(), StoreError> {
        self.with(|state| {
            let slot = (key.clone(), why);
            if state.cooldowns.get(&slot).is_some_and(|kept| kept.until <= until) {
                state.cooldowns.remove(&slot);
            }
        });
        Ok(())
    }

    async fn claim(&self, key: &Key, now: SystemTime, lease_end: SystemTime) -> Result<bool, StoreError> {
        Ok(self.with(|state| {
            let held = state.probes.get(key).is_some_and(|end| *end > now && *end <= now + LONGEST_LEASE);
            if !held {
                state.probes.insert(key.clone(), lease_end);
            }
            !held
        }))
    }

    async fn release(&self, key: &Key) -> Result<(), StoreError> {
        self.with(|state| state.probes.remove(key));
        Ok(())
    }
}
