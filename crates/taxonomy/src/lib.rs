//! The one error taxonomy of Moorline.
//!
//! Every error that leaves a Moorline crate has a [`Code`]; the code alone decides what five consumers do
//! ([`policy()`]), travels in one [`Wire`] form, and survives any wrapping because a [`Mark`] sits in every source
//! chain of ours. [`foreign`] reads the same codes out of errors that other programs made, and [`redact()`] keeps secrets
//! out of what is written about them.
//!
//! The decision: codes are a closed enum of enums, matched without a wildcard everywhere. The option not taken is
//! an open string registry: adding a code must break the build in every place that has to think about it.
//!
//! What must stay true: this crate does no I/O, knows no clock and starts no task; nothing in it recurses over input.

mod chain;
mod code;
mod effect;
pub mod foreign;
mod mark;
mod policy;
mod redact;
mod remote;
mod wire;
mod wire_of;
mod wire_read;

pub use code::{Cancelled, Code, Coordination, Delivery, Domain, Local, ParseCodeError, Provider, Request};
pub use effect::Effect;
pub use mark::{LockFacts, Mark};
pub use policy::{
    AnnounceVerdict, FailoverVerdict, PromptCacheVerdict, QaVerdict, RunnerVerdict, Verdicts, policy,
};
pub use redact::redact;
pub use remote::RemoteError;
pub use wire::{Cause, Owner, Wire, WireCode};
