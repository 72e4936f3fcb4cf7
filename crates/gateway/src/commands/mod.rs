//! One file per command: read the arguments, call the library, show the result.

pub(crate) mod lock;
pub(crate) mod lock_exec;
