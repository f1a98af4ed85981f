//! [`Pattern`]: bytes that depend on their position.

use std::{fmt, ops::Range};

use bytes::{Buf, Bytes};

/// An endless sequence of bytes in which every position looks different, so that parts that are
/// swapped, shifted, repeated or left out are noticed.
///
/// Each 8 bytes are a mix of the seed and their position; any range can be made, or checked, without
/// what is before it.
///
/// ```
/// use storage_driver_conformance::Pattern;
///
/// let pattern = Pattern::new(7);
/// let bytes = pattern.bytes(100..200);
/// assert!(pattern.check(100, &bytes).is_ok());
/// assert_eq!(pattern.check(99, &bytes).unwrap_err().offset, 99);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    /// The seed, mixed, from which every position counts on.
    start: u64,
}

/// Where bytes are not those of a [`Pattern`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// The first offset that is wrong, in bytes from the beginning of the pattern.
    pub offset: u64,
    /// The byte that belongs there.
    pub expected: u8,
    /// The byte that was found.
    pub found: u8,
}

const WORD: usize = 8;

impl Pattern {
    /// The pattern of this seed.
    pub const fn new(seed: u64) -> Self {
        let mixed = seed ^ 0x6a09_e667_f3bc_c909;
        Self { start: mixed.wrapping_mul(0x2545_f491_4f6c_dd1d) }
    }

    /// The bytes in `range`.
    pub fn bytes(&self, range: Range<u64>) -> Bytes {
        let length = range.end.saturating_sub(range.start);
        let mut bytes = vec![0; usize::try_from(length).expect("a range that fits into memory")];
        self.fill(range.start, &mut bytes);
        bytes.into()
    }

    /// Fills `buffer` with the bytes from `offset`.
    pub fn fill(&self, offset: u64, buffer: &mut [u8]) {
        let (head, body) = buffer.split_at_mut(to_boundary(offset, buffer.len()));
        let skip = (offset % WORD as u64) as usize;
        head.copy_from_slice(&self.word(offset)[skip..skip + head.len()]);
        let mut at = offset + head.len() as u64;
        // By whole words, because unoptimised tests spend much of their time here.
        for part in body.chunks_mut(WORD) {
            part.copy_from_slice(&self.word(at)[..part.len()]);
            at += WORD as u64;
        }
    }

    /// Checks that `bytes` are those from `offset`.
    ///
    /// # Errors
    ///
    /// The first that is wrong.
    pub fn check(&self, offset: u64, bytes: &[u8]) -> Result<(), Mismatch> {
        let (head, body) = bytes.split_at(to_boundary(offset, bytes.len()));
        let skip = (offset % WORD as u64) as usize;
        compare(offset, &self.word(offset)[skip..skip + head.len()], head)?;
        let mut at = offset + head.len() as u64;
        for part in body.chunks(WORD) {
            compare(at, &self.word(at)[..part.len()], part)?;
            at += WORD as u64;
        }
        Ok(())
    }

    /// [`check`](Self::check) of bytes in parts, all of which it takes.
    ///
    /// # Errors
    ///
    /// The first that is wrong.
    pub fn check_parts(&self, mut offset: u64, mut parts: impl Buf) -> Result<(), Mismatch> {
        while parts.has_remaining() {
            let part = parts.chunk();
            let length = part.len();
            self.check(offset, part)?;
            offset += length as u64;
            parts.advance(length);
        }
        Ok(())
    }

    /// The 8 bytes around `offset`: the finisher of SplitMix64 over seed and position.
    fn word(&self, offset: u64) -> [u8; WORD] {
        let mut z = self.start.wrapping_add((offset >> 3).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)).to_le_bytes()
    }
}

/// How many of `length` bytes lie before the first boundary of words at or after `offset`.
fn to_boundary(offset: u64, length: usize) -> usize {
    let whole = offset.next_multiple_of(WORD as u64) - offset;
    length.min(whole as usize)
}

fn compare(offset: u64, expected: &[u8], found: &[u8]) -> Result<(), Mismatch> {
    if expected == found {
        return Ok(());
    }
    let wrong = expected.iter().zip(found).position(|(a, b)| a != b).unwrap_or_default();
    let (expected, found) = (expected[wrong], found[wrong]);
    Err(Mismatch { offset: offset + wrong as u64, expected, found })
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, expected, found } = self;
        write!(f, "at offset {offset}: 0x{expected:02x} expected, 0x{found:02x} found")
    }
}

impl std::error::Error for Mismatch {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_range_is_cut_from_the_same_sequence() {
        let pattern = Pattern::new(1);
        let whole = pattern.bytes(0..100);
        for start in 0..20 {
            for end in start..40 {
                let range = start as usize..end as usize;
                assert_eq!(pattern.bytes(start..end), whole[range.clone()]);
                assert!(pattern.check(start, &whole[range]).is_ok());
            }
        }
    }

    #[test]
    fn the_first_wrong_byte_is_named() {
        let pattern = Pattern::new(2);
        let mut bytes = pattern.bytes(1000..1100).to_vec();
        bytes[42] ^= 1;
        bytes[77] ^= 1;
        let mismatch = pattern.check(1000, &bytes).unwrap_err();
        assert_eq!(mismatch.offset, 1042);
        assert_eq!(mismatch.found, mismatch.expected ^ 1);
    }

    #[test]
    fn parts_are_checked_as_one() {
        let pattern = Pattern::new(3);
        let parts = || pattern.bytes(5..16).chain(pattern.bytes(16..50));
        assert!(pattern.check_parts(5, parts()).is_ok());
        assert!(pattern.check_parts(6, parts()).is_err());
        let swapped = pattern.bytes(16..50).chain(pattern.bytes(5..16));
        assert!(pattern.check_parts(5, swapped).is_err());
    }

    #[test]
    fn no_two_words_of_two_mebibytes_are_equal() {
        let pattern = Pattern::new(4);
        let mut words: Vec<_> = (0..1 << 18).map(|index| pattern.word(index * 8)).collect();
        words.sort_unstable();
        assert!(words.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn seeds_give_different_sequences() {
        assert_ne!(Pattern::new(0).bytes(0..8), Pattern::new(1).bytes(0..8));
    }
}
