//! The structured path allocates nothing, and explaining a chain of causes no more than its bounds. Its own binary, because the counting allocator is global.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use moorline_failover::{Signal, Surface, classify, explain};
use serde_json::{Value, json};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; only a thread's own counter is touched beside it.
#[allow(unsafe_code, reason = "an allocator is unsafe by its interface; this one only counts")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        BYTES.with(|bytes| bytes.set(bytes.get() + layout.size()));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl Fn()) -> usize {
    // The tables are built at the first use.
    work();
    let before = COUNT.with(Cell::get);
    work();
    COUNT.with(Cell::get) - before
}

#[test]
fn structure_allocates_nothing() {
    let headers = [("content-type", "application/json"), ("retry-after", "20")];
    let signals = [
        Signal::status(429)
            .from_provider("openai")
            .with_code("insufficient_quota")
            .with_kind("insufficient_quota"),
        Signal::status(429).from_provider("openai").with_code("rate_limit_exceeded").with_headers(&headers),
        Signal::status(529)
            .from_provider("anthropic")
            .with_kind("overloaded_error")
            .with_message("Overloaded"),
        Signal::status(429).from_provider("zai").with_code("1113").with_message("Insufficient balance"),
        Signal::status(400).from_provider("somebody").with_code("context_length_exceeded").with_body(b"{}"),
        Signal::status(503).from_provider("google-vertex"),
    ];
    for signal in signals {
        assert_eq!(allocations(|| drop(std::hint::black_box(classify(&signal)))), 0, "{signal:?}");
    }
}

#[test]
fn plain_text_and_plain_json_allocate_nothing_either() {
    let body = br#"{"error":{"message":"This model's maximum context length is 4096 tokens, you requested 5000","type":"x"}}"#;
    let signals = [
        Signal::new()
            .from_provider("acme")
            .with_message("The engine is currently overloaded, try again in 5s"),
        Signal::status(400).with_body(body),
    ];
    for signal in signals {
        assert_eq!(allocations(|| drop(std::hint::black_box(classify(&signal)))), 0, "{signal:?}");
    }
}

/// What a copy of every layer beneath every layer would show: bytes that grow with the square of the depth.
#[test]
fn a_chain_three_times_as_deep_is_explained_for_the_same() {
    let layers: [fn(Value) -> Value; 4] = [
        |inner| json!({"message": "wrapped", "cause": inner}),
        |inner| json!({"error": inner}),
        |inner| json!({"status": 500, "provider": "acme", "error": inner}),
        |inner| json!({"errors": [inner, "and more"], "data": {"x": 1}}),
    ];
    for layer in layers {
        let spent = |depth: usize| {
            let value = (0..depth).fold(json!({"message": "leaf"}), |inner, _| layer(inner));
            let before = BYTES.with(Cell::get);
            drop(explain(&value, Surface::Auto, std::time::SystemTime::UNIX_EPOCH));
            BYTES.with(Cell::get) - before
        };
        // The tables are built at the first use.
        spent(1);
        let (deep, deeper) = (spent(200), spent(600));
        assert!(deeper <= deep + deep / 4, "{deep} bytes for 200 levels, {deeper} for 600");
    }
}
