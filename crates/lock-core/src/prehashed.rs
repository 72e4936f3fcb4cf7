//! Maps whose keys bring a good hash of their own.
//!
//! The decision: such a key is hashed once, where it is made (a lane's key at random, see `target.rs`) or not at all (a
//! nonce is random), and a map takes that number as it is. The option not taken is the standard hasher on top, which then
//! hashes a hash at each look-up: a twelfth of what an uncontended acquisition runs outside the kernel.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
};

pub(crate) type PrehashedMap<K, V> = HashMap<K, V, BuildHasherDefault<Prehashed>>;

#[derive(Default)]
pub(crate) struct Prehashed(u64);

impl Hasher for Prehashed {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    /// For keys without a hash of their own, which only tests have.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.wrapping_mul(31).wrapping_add(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
