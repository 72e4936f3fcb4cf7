//! Test doubles: a clock whose wall follows tokio's paused time, a mock of the transport port, and a receiver in a file
//! that outlives the process which sends to it.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

use async_trait::async_trait;
use mockall::mock;
use moorline_announce::{Envelope, Key, Lookup, Path, Progress, Receipt, SendError, Transport};
use moorline_retry::{Clock, Sleep, SystemClock};

mock! {
    pub Wire {}

    #[async_trait]
    impl Transport for Wire {
        async fn send(&self, envelope: &Envelope, key: &Key, deadline: Instant) -> Result<Receipt, SendError>;
        async fn lookup(&self, key: &Key) -> Result<Lookup, SendError>;
    }
}

/// Tokio's time line, with a wall clock that moves along it.
#[derive(Debug)]
pub(crate) struct PausedClock(Instant);

impl PausedClock {
    pub(crate) fn new() -> Self {
        Self(SystemClock.now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        SystemClock.now().duration_since(self.0)
    }
}

impl Clock for PausedClock {
    fn now(&self) -> Instant {
        SystemClock.now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + self.elapsed()
    }

    fn sleep_until(&self, deadline: Instant) -> Sleep {
        SystemClock.sleep_until(deadline)
    }
}

/// A receiver that keeps what it gets in a file, one line per message, and does *not* deduplicate: a key that comes
/// twice is there twice, for the audit to find.
#[derive(Debug)]
pub(crate) struct FileReceiver(pub(crate) PathBuf);

impl FileReceiver {
    /// How often each key was received.
    pub(crate) fn received(&self) -> BTreeMap<String, usize> {
        let mut keys = BTreeMap::new();
        for line in std::fs::read_to_string(&self.0).unwrap_or_default().lines() {
            *keys.entry(line.to_owned()).or_default() += 1;
        }
        keys
    }
}

#[async_trait]
impl Transport for FileReceiver {
    #[expect(clippy::disallowed_methods, reason = "the receiver's own file; no transcript is near")]
    async fn send(&self, _envelope: &Envelope, key: &Key, _deadline: Instant) -> Result<Receipt, SendError> {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&self.0).unwrap();
        file.write_all(format!("{key}\n").as_bytes()).unwrap();
        file.sync_data().unwrap();
        Ok(Receipt { path: Path::Turn, progress: Progress::Delivered })
    }

    async fn lookup(&self, key: &Key) -> Result<Lookup, SendError> {
        let known = self.received().contains_key(&key.to_string());
        Ok(if known { Lookup::Delivered } else { Lookup::Absent })
    }
}
