//! [`Scale`]: how large everything is.

use crate::harness::{GIB, MIB};

/// Sizes and counts, so that the same rows can be tried quickly.
#[derive(Debug, Clone)]
pub struct Scale {
    /// A large blob, by itself.
    pub blob: u64,
    /// Each of many at once.
    pub each: u64,
    /// How long small objects are put, and then read.
    pub milliseconds: u64,
    /// How many objects are listed.
    pub objects: usize,
}

impl Scale {
    /// What the goals are for.
    pub fn full() -> Self {
        Self { blob: GIB, each: 128 * MIB, milliseconds: 4_000, objects: 100_000 }
    }

    /// A tenth of that or so, to see that all works and about where it stands.
    pub fn quick() -> Self {
        Self { blob: 128 * MIB, each: 16 * MIB, milliseconds: 500, objects: 5_000 }
    }
}
