//! What a run keeps of the transcript's contents, so that a rewrite can be told from a copy.
//!
//! A fence knows numbers and the last kibibyte. A program that rewrites the file with the same contents (a rename, a restored
//! copy) must not end the run, and one that rewrites it otherwise must. The decision: a running digest of everything up to
//! 8 MiB, carried along with each append, so that letting go and coming back stay independent of the size. It is keyed
//! at random for each process and never stored, so 64 bits are enough. Files of an older version, which other programs
//! rewrite when they migrate them, are kept whole instead: only the old contents can show that nothing else changed.

use std::{
    fs::File,
    hash::{BuildHasher, DefaultHasher, Hasher, RandomState},
    io,
    os::unix::fs::FileExt,
    sync::OnceLock,
};

/// Files above this are not compared; a rewrite of one is a takeover.
pub(super) const COMPARED: u64 = 8 * 1024 * 1024;
const BLOCK: usize = 64 * 1024;

/// What is known of the first `len` bytes.
pub(super) enum Contents {
    Digest {
        hasher: DefaultHasher,
        len: u64,
    },
    Kept(Vec<u8>),
    /// Too large to compare.
    Unknown,
}

impl Contents {
    /// Nothing read yet.
    pub(super) fn new(keep: bool) -> Self {
        if keep { Self::Kept(Vec::new()) } else { Self::Digest { hasher: hasher(), len: 0 } }
    }

    /// Takes in what the file has up to `end`.
    pub(super) fn extend(&mut self, file: &File, end: u64) -> io::Result<()> {
        if end > COMPARED {
            *self = Self::Unknown;
        }
        match self {
            Self::Digest { hasher, len } => {
                let mut block = vec![0; BLOCK];
                while *len < end {
                    let want = usize::try_from(end - *len).unwrap_or(BLOCK).min(BLOCK);
                    file.read_exact_at(&mut block[..want], *len)?;
                    hasher.write(&block[..want]);
                    *len += want as u64;
                }
            }
            Self::Kept(bytes) => {
                let from = bytes.len();
                bytes.resize(usize::try_from(end).unwrap_or(from).max(from), 0);
                file.read_exact_at(&mut bytes[from..], from as u64)?;
            }
            Self::Unknown => {}
        }
        Ok(())
    }

    /// How many bytes of `now` are what was known, as it was; `None` when it differs or is not known.
    pub(super) fn same(&self, now: &[u8]) -> Option<u64> {
        match self {
            Self::Digest { hasher: known, len } => {
                let prefix = now.get(..usize::try_from(*len).ok()?)?;
                let mut other = hasher();
                // `DefaultHasher` digests a stream: how it was cut into writes does not matter.
                other.write(prefix);
                (other.finish() == known.finish()).then_some(*len)
            }
            Self::Kept(bytes) => now.starts_with(bytes).then_some(bytes.len() as u64),
            Self::Unknown => None,
        }
    }

    /// The old bytes, where they were kept.
    pub(super) fn kept(&self) -> Option<&[u8]> {
        match self {
            Self::Kept(bytes) => Some(bytes),
            Self::Digest { .. } | Self::Unknown => None,
        }
    }
}

fn hasher() -> DefaultHasher {
    static KEY: OnceLock<RandomState> = OnceLock::new();
    KEY.get_or_init(RandomState::new).build_hasher()
}

/// The whole file, if it is small enough to compare.
pub(super) fn read_all(file: &File, len: u64) -> io::Result<Option<Vec<u8>>> {
    if len > COMPARED {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(Some(bytes))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_digest_does_not_depend_on_how_it_was_taken_in() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        file.write_all(&bytes).unwrap();
        for keep in [false, true] {
            let mut contents = Contents::new(keep);
            for end in [0, 1, 7, 64, 65_536, 65_543, 131_071, 200_000] {
                contents.extend(&file, end).unwrap();
                assert_eq!(contents.same(&bytes), Some(end));
            }
            let mut other = bytes.clone();
            other[100] ^= 1;
            assert_eq!(contents.same(&other), None);
            assert_eq!(contents.same(&bytes[..199_999]), None);
        }
    }

    #[test]
    fn what_is_too_large_is_unknown_for_good() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(b"x", COMPARED).unwrap();
        let mut contents = Contents::new(false);
        contents.extend(&file, COMPARED + 1).unwrap();
        assert!(matches!(contents, Contents::Unknown), "nothing more is read of it");
        assert_eq!(contents.same(b"x"), None);
        assert!(read_all(&file, COMPARED + 1).unwrap().is_none());
    }
}
