//! Names for new entries: 16 hexadecimal digits from the system's random source.
//!
//! The format only asks for a string that is unique within the file. Older programs write 8 digits and look every one
//! up; 64 random bits need no look, which matters where the transcript is not read whole.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A new id.
pub(crate) fn fresh() -> String {
    let mut bytes = [0; 8];
    if getrandom::fill(&mut bytes).is_err() {
        // The system's source does not fail once it works; a per-process random key is the second best.
        bytes = RandomState::new().build_hasher().finish().to_be_bytes();
    }
    format!("{:016x}", u64::from_be_bytes(bytes))
}
