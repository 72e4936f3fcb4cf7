//! The command line as a user meets it: the real program, real files, real signals.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests stand in every room"
)]

mod audit;
mod classify;
mod doctor;
mod door;
mod events;
mod gateway;
mod lock;
mod mcp;
mod messages;
mod metrics;
mod models;
mod page;
#[cfg(feature = "providers")]
mod providers;
mod rpc;
mod running;
mod sends;
mod spawns;
mod steering;
mod stress;

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

/// The program, in a directory, without the caller's settings.
fn moorline(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_moorline"));
    command.current_dir(dir);
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("MOORLINE_") || name_text.starts_with("OPENCLAW_") {
            command.env_remove(name);
        }
    }
    command
}

fn run(dir: &Path, args: &[&str]) -> Output {
    moorline(dir).args(args).output().unwrap()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

/// Waits for a condition of another process; the bound only ends a test that has failed.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if done() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    panic!("{what} did not come");
}
