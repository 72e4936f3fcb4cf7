//! How one attempt of a step failed, as an error that the retry driver can judge.

use moorline_taxonomy::{RemoteError, Wire};
use serde_json::Value;

use crate::{Failure, read_error};

/// Two cases, since only one of them can ever be retried.
#[derive(Debug, thiserror::Error)]
pub(super) enum AttemptError {
    /// The gateway refused the call, or its answer says that it came to nothing.
    #[error("the gateway answered with an error")]
    Refused(#[source] Box<RemoteError>),
    /// Everything else: final.
    #[error("the step failed")]
    Final(Box<Failure>),
}

impl AttemptError {
    pub(super) fn refused(wire: Wire) -> Self {
        Self::Refused(Box::new(wire.into()))
    }

    /// A run that was started before ended with this error. To ask again would give the same answer.
    pub(super) fn ended(error: &Value) -> Self {
        Failure::Error { error: Box::new(read_error(error)), gave_up: None }.into()
    }

    pub(super) fn wire(&self) -> Option<&Wire> {
        match self {
            Self::Refused(remote) => Some(remote.wire()),
            Self::Final(failure) => match &**failure {
                Failure::Error { error, .. } => Some(error),
                Failure::Assertion { .. }
                | Failure::Answer { .. }
                | Failure::NoAnswer { .. }
                | Failure::WaitedInVain { .. }
                | Failure::Deadline { .. }
                | Failure::NoContention
                | Failure::Cancelled => None,
            },
        }
    }
}

impl From<Failure> for AttemptError {
    fn from(failure: Failure) -> Self {
        Self::Final(Box::new(failure))
    }
}
