//! What one delivery verdict costs, beside the floor of one pass over the same bytes.
//!
//! `cargo bench -p moorline-announce --bench delivery`
//!
//! The targets: a structured error at most 50 ns without an allocation, text at most 1 us in the mean over the corpora, any
//! input at most 15 us.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that meets something unexpected ends there")]

use std::hint::black_box;

use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use moorline_announce::classify_delivery;
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

/// Every error of both corpora, without what the corpus knows about it.
fn corpora() -> Vec<Value> {
    [include_str!("../corpus/delivery-errors.jsonl"), include_str!("../corpus/delivery-unseen.jsonl")]
        .into_iter()
        .flat_map(str::lines)
        .map(|line| {
            let mut error: Value = serde_json::from_str(line).expect("the corpus is JSON Lines");
            if let Value::Object(fields) = &mut error {
                for known in ["class", "source", "note", "evidence"] {
                    fields.remove(known);
                }
            }
            error
        })
        .collect()
}

/// The structured errors of the channels that are met most.
#[divan::bench(sample_count = 500, sample_size = 1000, args = ["slack", "telegram", "discord", "whatsapp", "matrix"])]
fn structured(bencher: Bencher<'_, '_>, channel: &str) {
    let error = match channel {
        "slack" => json!({"channel": "slack", "status": 200, "code": "is_archived"}),
        "telegram" => json!({"channel": "telegram", "code": "delivery.target_gone"}),
        "discord" => json!({"channel": "discord", "status": 429, "code": 20028, "retry_after": 1.5}),
        "whatsapp" => json!({"channel": "whatsapp", "status": 400, "code": 131026}),
        "matrix" => json!({"channel": "matrix", "errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 2000}),
        other => panic!("no such channel: {other}"),
    };
    bencher.bench(|| classify_delivery(black_box(&error)));
}

/// Whole rows: channel, status, code, text, body. The mean is the time over the items.
#[divan::bench(sample_count = 200)]
fn corpora_rows(bencher: Bencher<'_, '_>) {
    let errors = corpora();
    bencher.counter(ItemsCount::new(errors.len())).bench(|| {
        for error in &errors {
            black_box(classify_delivery(black_box(error)));
        }
    });
}

/// Every text of the corpora and nothing else: no channel, no status, no code.
#[divan::bench(sample_count = 200)]
fn corpora_texts(bencher: Bencher<'_, '_>) {
    let texts: Vec<Value> = corpora()
        .into_iter()
        .filter_map(|error| {
            error.get("text").or(error.get("message")).filter(|text| text.is_string()).cloned()
        })
        .collect();
    bencher.counter(ItemsCount::new(texts.len())).bench(|| {
        for text in &texts {
            black_box(classify_delivery(black_box(text)));
        }
    });
}

/// The floor: every text of the corpora compared byte by byte with nothing.
#[divan::bench(sample_count = 200)]
fn floor_texts(bencher: Bencher<'_, '_>) {
    let errors = corpora();
    let texts: Vec<&str> =
        errors.iter().filter_map(|error| error.get("text").or(error.get("message"))?.as_str()).collect();
    bencher.counter(ItemsCount::new(texts.len())).bench(|| {
        for text in &texts {
            black_box(black_box(text).bytes().filter(u8::is_ascii_alphanumeric).count());
        }
    });
}

/// Hostile input of each kind, 64 KiB or a thousand values.
#[divan::bench(args = [
    "unmatched", "begins", "words", "mentions", "codes", "numbers", "delays", "json", "escapes", "broken", "deep", "wide",
    "messages", "keys", "headers",
])]
fn any_input(bencher: Bencher<'_, '_>, kind: &str) {
    let error = hostile(kind);
    bencher.bench(|| classify_delivery(black_box(&error)));
}

fn hostile(kind: &str) -> Value {
    const SIZE: usize = 64 * 1024;
    let many = |text: &str| Value::String(text.repeat(SIZE / text.len()));
    let each = |value: Value| Value::Array(vec![value; 1000]);
    match kind {
        "unmatched" => many("the quick brown fox jumps over the lazy dog "),
        "begins" => many("chat: user (bot [invalid! not | "),
        "words" => many("a b c d e f "),
        "mentions" => many("rate timer conned tempo requests too connect slow "),
        "codes" => many("M_UNKNOWN_THING ConversationNotFoundX "),
        "numbers" => many("code 1 code 2 [3] #4 "),
        "delays" => many("retry after x retry in y wait z "),
        "json" => many("{\"code\":1,\"message\":\"no such thing\",\"error\":{\"x\":[1,2]}} "),
        "escapes" => many("{\"message\":\"\\u0041\\n{\\\"code\\\":1}\",\"error\":\"\\t\"} "),
        "broken" => many("{\"a\":"),
        "deep" => (0..1000).fold(json!("Bad Request: chat not found"), |inner, _| json!({"error": inner})),
        "wide" => {
            each(json!({"code": "x", "message": "no: such - thing", "status": 1, "errors": ["a", "b"]}))
        }
        "messages" => each(json!({"message": "no: such - thing (that) [anybody] knows ".repeat(20)})),
        "keys" => Value::Object((0..1000).map(|n| (format!("key{n}"), json!("code_value"))).collect()),
        "headers" => {
            json!({"headers": (0..1000).map(|n| (format!("x-ratelimit-{n}"), json!("1"))).collect::<serde_json::Map<_, _>>()})
        }
        other => panic!("no such kind: {other}"),
    }
}
