//! Opening the file: its mode, its pragmas, its schema and the way from an older one.
//!
//! The version is SQLite's `user_version`; migration `n` leads from version `n` to `n + 1`, each in one transaction
//! with its version number, so a crash leaves one or the other. A file of a newer version is refused and left alone.

use std::{
    fs::OpenOptions, os::unix::fs::OpenOptionsExt as _, os::unix::fs::PermissionsExt as _, path::Path,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

/// "MoAn", so that `file` and a curious reader can tell what it is.
const APPLICATION_ID: i64 = 0x4d6f_416e;
/// How long another opener may take to close before we say that it is busy.
const PATIENCE: Duration = Duration::from_secs(2);

/// The way from each version to the next.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE announce (
        seq        INTEGER PRIMARY KEY AUTOINCREMENT,
        requester  TEXT NOT NULL,
        child_run  TEXT NOT NULL,
        kind       TEXT NOT NULL,
        version    INTEGER NOT NULL,
        channel    TEXT NOT NULL,
        state      TEXT NOT NULL CHECK (state IN
                   ('prepared', 'sending', 'uncertain', 'delivered', 'rejected', 'silent', 'expired')),
        waiting    TEXT NOT NULL,
        doubt      INTEGER NOT NULL,
        moved      INTEGER NOT NULL,
        sends      INTEGER NOT NULL,
        lookups    INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        due_at     INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        settled_at INTEGER,
        envelope   TEXT NOT NULL,
        history    TEXT NOT NULL,
        UNIQUE (requester, child_run, kind)
    ) STRICT;
    CREATE INDEX announce_due     ON announce (due_at, seq)   WHERE state IN ('prepared', 'uncertain');
    CREATE INDEX announce_updated ON announce (updated_at)    WHERE state IN ('prepared', 'uncertain');
    CREATE INDEX announce_sending ON announce (seq)           WHERE state = 'sending';
    CREATE INDEX announce_settled ON announce (settled_at)    WHERE settled_at IS NOT NULL;
"];

/// Why a file could not be opened.
#[derive(Debug)]
pub(super) enum OpenError {
    Sqlite(rusqlite::Error),
    Io(std::io::Error),
    /// It is something else, or of a newer version.
    Foreign(String),
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<std::io::Error> for OpenError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

pub(super) fn open(path: &Path) -> Result<Connection, OpenError> {
    private_file(path)?;
    let mut connection = connect(path)?;
    connection.busy_timeout(PATIENCE)?;
    // Held until it is closed: a second opener is told so. WAL then needs no shared memory beside the file.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    migrate(&mut connection, MIGRATIONS)?;
    Ok(connection)
}

#[expect(clippy::disallowed_methods, reason = "this is the one opener of the outbox")]
fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Connection::open_with_flags(path, flags)
}

/// Makes the file before SQLite would, readable by its owner alone; SQLite gives its side files the same mode.
fn private_file(path: &Path) -> Result<(), std::io::Error> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    let mut permissions = file.metadata()?.permissions();
    if permissions.mode() & 0o077 != 0 {
        permissions.set_mode(0o600);
        file.set_permissions(permissions)?;
    }
    Ok(())
}

fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), OpenError> {
    // Immediate: the exclusive lock is taken here, before anything is decided by what is read.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if application != APPLICATION_ID && (application != 0 || version != 0 || tables != 0) {
        return Err(OpenError::Foreign("the file is a database of something else".to_owned()));
    }
    let newest = migrations.len();
    let known = usize::try_from(version).ok().filter(|version| *version <= newest).ok_or_else(|| {
        OpenError::Foreign(format!(
            "the outbox has schema version {version}, and this program knows {newest} at most; use a newer one"
        ))
    })?;
    for migration in migrations.iter().skip(known) {
        transaction.execute_batch(migration)?;
    }
    if known < newest || application == 0 {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", i64::try_from(newest).unwrap_or(i64::MAX))?;
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> i64 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_older_schema_is_brought_up_to_date_and_keeps_its_rows() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, MIGRATIONS).unwrap();
        let before = version(&connection);
        let insert = "INSERT INTO announce (requester, child_run, kind, version, channel, state, waiting, doubt, moved, \
                      sends, lookups, created_at, updated_at, due_at, expires_at, envelope, history) \
                      VALUES ('s', 'r', 'k', 1, '', 'prepared', 'turn', 0, 0, 0, 0, 0, 0, 0, 0, '{}', '[]')";
        connection.execute(insert, []).unwrap();
        let mut newer = MIGRATIONS.to_vec();
        newer.push("ALTER TABLE announce ADD COLUMN note TEXT NOT NULL DEFAULT 'none'");
        migrate(&mut connection, &newer).unwrap();
        assert_eq!(version(&connection), before + 1);
        let note: String = connection.query_row("SELECT note FROM announce", [], |row| row.get(0)).unwrap();
        assert_eq!(note, "none");
        migrate(&mut connection, &newer).unwrap();
        assert_eq!(version(&connection), before + 1, "twice changes nothing");
        let refused = migrate(&mut connection, MIGRATIONS).unwrap_err();
        assert!(matches!(&refused, OpenError::Foreign(why) if why.contains("schema version")), "{refused:?}");
        assert_eq!(version(&connection), before + 1, "a newer file is left alone");
    }

    #[test]
    fn a_migration_that_fails_leaves_the_old_version() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, MIGRATIONS).unwrap();
        let broken = [MIGRATIONS, &["ALTER TABLE announce ADD COLUMN note TEXT; CREATE NONSENSE"]].concat();
        migrate(&mut connection, &broken).unwrap_err();
        assert_eq!(version(&connection), 1);
        connection.query_row("SELECT count(*) FROM announce", [], |row| row.get::<_, i64>(0)).unwrap();
        assert!(connection.prepare("SELECT note FROM announce").is_err(), "half a migration is rolled back");
    }

    #[test]
    fn a_database_of_something_else_is_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE contacts (name TEXT)").unwrap();
        assert!(matches!(migrate(&mut connection, MIGRATIONS), Err(OpenError::Foreign(_))));
    }
}
