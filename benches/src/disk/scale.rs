//! [`Scale`]: how large everything is.

use crate::harness::{GIB, MIB};

/// Sizes and counts, so that the same rows can be tried quickly.
#[derive(Debug, Clone)]
pub struct Scale {
    /// A large blob.
    pub blob: u64,
    /// How many ranges are drawn.
    pub draws: usize,
    /// How long small files are put.
    pub milliseconds: u64,
    /// How many files are listed.
    pub files: usize,
    /// How many tags a repository has.
    pub tags: usize,
}

impl Scale {
    /// What the goals are for.
    pub fn full() -> Self {
        Self { blob: GIB, draws: 100_000, milliseconds: 4_000, files: 1_000_000, tags: 10_000 }
    }

    /// A tenth of that or so, to see that all works and about where it stands.
    pub fn quick() -> Self {
        Self { blob: 128 * MIB, draws: 10_000, milliseconds: 500, files: 100_000, tags: 10_000 }
    }
}
