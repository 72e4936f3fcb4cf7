//! A durable outbox that delivers a finished sub-agent's result to its requester.
//!
//! A result is kept before anything is sent, it is sent at most once, and whoever waits for it hears of it or of why
//! not. The pieces, in the order of a result's way: [`Announcer::submit`] keeps a [`Row`] in an [`Outbox`];
//! [`Announcer::drive`] takes it when it is due; [`plan`], a pure function, says what to do; a [`Transport`] does it;
//! what it answers goes back to the plan. [`classify_delivery`] reads the errors of channels.
//!
//! The decision: what may have been seen is *uncertain* and is looked up at the receiver by its [`Key`]. The option not
//! taken is to send again and to hope that the receiver deduplicates; users of such systems got their results up to
//! eight times. The price is that a receiver which can say nothing about a key makes its announces end as *expired*,
//! with a notice that they may have been seen.
//!
//! ```
//! use std::{sync::Arc, time::{Duration, Instant}};
//! use moorline_announce::{
//!     Announcer, Envelope, Filter, Key, Limits, Lookup, MemoryOutbox, Path, Progress, Receipt, SendError, State, Transport,
//! };
//!
//! struct Sessions; // knows how to reach a session
//!
//! #[async_trait::async_trait]
//! impl Transport for Sessions {
//!     async fn send(&self, _: &Envelope, _: &Key, _: Instant) -> Result<Receipt, SendError> {
//!         Ok(Receipt { path: Path::Turn, progress: Progress::Delivered })
//!     }
//!     async fn lookup(&self, _: &Key) -> Result<Lookup, SendError> {
//!         Ok(Lookup::NotKnown)
//!     }
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! let clock = Arc::new(moorline_retry::SystemClock);
//! let announcer = Announcer::new(Arc::new(MemoryOutbox::default()), Arc::new(Sessions), clock, Limits::standard()?);
//! let key = Key::completion("agent:main:main", "run-7")?;
//! announcer.submit(key, Envelope::result("agent:main:main", "42 files checked, 0 broken")).await?;
//! // A host spawns this future and stops it when it shuts down.
//! announcer.drive(tokio::time::sleep(Duration::from_millis(50))).await?;
//! let rows = announcer.list(&Filter::default()).await?;
//! assert_eq!(rows[0].state, State::Delivered);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! This crate spawns nothing, reads no environment and knows no session or channel: the host implements [`Transport`]
//! and spawns the future of [`Announcer::drive`]. The feature `sqlite` brings an outbox in a file, `testkit` one in
//! memory and a suite that checks any other.

#![cfg_attr(feature = "sqlite", doc = "The store in a file is [`SqliteOutbox`].")]

mod announcer;
#[cfg(feature = "testkit")]
mod conformance;
mod delivery;
mod draft;
mod drive;
mod envelope;
mod error;
mod evidence;
mod in_flight;
mod key;
mod limits;
#[cfg(feature = "testkit")]
mod memory;
mod outbox;
mod plan;
mod row;
mod silence;
#[cfg(feature = "sqlite")]
mod sqlite;
mod timestamp;
mod transport;

pub use announcer::Announcer;
#[cfg(feature = "testkit")]
pub use conformance::check_outbox;
pub use delivery::{
    Certainty, DeliveryEvidence, DeliveryRule, DeliveryVerdict, Scope, classify_delivery, delivery_rules,
};
pub use envelope::{Body, Envelope, GiveUp};
pub use error::{AnnounceError, AnnounceFault};
pub use evidence::{Event, Evidence};
pub use key::{Key, KeyError};
pub use limits::Limits;
#[cfg(feature = "testkit")]
pub use memory::MemoryOutbox;
pub use outbox::{Busy, Filter, Outbox, OutboxError, Prepared};
pub use plan::{Step, Then, plan, prepare};
pub use row::{Happened, Record, Row, State, Waiting};
pub use silence::is_silent;
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteOutbox;
pub use timestamp::Timestamp;
pub use transport::{Failure, Lookup, Path, Progress, Receipt, SendError, Transport};
