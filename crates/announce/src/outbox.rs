//! The outbox port: where rows are kept.
//!
//! A store keeps rows durably and decides nothing. Two promises carry everything: when [`Outbox::prepare`] or
//! [`Outbox::compare_and_set`] has returned, a crash of the process or the machine does not undo it; and of two writers
//! that read the same version of a row, one wins. The `testkit` feature has a suite that checks a store for both, and
//! for the order and the limits of its queries.

use std::collections::BTreeMap;

use async_trait::async_trait;
use moorline_taxonomy::{Code, Local, Mark};

use crate::{Key, Row, State, Timestamp};

/// Keeps rows.
///
/// Dropping a future of this trait may or may not undo what it began; the version of a row tells.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Keeps a new row and gives it the next number. A row of the same key that is kept already stays as it is and is
    /// returned instead.
    ///
    /// # Errors
    /// The store failed; nothing was kept.
    async fn prepare(&self, row: &Row) -> Result<Prepared, OutboxError>;

    /// Replaces the row of `next.seq` if its version is the one before `next.version`, and keeps `notice` as
    /// [`Outbox::prepare`] would, both or neither. `false`: somebody else wrote the row first, and nothing changed.
    ///
    /// # Errors
    /// The store failed; whether the change was made is to be read back.
    async fn compare_and_set(&self, next: &Row, notice: Option<&Row>) -> Result<bool, OutboxError>;

    /// The row of a number.
    ///
    /// # Errors
    /// The store failed.
    async fn get(&self, seq: u64) -> Result<Option<Row>, OutboxError>;

    /// The row of a key.
    ///
    /// # Errors
    /// The store failed.
    async fn find(&self, key: &Key) -> Result<Option<Row>, OutboxError>;

    /// At most `limit` rows that are prepared or uncertain and either due at `now` or written after it (the wall clock
    /// went back), except those that `busy` names; the earliest due first, of those the lowest number.
    ///
    /// # Errors
    /// The store failed.
    async fn due(&self, now: Timestamp, busy: &Busy, limit: usize) -> Result<Vec<Row>, OutboxError>;

    /// When the next row that is prepared or uncertain becomes due, after `now`.
    ///
    /// # Errors
    /// The store failed.
    async fn next_due(&self, now: Timestamp) -> Result<Option<Timestamp>, OutboxError>;

    /// The rows that `filter` lets through, by number.
    ///
    /// # Errors
    /// The store failed.
    async fn list(&self, filter: &Filter) -> Result<Vec<Row>, OutboxError>;

    /// How many rows are in each state that any is in.
    ///
    /// # Errors
    /// The store failed.
    async fn counts(&self) -> Result<BTreeMap<State, u64>, OutboxError>;

    /// Forgets the rows that were settled before `before`, and says how many.
    ///
    /// # Errors
    /// The store failed.
    async fn forget(&self, before: Timestamp) -> Result<u64, OutboxError>;
}

/// What [`Outbox::prepare`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prepared {
    /// The row is new; it has its number now.
    New(Row),
    /// The key was there already.
    Existing(Row),
}

impl Prepared {
    /// The row that the outbox keeps.
    #[must_use]
    pub fn row(&self) -> &Row {
        match self {
            Self::New(row) | Self::Existing(row) => row,
        }
    }
}

/// Whose rows are not worked on now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Busy {
    /// Requesters that are being sent to: one message at a time each.
    pub requesters: Vec<String>,
    /// Channels that asked for a pause.
    pub channels: Vec<String>,
}

/// Which rows to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// In one of these states; empty is any.
    pub states: Vec<State>,
    /// For this requester.
    pub requester: Option<String>,
    /// With a number above this one, to go on after a page.
    pub after: u64,
    /// At most so many; `None` is all.
    pub limit: Option<usize>,
}

/// A store failed.
///
/// ```
/// use moorline_announce::OutboxError;
/// use moorline_taxonomy::{Coordination, Mark};
/// let error = OutboxError::new(Coordination::StorageBusy, "writing a row", std::io::Error::other("locked"));
/// assert_eq!(Mark::find(&error).map(Mark::code), Some(Coordination::StorageBusy.into()));
/// ```
#[derive(Debug, thiserror::Error)]
#[error("the outbox failed {doing}")]
pub struct OutboxError {
    doing: String,
    source: Mark,
}

impl OutboxError {
    /// `doing` completes "the outbox failed ...".
    pub fn new(
        code: impl Into<Code>,
        doing: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { doing: doing.into(), source: Mark::new(code).caused_by(source) }
    }

    /// What a store holds is not what it may hold.
    pub fn corrupt(what: impl Into<String>) -> Self {
        Self { doing: format!("reading a row: {}", what.into()), source: Mark::new(Local::Bug) }
    }

    /// The class.
    #[must_use]
    pub fn code(&self) -> Code {
        self.source.code()
    }
}
