//! 128 random bits per publish. Names and records carry a nonce, never a pid: in containers every process is pid 1, and
//! two of them writing one volume would pick the same name.

use std::sync::atomic::{AtomicU64, Ordering};

const DIGITS: &[u8; 16] = b"0123456789abcdef";

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
        for half in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS[usize::from(half)]));
        }
    }
    text
}
