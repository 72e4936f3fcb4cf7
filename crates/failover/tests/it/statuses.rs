//! One golden table: what every HTTP status says when there is nothing else.

use std::fmt::Write as _;

use moorline_failover::{Signal, classify};

const GOLDEN: &str = include_str!("statuses.golden");

/// Runs of neighbouring statuses with one class, as `first-last code (rule)`.
fn table() -> String {
    let mut table = String::new();
    let mut run: Option<(u16, u16, String)> = None;
    for status in 100..=599 {
        let verdict = classify(&Signal::status(status).from_provider("acme").with_message("x"));
        let line = format!("{} {} {}", verdict.code, verdict.scope, verdict.retry.as_str());
        run = match run {
            Some((first, _, known)) if known == line => Some((first, status, known)),
            Some((first, last, known)) => {
                writeln!(table, "{first}-{last} {known}").expect("a string takes everything");
                Some((status, status, line))
            }
            None => Some((status, status, line)),
        };
    }
    let (first, last, known) = run.expect("there are statuses");
    writeln!(table, "{first}-{last} {known}").expect("a string takes everything");
    table
}

#[test]
fn every_status_says_what_the_table_says() {
    let table = table();
    assert_eq!(table, GOLDEN, "the table is now:\n{table}");
}
