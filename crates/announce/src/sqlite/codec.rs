//! Between a row and its columns.
//!
//! What queries look at has a column of its own; what only a row's reader needs (envelope, history) is JSON. Whatever
//! does not read back is an error that names the column: a row is never half guessed.

use rusqlite::{Error, Result, types::Type};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Key, Row, State, Timestamp, Waiting};

/// The columns that [`read`] reads, in its order.
pub(super) const COLUMNS: &str = "seq, requester, child_run, kind, version, state, waiting, doubt, moved, sends, \
                                  lookups, created_at, updated_at, due_at, expires_at, settled_at, envelope, history";

/// The parts of a row that need converting.
pub(super) struct Stored {
    pub(super) seq: i64,
    pub(super) version: i64,
    pub(super) envelope: String,
    pub(super) history: String,
}

pub(super) fn encode(row: &Row) -> Result<Stored> {
    Ok(Stored {
        seq: number(row.seq)?,
        version: number(row.version)?,
        envelope: json(&row.envelope)?,
        history: json(&row.history)?,
    })
}

pub(super) fn read(row: &rusqlite::Row<'_>) -> Result<Row> {
    Ok(Row {
        seq: row.get::<_, i64>(0)?.try_into().map_err(|error| bad(0, error))?,
        key: Key::stored(row.get(1)?, row.get(2)?, row.get(3)?),
        version: row.get::<_, i64>(4)?.try_into().map_err(|error| bad(4, error))?,
        state: word(row, 5, State::parse)?,
        waiting: word(row, 6, Waiting::parse)?,
        doubt: row.get(7)?,
        moved: row.get(8)?,
        sends: row.get(9)?,
        lookups: row.get(10)?,
        created_at: Timestamp::from_millis(row.get(11)?),
        updated_at: Timestamp::from_millis(row.get(12)?),
        due_at: Timestamp::from_millis(row.get(13)?),
        expires_at: Timestamp::from_millis(row.get(14)?),
        settled_at: row.get::<_, Option<i64>>(15)?.map(Timestamp::from_millis),
        envelope: parsed(row, 16)?,
        history: parsed(row, 17)?,
    })
}

/// A state and how many rows are in it.
pub(super) fn read_count(row: &rusqlite::Row<'_>) -> Result<(State, u64)> {
    Ok((word(row, 0, State::parse)?, row.get::<_, i64>(1)?.try_into().map_err(|error| bad(1, error))?))
}

fn number(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
}

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
}

fn bad(column: usize, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::FromSqlConversionFailure(column, Type::Text, Box::new(error))
}

fn word<T>(row: &rusqlite::Row<'_>, column: usize, parse: fn(&str) -> Option<T>) -> Result<T> {
    let word: String = row.get(column)?;
    parse(&word)
        .ok_or_else(|| bad(column, std::io::Error::other(format!("{word:?} is no word of this column"))))
}

fn parsed<T: DeserializeOwned>(row: &rusqlite::Row<'_>, column: usize) -> Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| bad(column, error))
}
