//! Exit codes and the last words of a command that failed.
//!
//! The codes are those of sysexits(3) where one fits, the same for every command, and follow from the code of the error,
//! never from its text.

use std::{
    io::{ErrorKind, Write},
    process::ExitCode,
};

use moorline_lock_core::{ConfigError, LockError, control::RevokeError};
use moorline_taxonomy::{Code, Coordination, Domain, Effect, Local, Mark, RemoteError, Wire, WireCode};

use crate::terminal::escaped;

/// What a command ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Ok,
    /// Done, and something was found, or a check failed.
    Findings,
    /// The command line is wrong.
    Usage,
    /// The input data are wrong.
    BadInput,
    /// A peer or a provider is unavailable.
    Unavailable,
    /// A defect of this program.
    Internal,
    /// The file system failed.
    Io,
    /// Busy: try later.
    Busy,
    /// Not permitted.
    NotPermitted,
    /// The configuration is wrong.
    Config,
    /// The status of a command that was run.
    Status(u8),
}

impl Exit {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Findings => 1,
            Self::Usage => 64,
            Self::BadInput => 65,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Io => 74,
            Self::Busy => 75,
            Self::NotPermitted => 77,
            Self::Config => 78,
            Self::Status(status) => status,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.code().into()
    }
}

/// A failure whose exit code its own code does not tell.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) message: String,
    #[source]
    mark: Mark,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: impl Into<Code>, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), mark: Mark::new(code) }
    }

    /// States whether the failed call may have had an effect.
    pub(crate) fn with_effect(mut self, effect: Effect) -> Self {
        self.mark = self.mark.effect_is(effect);
        self
    }
}

/// The exit code of an error.
pub(crate) fn of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if let Some(failure) = cause.downcast_ref::<Failure>() {
            return failure.exit;
        }
        if cause.is::<ConfigError>() {
            return Exit::Config;
        }
        if let Some(RevokeError::Unreachable { .. }) = cause.downcast_ref::<RevokeError>() {
            return Exit::Unavailable;
        }
    }
    let remote = error.chain().find_map(|cause| cause.downcast_ref::<RemoteError>());
    let code = match remote {
        Some(remote) => remote.wire().code.known(),
        None => Mark::find(error.as_ref()).map(Mark::code).or_else(|| of_file(error)),
    };
    let io = error.chain().any(|cause| cause.is::<std::io::Error>() || cause.is::<LockError>());
    match code {
        Some(code) => of_code(code, io),
        None if io => Exit::Io,
        None => Exit::Internal,
    }
}

fn of_code(code: Code, io: bool) -> Exit {
    match code {
        Code::Coordination(
            Coordination::LockTimeout
            | Coordination::LockStale
            | Coordination::StorageBusy
            | Coordination::LaneTimeout,
        ) => Exit::Busy,
        Code::Coordination(
            Coordination::LockLost | Coordination::SessionTakeover | Coordination::WriterSuperseded,
        ) => Exit::Findings,
        Code::Local(Local::Permission) => Exit::NotPermitted,
        Code::Local(Local::DiskFull | Local::UnsupportedFilesystem) => Exit::Io,
        Code::Local(Local::Config | Local::Unclassified) if io => Exit::Io,
        Code::Local(Local::Config) => Exit::Config,
        Code::Local(Local::TlsTrust) => Exit::Unavailable,
        Code::Local(Local::Bug | Local::Unclassified) => Exit::Internal,
        Code::Request(_) => Exit::BadInput,
        Code::Cancelled(_) | Code::Provider(_) | Code::Delivery(_) => Exit::Unavailable,
    }
}

/// The wire form of an error, with all its layers.
pub(crate) fn wire(error: &anyhow::Error) -> Wire {
    let mut wire = Wire::of(error.as_ref());
    if wire.code.known() == Some(Code::Local(Local::Unclassified))
        && let Some(code) = of_file(error)
    {
        wire.code = WireCode::Known(code);
    }
    wire
}

/// What the operating system said of a file, where nobody said more.
fn of_file(error: &anyhow::Error) -> Option<Code> {
    const PERMISSION: [ErrorKind; 2] = [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem];
    const FULL: [ErrorKind; 2] = [ErrorKind::StorageFull, ErrorKind::QuotaExceeded];
    let mut kinds = error.chain().filter_map(|cause| Some(cause.downcast_ref::<std::io::Error>()?.kind()));
    kinds.find_map(|kind| {
        let permission = PERMISSION.contains(&kind).then_some(Local::Permission);
        permission.or(FULL.contains(&kind).then_some(Local::DiskFull)).map(Code::from)
    })
}

/// Says what went wrong on stderr: one JSON line of the wire form, or a sentence with its causes.
pub(crate) fn report(error: &anyhow::Error, json: bool) {
    let wire = wire(error);
    if json {
        if let Ok(line) = serde_json::to_string(&wire) {
            last_words(&line);
        }
        return;
    }
    last_words(&format!("moorline: {}", lines_escaped(error)));
    for cause in error.chain().skip(1) {
        // A mark only carries the code, which is printed below.
        if !cause.is::<Mark>() {
            last_words(&format!("  because: {}", lines_escaped(cause)));
        }
    }
    let known = wire
        .code
        .known()
        .is_none_or(|code| code.domain() != Domain::Local || code != Code::Local(Local::Unclassified));
    if known {
        last_words(&format!("  code: {}", wire.code));
    }
}

/// Several lines stay several; what else a name from outside would do to a terminal is spelled out.
fn lines_escaped(text: impl std::fmt::Display) -> String {
    let text = text.to_string();
    text.split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}

/// Nobody may read any more what is said; the exit code still tells.
fn last_words(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
