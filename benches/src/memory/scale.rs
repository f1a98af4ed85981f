//! [`Scale`]: how large everything is.

use crate::harness::{GIB, MIB};

/// Sizes and counts, so that the same rows can be tried quickly.
#[derive(Debug, Clone)]
pub struct Scale {
    /// A large blob, of which memory holds several.
    pub blob: u64,
    /// A very large one, which only ours has to hold.
    pub large: u64,
    /// Sizes that the time of a commit is not to depend on.
    pub commits: Vec<u64>,
    /// How many ranges are drawn.
    pub draws: usize,
    /// Populations of small objects of 4 KiB.
    pub populations: Vec<usize>,
    /// One of smaller objects, that only ours and the naive map have to hold.
    pub most: Option<usize>,
    /// A very large one of these, which only ours has to hold.
    pub huge: Option<usize>,
    /// How many objects there are where their number matters little.
    pub objects: usize,
    /// Objects of the mixed load.
    pub mixed: usize,
    /// How long the mixed load lasts.
    pub milliseconds: u64,
}

impl Scale {
    /// What the goals are for.
    pub fn full() -> Self {
        Self {
            blob: GIB,
            large: 5 * GIB,
            commits: vec![16 * MIB, GIB, 5 * GIB],
            draws: 1_000_000,
            populations: vec![100_000, 1_000_000],
            most: Some(10_000_000),
            huge: Some(100_000_000),
            objects: 1_000_000,
            mixed: 100_000,
            milliseconds: 2_000,
        }
    }

    /// A tenth of that or less, to see that all works and about where it stands.
    pub fn quick() -> Self {
        Self {
            blob: 256 * MIB,
            large: 512 * MIB,
            commits: vec![16 * MIB, 256 * MIB],
            draws: 100_000,
            populations: vec![10_000, 100_000],
            most: None,
            huge: None,
            objects: 100_000,
            mixed: 20_000,
            milliseconds: 300,
        }
    }
}
