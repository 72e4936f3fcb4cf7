//! Scores the classifier against a corpus of real errors: exact and disposition accuracy, and where the classes go wrong.
//!
//! `cargo run -p moorline-failover --example score -- FILE [--wrong]`
//!
//! One JSON object a line: provider, status, code, type, message, body, headers, class, ambiguous. Rows marked
//! `ambiguous` are counted and not scored. *Exact* is the class; *disposition* is what the runner and the chain do.

#![allow(clippy::print_stdout, reason = "an example prints")]

use std::{error::Error, fs};

use moorline_failover::corpus::{Row, Score};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: score FILE [--wrong]")?;
    let show_wrong = arguments.next().as_deref() == Some("--wrong");
    let mut score = Score::default();
    for (number, line) in fs::read_to_string(&file)?.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let row: Row =
            serde_json::from_str(line).map_err(|error| format!("{file}:{}: {error}", number + 1))?;
        let judged = score.add(&row);
        if show_wrong && !judged.exact && !row.ambiguous {
            let message: String = row.message.as_deref().unwrap_or("").chars().take(120).collect();
            println!("{}: {} is not {} (rule {}) {message}", row.id, judged.class, row.class, judged.rule);
        }
    }
    println!("{score}\n\n{:<18} {:<18} rows", "expected", "got");
    for ((wanted, got), count) in &score.confusion {
        let mark = if wanted == got { "" } else { "  <-" };
        println!("{wanted:<18} {got:<18} {count:>4}{mark}");
    }
    Ok(())
}
