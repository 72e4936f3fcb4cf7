//! The program `moorline`: a gateway whose agents send to and spawn each other, and the tools around it.
//!
//! Everything a user touches is here: the command line, the RPC methods, the state directory, the scripted model. The
//! libraries below know none of it. This is the only crate with `anyhow`, the only one that installs signal handlers and
//! the only one that reads the environment; what leaves it is the wire form of the taxonomy and one exit code.

mod audit;
mod cli;
mod clock;
mod commands;
mod demo;
mod engine;
mod events;
mod exit;
mod holds;
mod lock_folders;
mod logging;
mod mcp;
mod metrics;
mod model;
mod outbox;
mod page;
mod processes;
mod rpc;
mod session_key;
mod settings;
mod signals;
mod state_dir;
mod stress;
mod terminal;

pub use cli::main;
