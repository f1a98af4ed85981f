//! [`HandOver`]: one large blob, given away.

use std::time::Instant;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::BLOB;
use crate::{Figures, Source, Subject, runtime};

/// Uploads a blob in chunks that nobody else has, each in a vector of its own, made before.
///
/// - `chunk`: nanoseconds a chunk, without opening and commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HandOver {
    /// How large the blob is.
    pub size: u64,
    /// How large a chunk is.
    pub chunk: usize,
}

impl HandOver {
    /// Measures a store.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let source = Source::new();
        let chunks = source.chunks(self.size, self.chunk);
        let chunks: Vec<Bytes> = chunks.map(|chunk| Bytes::from(chunk.to_vec())).collect();
        let count = chunks.len() as f64;
        let key = S::key(BLOB);
        runtime::single().block_on(async {
            let store = S::new(None);
            let mut upload = store.begin(&key, false).await;
            let start = Instant::now();
            for chunk in chunks {
                store.hand_over(&mut upload, chunk).await;
            }
            let nanoseconds = start.elapsed().as_nanos() as f64 / count;
            store.commit(upload).await;
            Figures::default().with("chunk", nanoseconds)
        })
    }
}
