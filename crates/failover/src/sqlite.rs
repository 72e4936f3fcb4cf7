//! Cooldowns in an SQLite file that processes share.
//!
//! The decision: one file of its own in WAL mode, every operation one statement, times as milliseconds since the epoch.
//! The merge is an upsert with `max`, the claim an upsert with a condition, so the database does what the port
//! promises and no transaction spans an await. The option not taken is a table in the outbox's file: that one has a
//! single opener, and cooldowns are read by every process that calls a model.
//!
//! The calls block for microseconds, and under a writer of another process for [`BUSY`] at most; then they fail typed.

use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, params};

use crate::{
    cooldown::{Cooldown, Key, Why},
    store::{CooldownStore, LONGEST_LEASE, StoreError},
};

/// How long an operation waits for another process's write.
const BUSY: Duration = Duration::from_millis(250);

/// An absent part of a key, since NULLs are never equal in a primary key. A present part begins with [`ONE`].
const ALL: &str = "*";
const ONE: char = '=';

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS cooldown (
        provider TEXT NOT NULL, credential TEXT NOT NULL, model TEXT NOT NULL, why TEXT NOT NULL,
        since_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL, strikes INTEGER NOT NULL,
        PRIMARY KEY (provider, credential, model, why)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS probe (
        provider TEXT NOT NULL, credential TEXT NOT NULL, model TEXT NOT NULL, lease_end_ms INTEGER NOT NULL,
        PRIMARY KEY (provider, credential, model)
    ) WITHOUT ROWID;";

/// Cooldowns in an SQLite file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Mutex<Connection>,
}

impl SqliteStore {
    /// Opens or creates the file.
    ///
    /// # Errors
    /// The file cannot be opened or is not a store of this kind.
    #[expect(clippy::disallowed_methods, reason = "the room of the cooldown file, which is not the outbox's")]
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let connection = Connection::open(path).map_err(|error| failed("open its file", error))?;
        connection.busy_timeout(BUSY).map_err(|error| failed("set its busy timeout", error))?;
        connection
            .pragma_update(None, "journal_mode", "WAL")
            .map_err(|error| failed("switch to WAL", error))?;
        // A cooldown lost with the power is learned again from the next answer; a wait for the disk is not worth it.
        connection
            .pragma_update(None, "synchronous", "OFF")
            .map_err(|error| failed("set its durability", error))?;
        connection.execute_batch(SCHEMA).map_err(|error| failed("create its tables", error))?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // Every operation is one statement, so the connection is usable even after a panic elsewhere.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl CooldownStore for SqliteStore {
    async fn load(&self) -> Result<Vec<Cooldown>, StoreError> {
        let connection = self.connection();
        read_all(&connection).map_err(|error| failed("read the cooldowns", error))
    }

    async fn merge(&self, cooldown: &Cooldown) -> Result<(), StoreError> {
        let (credential, model) = parts(&cooldown.key);
        self.connection()
            .execute(
                "INSERT INTO cooldown VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT DO UPDATE SET since_ms = max(since_ms, excluded.since_ms),
                     until_ms = max(until_ms, excluded.until_ms), strikes = max(strikes, excluded.strikes)",
                params![
                    cooldown.key.provider,
                    credential,
                    model,
                    cooldown.why.as_str(),
                    millis(cooldown.since),
                    millis(cooldown.until),
                    cooldown.strikes
                ],
            )
            .map(|_| ())
            .map_err(|error| failed("keep a cooldown", error))
    }

    async fn clear(&self, key: &Key, why: Why, until: SystemTime) -> Result<(), StoreError> {
        let (credential, model) = parts(key);
        self.connection()
            .execute(
                "DELETE FROM cooldown
                 WHERE provider = ?1 AND credential = ?2 AND model = ?3 AND why = ?4 AND until_ms <= ?5",
                params![key.provider, credential, model, why.as_str(), millis(until)],
            )
            .map(|_| ())
            .map_err(|error| failed("clear a cooldown", error))
    }

    async fn claim(&self, key: &Key, now: SystemTime, lease_end: SystemTime) -> Result<bool, StoreError> {
        let (credential, model) = parts(key);
        self.connection()
            .execute(
                "INSERT INTO probe VALUES (?1, ?2, ?3, ?5)
                 ON CONFLICT DO UPDATE SET lease_end_ms = ?5 WHERE lease_end_ms <= ?4 OR lease_end_ms > ?6",
                params![
                    key.provider,
                    credential,
                    model,
                    millis(now),
                    millis(lease_end),
                    millis(now + LONGEST_LEASE)
                ],
            )
            .map(|changed| changed == 1)
            .map_err(|error| failed("claim a probe", error))
    }

    async fn release(&self, key: &Key) -> Result<(), StoreError> {
        let (credential, model) = parts(key);
        self.connection()
            .execute(
                "DELETE FROM probe WHERE provider = ?1 AND credential = ?2 AND model = ?3",
                params![key.provider, credential, model],
            )
            .map(|_| ())
            .map_err(|error| failed("release a probe", error))
    }
}

fn read_all(connection: &Connection) -> rusqlite::Result<Vec<Cooldown>> {
    let mut statement = connection
        .prepare("SELECT provider, credential, model, why, since_ms, until_ms, strikes FROM cooldown")?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let why: String = row.get(3)?;
        // A reason of a newer version is nobody's here; it neither cools nor is lost.
        let Some(why) = Why::ALL.into_iter().find(|known| known.as_str() == why) else { continue };
        all.push(Cooldown {
            key: Key { provider: row.get(0)?, credential: part(row.get(1)?), model: part(row.get(2)?) },
            why,
            since: time(row.get(4)?),
            until: time(row.get(5)?),
            strikes: row.get(6)?,
        });
    }
    Ok(all)
}

fn part(stored: String) -> Option<String> {
    stored.strip_prefix(ONE).map(str::to_owned)
}

fn parts(key: &Key) -> (String, String) {
    let part =
        |part: &Option<String>| part.as_ref().map_or_else(|| ALL.to_owned(), |part| format!("{ONE}{part}"));
    (part(&key.credential), part(&key.model))
}

/// Milliseconds since the epoch, rounded up, so that what is stored never ends early.
fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn failed(doing: &'static str, error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::busy(doing, error),
        _ => StoreError::failed(doing, error),
    }
}
