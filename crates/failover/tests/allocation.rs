//! The structured path allocates nothing. Its own binary, because the counting allocator is global.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use moorline_failover::{Signal, classify};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; only a thread's own counter is touched beside it.
#[allow(unsafe_code, reason = "an allocator is unsafe by its interface; this one only counts")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
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
