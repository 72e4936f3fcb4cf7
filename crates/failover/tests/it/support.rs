//! What several modules need: corpora, clocks, candidates.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use moorline_failover::{CallError, Candidate, ProviderFailure, Signal, corpus::Row};
use moorline_retry::ManualClock;

pub(crate) const PROVIDER_ERRORS: &str = include_str!("../../corpus/provider-errors.jsonl");
pub(crate) const DOCUMENTED: &str = include_str!("../../corpus/documented.jsonl");
pub(crate) const FIELD: &str = include_str!("../../corpus/field.jsonl");

pub(crate) fn rows(corpus: &str) -> Vec<Row> {
    corpus.lines().map(|line| serde_json::from_str(line).expect("the corpus is JSON Lines")).collect()
}

pub(crate) fn all_rows() -> Vec<Row> {
    [PROVIDER_ERRORS, DOCUMENTED, FIELD].into_iter().flat_map(rows).collect()
}

/// A clock that starts at a fixed time and moves when told.
pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::starting_at(noon()))
}

pub(crate) fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

pub(crate) fn candidates(names: &[&str]) -> Vec<Candidate> {
    names.iter().map(|name| Candidate::new(*name, format!("{name}-model"), "key")).collect()
}

/// What a provider answers with this status.
pub(crate) fn answers(status: u16) -> CallError {
    ProviderFailure::received(&Signal::status(status).from_provider("acme"), format!("HTTP {status}"))
}

/// The same with a stated delay.
pub(crate) fn answers_after(status: u16, seconds: u64) -> CallError {
    let value = seconds.to_string();
    let headers = [("retry-after", value.as_str())];
    let signal = Signal::status(status).from_provider("acme").with_headers(&headers);
    ProviderFailure::received(&signal, format!("HTTP {status}"))
}
