//! [`WriteOwned`]: one large blob, written from owned buffers.

use std::time::Instant;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::BLOB;
use crate::{
    harness::{Figures, Source, runtime},
    memory::Subject,
};

/// Uploads a blob in chunks that are not shared, each in its own vector, which are made before.
///
/// - `chunk`: nanoseconds a chunk, without opening and commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WriteOwned {
    /// How large the blob is.
    pub size: u64,
    /// How large a chunk is.
    pub chunk: usize,
}

impl WriteOwned {
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
                store.write_owned(&mut upload, chunk).await;
            }
            let nanoseconds = start.elapsed().as_nanos() as f64 / count;
            store.commit(upload).await;
            Figures::default().with("chunk", nanoseconds)
        })
    }
}
