//! [`Source`]: where uploads come from.

use bytes::Bytes;

use crate::harness::{MIB, Random};

const SEED: u64 = 1;

/// One MiB that is sent again and again, so that a source of any size takes no memory and stays in
/// the cache, for every subject and limit alike.
#[derive(Debug)]
pub struct Source(Bytes);

impl Source {
    /// Makes it.
    #[expect(clippy::new_without_default, reason = "it is work")]
    pub fn new() -> Self {
        Self(Random::new(SEED).bytes(MIB as usize).into())
    }

    /// `size` bytes in pieces of `chunk`, both powers of two, a chunk at most a MiB.
    pub fn chunks(&self, size: u64, chunk: usize) -> impl Iterator<Item = &[u8]> {
        self.0.chunks(chunk).cycle().take((size / chunk as u64) as usize)
    }

    /// The same in parts that may be kept, of the one buffer.
    pub fn shared(&self, size: u64, chunk: usize) -> impl Iterator<Item = Bytes> {
        self.chunks(size, chunk).map(|chunk| self.0.slice_ref(chunk))
    }
}
