//! Retry schedules, budgets and the one retry driver of Moorline.
//!
//! A caller says four things, each a value: how long to wait before each retry ([`Schedule`]), how many retries
//! everybody together may spend ([`Budget`]), until when it makes sense ([`Retry::deadline`],
//! [`Retry::cancelled_by`]), and what an error means ([`Judgement`], by a pure function of the error). [`Retry::run`]
//! does the rest, and whoever gives up says why and keeps the last error ([`GaveUp`]).
//!
//! The decision: this crate classifies nothing. A judging function belongs to its consumer, because the same error
//! is retried by one and fatal for another; the policy table of `moorline-taxonomy` is where most of them look. The
//! option not taken is a `Retryable` trait on errors, which would give every consumer the same answer.
//!
//! ```
//! use std::time::Duration;
//! use moorline_retry::{Judgement, Retry, Schedule, SystemClock};
//! use moorline_taxonomy::{Delivery, Mark};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
//! # runtime.block_on(async {
//! let schedule = Schedule::fixed([5, 10, 20].map(Duration::from_secs))?;
//! let answer = Retry::new("example", &schedule, &SystemClock)
//!     .run(
//!         |attempt| async move {
//!             if attempt.number < 3 { Err(Mark::new(Delivery::Transient)) } else { Ok(attempt.number) }
//!         },
//!         |error| Judgement::Retry { after: error.retry_after() },
//!     )
//!     .await?;
//! assert_eq!(answer, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod budget;
mod clock;
mod exponential;
mod gave_up;
mod judgement;
#[cfg(feature = "testkit")]
mod manual_clock;
mod retry;
mod schedule;
mod schedule_error;

pub use budget::Budget;
pub use clock::{Clock, Sleep, SystemClock};
pub use gave_up::{GaveUp, Why};
pub use judgement::Judgement;
#[cfg(feature = "testkit")]
pub use manual_clock::ManualClock;
pub use retry::{Attempt, Retry};
pub use schedule::{Delays, Schedule};
pub use schedule_error::{ScheduleError, ScheduleFault};
