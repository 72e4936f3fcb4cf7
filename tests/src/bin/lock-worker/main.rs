//! A process that uses session locks and that tests may kill, stop, slow down or make crash at a named point.
//!
//! The decision: one program with a few modes, driven by arguments and by commands on standard input, so that a test
//! reads as a conversation with real processes. The option not taken is to fork the test binary: it has threads, and a
//! forked guard is inert on purpose.
//!
//! Modes: `serve` answers commands line by line; `cycle` acquires, appends and releases until it is told to stop or is
//! killed; `storm` acquires and dies in effect (the descriptor closes, the file stays); `crowd` waits for many locks.

mod args;
mod crowd;
mod cycle;
mod detector;
mod failpoints;
mod section;
mod serve;
mod storm;

use std::process::ExitCode;

use args::Args;

fn main() -> ExitCode {
    let Some(args) = Args::of_this_process() else {
        eprintln!("usage: lock-worker serve|cycle|storm|crowd DIR [KEY=VALUE]...");
        return ExitCode::from(64);
    };
    failpoints::install(&args);
    if args.text("log") == Some("1") {
        tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    }
    let runtime = match args.threads() {
        0 => tokio::runtime::Builder::new_current_thread().enable_all().build(),
        threads => tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build(),
    };
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("no runtime: {error}");
            return ExitCode::from(71);
        }
    };
    let done = match args.mode.as_str() {
        "serve" => runtime.block_on(serve::run(&args)),
        "cycle" => runtime.block_on(cycle::run(&args)),
        "storm" => runtime.block_on(storm::run(&args)),
        "crowd" => runtime.block_on(crowd::run(&args)),
        other => Err(format!("no such mode: {other}")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lock-worker: {error}");
            ExitCode::FAILURE
        }
    }
}
