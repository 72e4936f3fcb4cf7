//! JSON-RPC 2.0 over HTTP: the door of the gateway.
//!
//! A library parses, dispatches and answers JSON-RPC; here are the token in front of it, the methods, and the client that
//! the command line uses. Every error carries the wire form in `error.data`.

pub(crate) mod auth;
pub(crate) mod client;
pub(crate) mod methods;
pub(crate) mod server;
