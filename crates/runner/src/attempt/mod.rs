//! The lock window of a run: acquire, release for the prompt, verify on the way back, append, release.
//!
//! Two layers: `window.rs` is the state that everybody who writes for one run shares, and `attempt.rs` gives the run itself
//! types in which the wrong order cannot be written. `reconcile.rs` decides what changes of the file mean.

#[allow(clippy::module_inception, reason = "the type `Attempt` lives in the file that bears its name")]
mod attempt;
mod contents;
mod error;
mod open;
mod reconcile;
mod window;
mod writer;

pub use attempt::{Attempt, Locked, Opening, Released};
pub use error::{AttemptError, TakeoverCause};
pub(crate) use reconcile::off_thread;
pub use writer::RunWriter;
