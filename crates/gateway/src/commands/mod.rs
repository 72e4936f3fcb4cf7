//! One file per command: read the arguments, call the library, show the result.

pub(crate) mod agent;
pub(crate) mod announce;
pub(crate) mod audit;
pub(crate) mod call;
pub(crate) mod classify;
pub(crate) mod doctor;
pub(crate) mod lock;
pub(crate) mod lock_exec;
pub(crate) mod mcp;
pub(crate) mod parked;
pub(crate) mod qa;
pub(crate) mod serve;
pub(crate) mod stress;
