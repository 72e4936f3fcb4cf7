//! Why a call to the announcer failed.
//!
//! Failed *deliveries* are no errors here: they are rows. An error means that the caller's own request could not be
//! done. Opaque, with a fault to match on; the mapping to the taxonomy is the one match in [`code_of`].

use std::{error::Error, fmt, time::Duration};

use moorline_taxonomy::{Code, Coordination, Local, Mark, Request};

use crate::{OutboxError, State};

/// Why a call to the announcer failed.
#[derive(Debug)]
pub struct AnnounceError {
    fault: AnnounceFault,
    mark: Mark,
}

/// What the matter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnnounceFault {
    /// The outbox could not do its part; the source says why.
    Outbox(Code),
    /// There is no announce of this number.
    NotFound {
        /// The number.
        seq: u64,
    },
    /// The announce is being sent, and its receipt decides first.
    InFlight {
        /// The number.
        seq: u64,
        /// How long a send may take.
        within: Duration,
    },
    /// The announce has ended in a way that leaves nothing to do.
    Settled {
        /// The number.
        seq: u64,
        /// How it ended.
        state: State,
    },
    /// The result is larger than an announce may be.
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
        /// The limit in bytes.
        most: usize,
    },
    /// Somebody drives this announcer already.
    Driven,
}

fn code_of(fault: AnnounceFault) -> Code {
    match fault {
        AnnounceFault::Outbox(code) => code,
        AnnounceFault::NotFound { .. } | AnnounceFault::Settled { .. } => Request::Format.into(),
        AnnounceFault::Driven => Local::Config.into(),
        AnnounceFault::InFlight { .. } => Coordination::StorageBusy.into(),
        AnnounceFault::TooLarge { .. } => Request::PayloadTooLarge.into(),
    }
}

impl AnnounceError {
    /// What the matter is.
    #[must_use]
    pub fn fault(&self) -> AnnounceFault {
        self.fault
    }

    /// The class in the taxonomy.
    #[must_use]
    pub fn code(&self) -> Code {
        self.mark.code()
    }
}

impl From<AnnounceFault> for AnnounceError {
    fn from(fault: AnnounceFault) -> Self {
        Self { fault, mark: Mark::new(code_of(fault)) }
    }
}

impl From<OutboxError> for AnnounceError {
    fn from(error: OutboxError) -> Self {
        let fault = AnnounceFault::Outbox(error.code());
        Self { fault, mark: Mark::new(code_of(fault)).caused_by(error) }
    }
}

impl fmt::Display for AnnounceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fault {
            AnnounceFault::Outbox(_) => f.write_str("the announce outbox is not usable now"),
            AnnounceFault::NotFound { seq } => write!(f, "there is no announce {seq}"),
            AnnounceFault::InFlight { seq, within } => {
                write!(f, "announce {seq} is being sent; its receipt is due within {within:?}")
            }
            AnnounceFault::Settled { seq, state } => {
                write!(f, "announce {seq} is {} already", state.as_str())
            }
            AnnounceFault::TooLarge { bytes, most } => write!(
                f,
                "the result has {bytes} bytes and an announce holds {most} at most; announce a reference to it"
            ),
            AnnounceFault::Driven => f.write_str("the announcer is being driven already"),
        }
    }
}

impl Error for AnnounceError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.mark)
    }
}
