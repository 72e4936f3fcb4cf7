//! 128 random bits per publish. Names and records carry a nonce, never a pid: in containers every process is pid 1, and
//! two of them writing one volume would pick the same name.

use std::{
    cell::RefCell,
    fmt,
    hash::{Hash, Hasher},
    sync::atomic::{AtomicU64, Ordering},
};

use crate::sys::fork::{self, Generation};

const DIGITS: &[u8; 16] = b"0123456789abcdef";
/// Nonces' worth of random bits that a thread asks the kernel for at once.
const AT_ONCE: usize = 32;

/// Random bits not used yet, and the process they are for: a forked copy must not use the same ones.
struct Pool {
    of: Option<Generation>,
    bits: [[u8; 16]; AT_ONCE],
    left: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { of: None, bits: [[0; 16]; AT_ONCE], left: 0 }) };
}

/// 32 hexadecimal digits, kept as they are written: a nonce is compared and printed, never computed with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nonce([u8; 32]);

impl Nonce {
    pub(crate) fn fresh() -> Self {
        let bytes = random_bits().unwrap_or_else(|| {
            // A kernel without its random source cannot be had on the systems supported; pid and counter still keep nonces
            // apart on one machine, and file creation is exclusive either way.
            static COUNTER: AtomicU64 = AtomicU64::new(0);
            let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
            (u128::from(counter) << 64 | u128::from(std::process::id())).to_le_bytes()
        });
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        Self(digits)
    }

    /// A nonce out of a record or a name; `None` when it is not the form of ours.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let digits: [u8; 32] = text.as_bytes().try_into().ok()?;
        digits.iter().all(u8::is_ascii_hexdigit).then_some(Self(digits))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn as_str(&self) -> &str {
        // Digits only, by construction.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// `None` when the kernel gives none.
fn random_bits() -> Option<[u8; 16]> {
    // No pool while a thread ends: then straight from the kernel.
    POOL.try_with(|pool| pool.borrow_mut().take()).unwrap_or_else(|_| {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).ok().map(|()| bits)
    })
}

impl Pool {
    fn take(&mut self) -> Option<[u8; 16]> {
        let generation = Some(fork::generation());
        if self.left == 0 || self.of != generation {
            self.left = 0;
            getrandom::fill(self.bits.as_flattened_mut()).ok()?;
            (self.of, self.left) = (generation, AT_ONCE);
        }
        self.left -= 1;
        Some(self.bits[self.left])
    }
}

impl Hash for Nonce {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Of random digits a part is as good as all. A digit is random in its low bits only: multiplied, so that all bits
        // of the sum are, and turned, because the lowest would know the first digit alone.
        let part = u64::from_le_bytes(std::array::from_fn(|place| self.0[place]));
        state.write_u64(part.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32));
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_form_is_read_as_a_nonce() {
        let fresh = Nonce::fresh();
        assert!(Nonce::read(fresh.as_str()) == Some(fresh));
        let many: std::collections::HashSet<_> = (0..10 * AT_ONCE).map(|_| Nonce::fresh()).collect();
        assert_eq!(many.len(), 10 * AT_ONCE);
        assert!(Nonce::read("0123456789abcdef0123456789abcdef").is_some());
        for other in [
            "",
            "0123456789abcdef0123456789abcde",
            "0123456789abcdef0123456789abcdeg",
            "0123456789abcdef0123456789abcdef0",
        ] {
            assert!(Nonce::read(other).is_none(), "{other}");
        }
    }
}
