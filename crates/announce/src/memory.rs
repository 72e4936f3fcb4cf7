//! An outbox in memory, for tests and for hosts that keep nothing. It is as durable as the process.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{Busy, Filter, Key, Outbox, OutboxError, Prepared, Row, State, Timestamp};

/// An outbox in memory.
#[derive(Debug, Default)]
pub struct MemoryOutbox {
    rows: Mutex<BTreeMap<u64, Row>>,
}

impl MemoryOutbox {
    fn rows(&self) -> MutexGuard<'_, BTreeMap<u64, Row>> {
        // Every change is one insert, so the map is whole whatever happened to its last user.
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keep_new(rows: &mut BTreeMap<u64, Row>, row: &Row) -> Prepared {
    if let Some(existing) = rows.values().find(|kept| kept.key == row.key) {
        return Prepared::Existing(existing.clone());
    }
    let seq = rows.last_key_value().map_or(1, |(last, _)| last + 1);
    let row = Row { seq, ..row.clone() };
    rows.insert(seq, row.clone());
    Prepared::New(row)
}

fn is_open(row: &Row) -> bool {
    matches!(row.state, State::Prepared | State::Uncertain)
}

#[async_trait]
impl Outbox for MemoryOutbox {
    async fn prepare(&self, row: &Row) -> Result<Prepared, OutboxError> {
        Ok(keep_new(&mut self.rows(), row))
    }

    async fn compare_and_set(&self, next: &Row, notice: Option<&Row>) -> Result<bool, OutboxError> {
        let mut rows = self.rows();
        match rows.get_mut(&next.seq) {
            Some(kept) if kept.version + 1 == next.version => kept.clone_from(next),
            Some(_) | None => return Ok(false),
        }
        if let Some(notice) = notice {
            keep_new(&mut rows, notice);
        }
        Ok(true)
    }

    async fn get(&self, seq: u64) -> Result<Option<Row>, OutboxError> {
        Ok(self.rows().get(&seq).cloned())
    }

    async fn find(&self, key: &Key) -> Result<Option<Row>, OutboxError> {
        Ok(self.rows().values().find(|row| row.key == *key).cloned())
    }

    async fn due(&self, now: Timestamp, busy: &Busy, limit: usize) -> Result<Vec<Row>, OutboxError> {
        let rows = self.rows();
        let is_busy = |row: &Row| {
            busy.requesters.iter().any(|requester| requester == row.key.requester())
                || busy.channels.contains(&row.envelope.channel)
        };
        let is_due =
            |row: &&Row| is_open(row) && (row.due_at <= now || row.updated_at > now) && !is_busy(row);
        let mut due: Vec<_> = rows.values().filter(is_due).collect();
        due.sort_by_key(|row| (row.due_at, row.seq));
        Ok(due.into_iter().take(limit).cloned().collect())
    }

    async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, OutboxError> {
        Ok(self.rows().values().filter(|row| is_open(row) && row.due_at > now).map(|row| row.due_at).min())
    }

    async fn list(&self, filter: &Filter) -> Result<Vec<Row>, OutboxError> {
        let matches = |row: &&Row| {
            row.seq > filter.after
                && (filter.states.is_empty() || filter.states.contains(&row.state))
                && filter.requester.as_deref().is_none_or(|requester| requester == row.key.requester())
        };
        Ok(self.rows().values().filter(matches).take(filter.limit.unwrap_or(usize::MAX)).cloned().collect())
    }

    async fn counts(&self) -> Result<BTreeMap<State, u64>, OutboxError> {
        let mut counts = BTreeMap::new();
        for row in self.rows().values() {
            *counts.entry(row.state).or_default() += 1;
        }
        Ok(counts)
    }

    async fn forget(&self, before: Timestamp) -> Result<u64, OutboxError> {
        let mut rows = self.rows();
        let kept = rows.len();
        rows.retain(|_, row| row.settled_at.is_none_or(|settled| settled >= before));
        Ok((kept - rows.len()) as u64)
    }
}
