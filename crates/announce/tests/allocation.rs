//! A structured delivery error is read without an allocation. Its own binary, because the counting allocator is global.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use moorline_announce::classify_delivery;
use serde_json::{Value, json};

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

fn allocations(error: &Value) -> usize {
    // The tables are built at the first use.
    drop(classify_delivery(error));
    let before = COUNT.with(Cell::get);
    drop(std::hint::black_box(classify_delivery(error)));
    COUNT.with(Cell::get) - before
}

#[test]
fn structure_and_plain_text_allocate_nothing() {
    for error in [
        json!({"channel": "slack", "status": 200, "code": "is_archived"}),
        json!({"channel": "discord", "status": 429, "code": 20028, "retry_after": 1.5, "headers": {"Retry-After": "2"}}),
        json!({"channel": "matrix", "errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 2000}),
        json!({"channel": "telegram", "text": "Bad Request: chat not found"}),
        json!({"channel": "telegram", "body": "{\"ok\":false,\"error_code\":403,\"description\":\"Forbidden: bot was kicked\"}"}),
        json!({"message": "fetch failed", "cause": {"code": "ECONNREFUSED", "message": "connect ECONNREFUSED ::1:443"}}),
        json!("a text that nobody recognises, of the usual length"),
    ] {
        assert_eq!(allocations(&error), 0, "{error}");
    }
}
