//! [`Scale`]: how large everything is.

use crate::harness::{GIB, MIB};

/// Sizes and counts, so that the same rows can be tried quickly.
#[derive(Debug, Clone)]
pub struct Scale {
    /// A large blob, by itself.
    pub blob: u64,
    /// Each of many at once.
    pub each: u64,
    /// Each of many at once in a bucket, whose server has them in memory, distribution's twice.
    pub in_bucket: u64,
    /// One that distribution can hold in memory: it moves all of a blob whenever some is added.
    pub small: u64,
    /// How long small requests are sent.
    pub milliseconds: u64,
    /// How many tags, and how many repositories, are listed.
    pub names: usize,
    /// How much the scenarios of `zb` push or pull, in bytes, about.
    pub zb: u64,
}

impl Scale {
    /// What the goals are for.
    pub fn full() -> Self {
        Self { each: GIB, ..Self::usual() }
    }

    /// The same with a quarter of the memory.
    pub fn usual() -> Self {
        let (blob, each, in_bucket, small) = (GIB, 256 * MIB, 128 * MIB, 16 * MIB);
        Self { blob, each, in_bucket, small, milliseconds: 4_000, names: 10_000, zb: 2 * GIB }
    }

    /// A tenth of that or less, to see that all works and about where it stands.
    pub fn quick() -> Self {
        let (blob, each, in_bucket, small) = (64 * MIB, 16 * MIB, 16 * MIB, 4 * MIB);
        Self { blob, each, in_bucket, small, milliseconds: 300, names: 500, zb: 200 * MIB }
    }
}
