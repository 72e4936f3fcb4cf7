//! The front of the crate: acquire, inspect, sweep, and what this process holds.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use crate::{
    acquire::Acquisition,
    config::{LockConfig, OnStale},
    error::{LockError, LostHow},
    held::Held,
    inspect::{self, LockView},
    observer::Observer,
    publish::PublishMode,
    reclaim::ReclaimMode,
    registry,
    stats::{self, Stats},
    sweep::{self, Swept},
    tag::RunTag,
    target::Target,
};

/// Session locks with one set of settings. Cheap to clone; every `Locks` of a process shares its queues.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use moorline_lock_core::{LockConfig, Locks, RunTag, Target};
/// let dir = tempfile::tempdir()?;
/// let target = Target::sidecar_of(&dir.path().join("session.jsonl"))?;
/// let locks = Locks::new(LockConfig::default());
/// let held = locks.acquire(&target, &RunTag::new("run-1")).await?;
/// assert!(target.lock_path().exists());
/// held.release().await?;
/// assert!(!target.lock_path().exists());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Locks(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: LockConfig,
    pub(crate) publish_mode: PublishMode,
    pub(crate) reclaim_mode: ReclaimMode,
    pub(crate) observer: Option<Arc<dyn Observer>>,
}

impl fmt::Debug for Locks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Locks").field(&self.0.config).finish()
    }
}

impl Inner {
    pub(crate) fn on_stale(&self, wait: &Wait) -> OnStale {
        wait.on_stale.unwrap_or(self.config.on_stale)
    }
}

/// How one acquisition waits, where it differs from the settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wait {
    /// The longest wait; `None` waits without end.
    pub timeout: Option<Duration>,
    /// What to do about a live stale lock; `None` as the settings say.
    pub on_stale: Option<OnStale>,
    /// The hold this owner declares; `None` as the settings say.
    pub max_hold: Option<Duration>,
}

impl Locks {
    /// Locks with these settings. Settings that make waiters lose by construction are warned about here, once.
    #[must_use]
    pub fn new(config: LockConfig) -> Self {
        Self::build(config, None)
    }

    /// Locks with these settings that tell `observer` what they meet.
    #[must_use]
    pub fn observed_by(config: LockConfig, observer: Arc<dyn Observer>) -> Self {
        Self::build(config, Some(observer))
    }

    fn build(config: LockConfig, observer: Option<Arc<dyn Observer>>) -> Self {
        for warning in config.warnings() {
            tracing::warn!("session.writeLock: {warning}");
        }
        Self(Arc::new(Inner {
            config,
            publish_mode: PublishMode::default(),
            reclaim_mode: ReclaimMode::default(),
            observer,
        }))
    }

    /// Locks that use a fallback, or the deliberately broken reclaim. For tests.
    #[cfg(feature = "testkit")]
    #[must_use]
    pub fn with_modes(config: LockConfig, publish_mode: PublishMode, reclaim_mode: ReclaimMode) -> Self {
        Self(Arc::new(Inner { config, publish_mode, reclaim_mode, observer: None }))
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &LockConfig {
        &self.0.config
    }

    /// Acquires the lock of `target` for a run, waiting as the settings say.
    ///
    /// Waits in the order of asking within the process, without polling. Cancel-safe: dropping the future leaves no lock,
    /// no place in the queue and no file behind.
    ///
    /// # Errors
    /// [`LockError::Timeout`], [`LockError::Stale`], [`LockError::SelfContention`] or [`LockError::Unavailable`].
    pub async fn acquire(&self, target: &Target, tag: &RunTag) -> Result<Held, LockError> {
        let wait = Wait { timeout: self.0.config.acquire_timeout, on_stale: None, max_hold: None };
        self.acquire_within(target, tag, wait).await
    }

    /// Acquires with a wait of its own.
    ///
    /// # Errors
    /// As [`Locks::acquire`].
    pub async fn acquire_within(&self, target: &Target, tag: &RunTag, wait: Wait) -> Result<Held, LockError> {
        Acquisition::new(&self.0, target, tag, wait).run().await
    }

    /// Looks at the lock of a file, at a lock file, or at every lock file of a directory. Changes nothing.
    ///
    /// # Errors
    /// [`LockError::Unavailable`] when the path cannot be looked at.
    pub fn inspect(&self, path: &Path) -> Result<Vec<LockView>, LockError> {
        inspect::inspect(path, &self.0.config)
    }

    /// Removes the locks of proven dead owners and what killed processes left behind in a directory. Live, unknown and
    /// foreign locks stay, however old.
    ///
    /// # Errors
    /// [`LockError::Unavailable`] when the directory cannot be read.
    pub fn sweep(&self, dir: &Path, dry_run: bool) -> Result<Vec<Swept>, LockError> {
        sweep::sweep(dir, &self.0, dry_run)
    }

    /// Asks every lock that this process holds on `path` (a file or its lock) back: its run is told, its writes are
    /// refused from now on, and it is released. Returns the tokens concerned.
    ///
    /// # Errors
    /// [`LockError::Unavailable`] when the path cannot be resolved.
    pub fn revoke_own(&self, path: &Path) -> Result<Vec<String>, LockError> {
        let target = Target::of_either(path)?;
        let holds = registry::global().all().into_iter().filter(|hold| hold.target().key() == target.key());
        Ok(holds
            .map(|hold| {
                hold.revoke(LostHow::Revoked);
                hold.nonce().to_string()
            })
            .collect())
    }

    /// Revokes and releases every lock of this process and waits until that is done, at most `drain`. For the program's
    /// shutdown; libraries install no signal handlers. Returns how many were still held: those are left for others to
    /// reclaim once this process has ended.
    pub async fn release_all(drain: Duration) -> usize {
        let end = tokio::time::Instant::now() + drain;
        for hold in registry::global().all() {
            hold.revoke(LostHow::Revoked);
        }
        loop {
            let left = registry::global().all().len();
            if left == 0 || tokio::time::Instant::now() >= end {
                return left;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// What the locks of this process did since it started.
    #[must_use]
    pub fn stats() -> Stats {
        stats::global().read()
    }
}
