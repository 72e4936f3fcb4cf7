//! 128 random bits per publish. Names and records carry a nonce, never a pid: in containers every process is pid 1, and
//! two of them writing one volume would pick the same name.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
};

/// A fresh nonce, 32 hexadecimal digits.
pub(crate) fn fresh() -> String {
    let mut bytes = [0; 16];
    if getrandom::fill(&mut bytes).is_err() {
        // A kernel without its random source cannot be had on the systems supported; pid and counter still keep nonces
        // apart on one machine, and file creation is exclusive either way.
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
        bytes[..8].copy_from_slice(&counter.to_le_bytes());
        bytes[8..].copy_from_slice(&u64::from(std::process::id()).to_le_bytes());
    }
    let mut text = String::with_capacity(32);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
