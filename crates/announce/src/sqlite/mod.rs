//! An outbox in a SQLite file.
//!
//! One writer: the file is held exclusively while it is open, so that a second process is told instead of taking part.
//! Every write is one transaction in WAL mode with `synchronous = FULL`: it is on the disk when the call returns, which
//! is what "durable before anything is sent" means, and a crash between two writes leaves the first. `NORMAL` would be
//! several times faster and could lose the last writes with the power.
//!
//! SQLite blocks, so each call runs on the runtime's blocking threads; a dropped future lets its call run to the end.
//! The file holds results, so only its owner may read it. The types of `rusqlite` stay inside this folder.

mod codec;
mod failure;
mod schema;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use moorline_taxonomy::Local;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params, params_from_iter};

use crate::{Busy, Filter, Key, Outbox, OutboxError, Prepared, Row, State, Timestamp};

use codec::{COLUMNS, encode, read, read_count};
use failure::{at, failed};

/// An outbox in a SQLite file. Clones share the file.
#[derive(Clone)]
pub struct SqliteOutbox {
    connection: Arc<Mutex<Connection>>,
    path: PathBuf,
}

impl SqliteOutbox {
    /// Opens the outbox at `path`, or makes it; brings an older schema up to date.
    ///
    /// Runs on the runtime's blocking threads, and needs a tokio runtime as all of this outbox does.
    ///
    /// # Errors
    /// Another process has it open (`coordination.storage_busy`); it is not an outbox, or one of a newer version
    /// (`local.config`); the disk or the permissions do not allow it.
    pub async fn open(path: impl Into<PathBuf>) -> Result<Self, OutboxError> {
        let path = path.into();
        let opened = path.clone();
        let connection =
            blocking("opening", move || schema::open(&opened).map_err(|error| at(error, &opened))).await?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), path })
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    async fn with<T: Send + 'static>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut Connection) -> Result<T, OutboxError> + Send + 'static,
    ) -> Result<T, OutboxError> {
        let connection = Arc::clone(&self.connection);
        // A panic inside a call rolled its transaction back, so the connection is whole.
        blocking(doing, move || work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}

impl std::fmt::Debug for SqliteOutbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqliteOutbox").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Runs `work` where blocking is allowed.
async fn blocking<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> Result<T, OutboxError> + Send + 'static,
) -> Result<T, OutboxError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        // The runtime is going down, or the call panicked.
        Err(error) => Err(OutboxError::new(Local::Bug, doing, error)),
    }
}

/// Inserts a row, unless its key is kept already, and reads back what is kept.
fn keep_new(connection: &Connection, row: &Row) -> Result<Prepared, OutboxError> {
    let sql = "INSERT INTO announce (requester, child_run, kind, version, channel, state, waiting, doubt, moved, sends, \
               lookups, created_at, updated_at, due_at, expires_at, settled_at, envelope, history) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18) \
               ON CONFLICT (requester, child_run, kind) DO NOTHING";
    let doing = "keeping a row";
    let inserted = connection
        .prepare(sql)
        .and_then(|mut statement| {
            let key = &row.key;
            let stored = encode(row)?;
            statement.execute(params![
                key.requester(),
                key.child_run(),
                key.kind(),
                stored.version,
                row.envelope.channel,
                row.state.as_str(),
                row.waiting.as_str(),
                row.doubt,
                row.moved,
                row.sends,
                row.lookups,
                row.created_at.as_millis(),
                row.updated_at.as_millis(),
                row.due_at.as_millis(),
                row.expires_at.as_millis(),
                row.settled_at.map(Timestamp::as_millis),
                stored.envelope,
                stored.history,
            ])
        })
        .map_err(failed(doing))?;
    let kept = find(connection, &row.key)?.ok_or_else(|| OutboxError::corrupt("a kept row is not there"))?;
    Ok(if inserted == 1 { Prepared::New(kept) } else { Prepared::Existing(kept) })
}

fn find(connection: &Connection, key: &Key) -> Result<Option<Row>, OutboxError> {
    let sql = format!("SELECT {COLUMNS} FROM announce WHERE requester = ?1 AND child_run = ?2 AND kind = ?3");
    connection
        .prepare(&sql)
        .and_then(|mut statement| {
            statement.query_row([key.requester(), key.child_run(), key.kind()], read).optional()
        })
        .map_err(failed("reading a row"))
}

fn rows(
    connection: &Connection,
    sql: &str,
    values: &[rusqlite::types::Value],
) -> Result<Vec<Row>, OutboxError> {
    connection
        .prepare(sql)
        .and_then(|mut statement| statement.query_map(params_from_iter(values), read)?.collect())
        .map_err(failed("reading rows"))
}

/// The rows that may be worked on and of which `condition` holds.
fn due_query(condition: &str, busy: &Busy) -> String {
    let (requesters, channels) = (marks(busy.requesters.len()), marks(busy.channels.len()));
    // The words of the states are those of the indexes, or SQLite would not use them.
    format!(
        "SELECT {COLUMNS} FROM announce WHERE state IN ('prepared', 'uncertain') AND {condition} \
         AND requester NOT IN ({requesters}) AND channel NOT IN ({channels}) ORDER BY due_at, seq LIMIT ?"
    )
}

/// The rows that `filter` lets through.
fn list_query(filter: &Filter) -> String {
    // Without a page to go on after, no condition on the number: with one, SQLite would walk all numbers for the few
    // rows that a restart looks for.
    let mut sql =
        format!("SELECT {COLUMNS} FROM announce WHERE {}", if filter.after > 0 { "seq > ?" } else { "TRUE" });
    // Our own words, written out as the indexes do: SQLite proves a partial index only from what stands in the query.
    let words: Vec<_> = filter.states.iter().map(|state| format!("'{}'", state.as_str())).collect();
    match words.as_slice() {
        [] => {}
        [word] => sql.push_str(&format!(" AND state = {word}")),
        words => sql.push_str(&format!(" AND state IN ({})", words.join(", "))),
    }
    if filter.requester.is_some() {
        sql.push_str(" AND requester = ?");
    }
    sql.push_str(" ORDER BY seq LIMIT ?");
    sql
}

/// `?, ?, ?` for so many values.
fn marks(count: usize) -> String {
    vec!["?"; count].join(", ")
}

fn limit_of(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

#[async_trait]
impl Outbox for SqliteOutbox {
    async fn prepare(&self, row: &Row) -> Result<Prepared, OutboxError> {
        let row = row.clone();
        self.with("keeping a row", move |connection| {
            let failed = failed("keeping a row");
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
            let prepared = keep_new(&transaction, &row)?;
            transaction.commit().map_err(&failed)?;
            Ok(prepared)
        })
        .await
    }

    async fn compare_and_set(&self, next: &Row, notice: Option<&Row>) -> Result<bool, OutboxError> {
        let (next, notice) = (next.clone(), notice.cloned());
        self.with("writing a row", move |connection| {
            let failed = failed("writing a row");
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
            let sql = "UPDATE announce SET version = ?2, channel = ?3, state = ?4, waiting = ?5, doubt = ?6, \
                       moved = ?7, sends = ?8, lookups = ?9, updated_at = ?10, due_at = ?11, expires_at = ?12, \
                       settled_at = ?13, envelope = ?14, history = ?15 WHERE seq = ?1 AND version = ?2 - 1";
            let changed = transaction
                .prepare(sql)
                .and_then(|mut statement| {
                    let stored = encode(&next)?;
                    statement.execute(params![
                        stored.seq,
                        stored.version,
                        next.envelope.channel,
                        next.state.as_str(),
                        next.waiting.as_str(),
                        next.doubt,
                        next.moved,
                        next.sends,
                        next.lookups,
                        next.updated_at.as_millis(),
                        next.due_at.as_millis(),
                        next.expires_at.as_millis(),
                        next.settled_at.map(Timestamp::as_millis),
                        stored.envelope,
                        stored.history,
                    ])
                })
                .map_err(&failed)?;
            if changed == 0 {
                return Ok(false);
            }
            if let Some(notice) = &notice {
                keep_new(&transaction, notice)?;
            }
            transaction.commit().map_err(&failed)?;
            Ok(true)
        })
        .await
    }

    async fn get(&self, seq: u64) -> Result<Option<Row>, OutboxError> {
        self.with("reading a row", move |connection| {
            let sql = format!("SELECT {COLUMNS} FROM announce WHERE seq = ?1");
            // A number that does not fit is the number of no row.
            let Ok(seq) = i64::try_from(seq) else { return Ok(None) };
            connection
                .prepare(&sql)
                .and_then(|mut statement| statement.query_row([seq], read).optional())
                .map_err(failed("reading a row"))
        })
        .await
    }

    async fn find(&self, key: &Key) -> Result<Option<Row>, OutboxError> {
        let key = key.clone();
        self.with("reading a row", move |connection| find(connection, &key)).await
    }

    async fn due(&self, now: Timestamp, busy: &Busy, limit: usize) -> Result<Vec<Row>, OutboxError> {
        let busy = busy.clone();
        self.with("finding due rows", move |connection| {
            // Two queries with an index each; an OR would scan. The second is empty unless the clock went back.
            let mut values: Vec<rusqlite::types::Value> = vec![now.as_millis().into()];
            values.extend(busy.requesters.iter().chain(&busy.channels).cloned().map(Into::into));
            values.push(limit_of(limit).into());
            let mut due = rows(connection, &due_query("due_at <= ?", &busy), &values)?;
            for row in rows(connection, &due_query("updated_at > ?", &busy), &values)? {
                if !due.iter().any(|known| known.seq == row.seq) {
                    due.push(row);
                }
            }
            due.sort_by_key(|row| (row.due_at, row.seq));
            due.truncate(limit);
            Ok(due)
        })
        .await
    }

    async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, OutboxError> {
        self.with("finding the next row", move |connection| {
            let sql =
                "SELECT min(due_at) FROM announce WHERE state IN ('prepared', 'uncertain') AND due_at > ?1";
            connection
                .prepare(sql)
                .and_then(|mut statement| {
                    statement.query_row([now.as_millis()], |row| row.get::<_, Option<i64>>(0))
                })
                .map(|next| next.map(Timestamp::from_millis))
                .map_err(failed("finding the next row"))
        })
        .await
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Row>, OutboxError> {
        let filter = filter.clone();
        self.with("listing rows", move |connection| {
            let mut values: Vec<rusqlite::types::Value> = Vec::new();
            if filter.after > 0 {
                values.push(i64::try_from(filter.after).unwrap_or(i64::MAX).into());
            }
            values.extend(filter.requester.iter().cloned().map(Into::into));
            values.push(limit_of(filter.limit.unwrap_or(usize::MAX)).into());
            let sql = list_query(&filter);
            rows(connection, &sql, &values)
        })
        .await
    }

    async fn counts(&self) -> Result<BTreeMap<State, u64>, OutboxError> {
        self.with("counting rows", |connection| {
            connection
                .prepare("SELECT state, count(*) FROM announce GROUP BY state")
                .and_then(|mut statement| statement.query_map([], read_count)?.collect())
                .map_err(failed("counting rows"))
        })
        .await
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, OutboxError> {
        self.with("forgetting rows", move |connection| {
            let sql = "DELETE FROM announce WHERE settled_at < ?1";
            let forgotten =
                connection.execute(sql, [before.as_millis()]).map_err(failed("forgetting rows"))?;
            Ok(forgotten as u64)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_driver_asks_all_the_time_is_answered_from_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = SqliteOutbox::open(folder.path().join("announce.sqlite")).await.unwrap();
        let connection = outbox.connection.lock().unwrap();
        let busy = Busy { requesters: vec!["a".into()], channels: vec!["b".into()] };
        for (query, index) in [
            (due_query("due_at <= ?", &busy), "announce_due"),
            (due_query("updated_at > ?", &busy), "announce_updated"),
            (
                list_query(&Filter { states: vec![crate::State::Sending], ..Filter::default() }),
                "announce_sending",
            ),
        ] {
            let values = vec![rusqlite::types::Value::Integer(1); query.matches('?').count()];
            let plan: Vec<String> = connection
                .prepare(&format!("EXPLAIN QUERY PLAN {query}"))
                .and_then(|mut statement| {
                    statement.query_map(params_from_iter(values), |row| row.get(3))?.collect()
                })
                .unwrap();
            assert!(plan.iter().any(|step| step.contains(index)), "{query}: {plan:?}");
            assert!(!plan.iter().any(|step| step.contains("SCAN") && !step.contains("INDEX")), "{plan:?}");
        }
    }
}
