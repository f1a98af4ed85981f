//! [`Allocation`]: the largest single allocation.

use serde::{Deserialize, Serialize};

use super::{BLOB, upload};
use crate::{
    harness::{Figures, KIB, Source, allocator, runtime},
    memory::Subject,
};

const CHUNK: usize = 64 * KIB as usize;

/// Uploads a blob in copied chunks, commits it, reads it and a range of it.
///
/// - `largest`: the largest request that reached the allocator meanwhile, in bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Allocation {
    /// How large the blob is.
    pub size: u64,
}

impl Allocation {
    /// Measures a store.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let (source, key) = (Source::new(), S::key(BLOB));
        let largest = allocator::largest_in(|| {
            runtime::single().block_on(async {
                let store = S::new(None);
                upload(&store, &key, &source, self.size, CHUNK).await;
                assert_eq!(store.range(&key, 1..CHUNK as u64).await, CHUNK - 1);
            });
        });
        Figures::default().with("largest", largest as f64)
    }
}
