//! Explains foreign errors, one JSON value a line on standard input.
//!
//! `cargo run -p moorline-failover --example explain [-- --provider] [--json] < errors.jsonl`

use std::{
    error::Error,
    io::{BufRead as _, stdin},
    time::SystemTime,
};

use moorline_failover::{Surface, explain, render};

#[allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "an example prints, and the time it prints is now"
)]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let surface = if has("--provider") { Surface::Provider } else { Surface::Auto };
    for line in stdin().lock().lines() {
        let explained = explain(&serde_json::from_str(&line?)?, surface, SystemTime::now());
        if has("--json") {
            println!("{}", serde_json::to_string(&explained)?);
        } else {
            println!("{}\n", render(&explained));
        }
    }
    Ok(())
}
