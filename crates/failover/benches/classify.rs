//! What classifying costs, beside the floor of one memchr over the same bytes.
//!
//! `cargo bench -p moorline-failover --bench classify`
//!
//! The targets are those of DESIGN section 10: structured at most 50 ns without an allocation, text at most 1 us in the
//! mean over the corpus, any input at most 15 us.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that meets something unexpected ends there")]

use std::hint::black_box;

use divan::{
    AllocProfiler, Bencher,
    counter::{BytesCount, ItemsCount},
};
use moorline_failover::{Signal, classify, corpus::Row};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

fn corpus() -> Vec<Row> {
    include_str!("../corpus/provider-errors.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("the corpus is JSON Lines"))
        .collect()
}

/// Status, provider, code and type; the code is documented.
#[divan::bench(sample_count = 500, sample_size = 1000)]
fn structured(bencher: Bencher<'_, '_>) {
    let signal = Signal::status(429)
        .from_provider("openai")
        .with_code("insufficient_quota")
        .with_kind("insufficient_quota");
    bencher.bench(|| classify(black_box(&signal)));
}

/// The same for a class that may be retried, with the usual headers.
#[divan::bench(sample_count = 500, sample_size = 1000)]
fn structured_with_retry_after(bencher: Bencher<'_, '_>) {
    let headers = [("content-type", "application/json"), ("retry-after", "20"), ("x-request-id", "req_1")];
    let signal =
        Signal::status(429).from_provider("openai").with_code("rate_limit_exceeded").with_headers(&headers);
    bencher.bench(|| classify(black_box(&signal)));
}

/// Every message of the corpus and nothing else: the whole cost is the text's. The mean is the time over the items.
#[divan::bench(sample_count = 200)]
fn text_corpus(bencher: Bencher<'_, '_>) {
    let rows: Vec<_> = corpus().into_iter().filter_map(|row| row.message).collect();
    bencher.counter(ItemsCount::new(rows.len())).bench(|| {
        for message in &rows {
            black_box(classify(black_box(&Signal::new().with_message(message))));
        }
    });
}

/// The floor: one memchr over the same messages.
#[divan::bench(sample_count = 200)]
fn floor_memchr_corpus(bencher: Bencher<'_, '_>) {
    let rows: Vec<_> = corpus().into_iter().filter_map(|row| row.message).collect();
    bencher.counter(ItemsCount::new(rows.len())).bench(|| {
        for message in &rows {
            black_box(memchr::memchr(0, black_box(message.as_bytes())));
        }
    });
}

/// Whole rows: status, code, type, message, body, headers.
#[divan::bench(sample_count = 200)]
fn whole_rows_corpus(bencher: Bencher<'_, '_>) {
    let rows = corpus();
    bencher.counter(ItemsCount::new(rows.len())).bench(|| {
        for row in &rows {
            black_box(black_box(row).classify());
        }
    });
}

/// 64 KiB of each hostile kind.
#[divan::bench(args = ["unmatched", "matching", "quotes", "deep", "tokens", "escapes", "wide", "html", "nested"])]
fn any_input(bencher: Bencher<'_, '_>, kind: &str) {
    let body = hostile(kind);
    let signal = Signal::status(400).with_body(&body);
    bencher.counter(BytesCount::new(body.len())).bench(|| classify(black_box(&signal)));
}

/// The floor of the worst case.
#[divan::bench]
fn floor_memchr_64_kib(bencher: Bencher<'_, '_>) {
    let body = hostile("unmatched");
    bencher.counter(BytesCount::new(body.len())).bench(|| memchr::memchr(0, black_box(&body)));
}

fn hostile(kind: &str) -> Vec<u8> {
    const SIZE: usize = 64 * 1024;
    let mut text = match kind {
        "unmatched" => "the quick brown fox jumps over the lazy dog ".repeat(SIZE / 40),
        "matching" => "rate limit per minute context length exceed quota api key ".repeat(SIZE / 50),
        "quotes" => "'a \"b `c ".repeat(SIZE / 8),
        "deep" => "{\"error\":[".repeat(SIZE / 10),
        "tokens" => format!("{{{}", "\"code\":\"x\",".repeat(SIZE / 11)),
        "escapes" => format!("{{\"message\":\"{}", "\\u9891\\n\\\"".repeat(SIZE / 10)),
        "wide" => "频率过高请求".repeat(SIZE / 18),
        "html" => format!("<html><title>{}", "<h1>".repeat(SIZE / 4)),
        "nested" => format!("{{\"message\":\"{}", "{\\\"message\\\":\\\"".repeat(SIZE / 16)),
        other => panic!("no such kind: {other}"),
    }
    .into_bytes();
    text.truncate(SIZE);
    text
}
