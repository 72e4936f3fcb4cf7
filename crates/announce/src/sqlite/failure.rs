//! What errors of SQLite and of the file mean in the taxonomy.
//!
//! One place, because the code alone decides whether the announcer tries again: a busy file passes, a full disk does
//! not. The wildcards are for enums that are not ours and may grow.

use std::path::Path;

use moorline_taxonomy::{Code, Coordination, Local};
use rusqlite::ErrorCode;

use super::schema::OpenError;
use crate::OutboxError;

/// What an error of SQLite means in the taxonomy.
fn code_of(error: &rusqlite::Error) -> Code {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            Coordination::StorageBusy.into()
        }
        Some(ErrorCode::DiskFull) => Local::DiskFull.into(),
        Some(
            ErrorCode::PermissionDenied
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::AuthorizationForStatementDenied,
        ) => Local::Permission.into(),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Local::Config.into(),
        Some(ErrorCode::NoLargeFileSupport) => Local::UnsupportedFilesystem.into(),
        Some(
            ErrorCode::InternalMalfunction
            | ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch
            | ErrorCode::ApiMisuse
            | ErrorCode::ParameterOutOfRange
            | ErrorCode::OutOfMemory
            | ErrorCode::TooBig,
        ) => Local::Bug.into(),
        // A broken disk, an interruption, and what a newer SQLite may add.
        _ => Local::Unclassified.into(),
    }
}

/// Turns an error of SQLite into one of the port; `doing` completes "the outbox failed ...".
pub(super) fn failed(doing: &'static str) -> impl Fn(rusqlite::Error) -> OutboxError {
    move |error| OutboxError::new(code_of(&error), doing, error)
}

/// Turns a failed opening into an error of the port that names the file.
pub(super) fn at(error: OpenError, path: &Path) -> OutboxError {
    let doing = format!("opening {}", path.display());
    match error {
        OpenError::Sqlite(error) => OutboxError::new(code_of(&error), doing, error),
        OpenError::Io(error) => {
            let refused = [std::io::ErrorKind::PermissionDenied, std::io::ErrorKind::ReadOnlyFilesystem];
            let code = if error.kind() == std::io::ErrorKind::StorageFull {
                Local::DiskFull
            } else if refused.contains(&error.kind()) {
                Local::Permission
            } else {
                Local::Unclassified
            };
            OutboxError::new(code, doing, error)
        }
        OpenError::Foreign(why) => OutboxError::new(Local::Config, doing, why),
    }
}
