//! [`Upload`]: one large blob, copied in.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{BLOB, IDLE, upload};
use crate::{
    harness::{Figures, Source, process, runtime},
    memory::Subject,
};

/// Uploads a blob in chunks that the caller keeps, as out of a socket's buffer, and deletes it.
///
/// - `seconds`: from the opening to the end of the commit.
/// - `peak`: the most that was resident meanwhile, of the payload; what was resident before is
///   taken off.
/// - `left`: what is still resident 1.5 s after the deletion; `held`: what the store says of that;
///   `dropped`: what is once the store is dropped too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Upload {
    /// How large the blob is.
    pub size: u64,
    /// How large a chunk is.
    pub chunk: usize,
    /// Measure the second upload, after the first one was deleted, with a pool for all of it.
    pub recycled: bool,
    /// What the pool may hold, unless it is recycled.
    pub pool: Option<u64>,
}

impl Upload {
    /// Measures a store.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let source = Source::new();
        let key = S::key(BLOB);
        runtime::single().block_on(async {
            let pool = if self.recycled { Some(self.size) } else { self.pool };
            process::forget_peak();
            let before = process::resident();
            let store = S::new(pool);
            if self.recycled {
                upload(&store, &key, &source, self.size, self.chunk).await;
                store.delete(&key).await;
            }
            let start = Instant::now();
            upload(&store, &key, &source, self.size, self.chunk).await;
            let seconds = start.elapsed().as_secs_f64();
            let peak = process::peak().saturating_sub(before) as f64 / self.size as f64;
            store.delete(&key).await;
            // Freed memory may wait for a second.
            std::thread::sleep(IDLE);
            let left = process::resident().saturating_sub(before);
            let held = store.held().map_or(f64::NAN, |held| held as f64);
            drop(store);
            let dropped = process::resident().saturating_sub(before);
            Figures::default()
                .with("seconds", seconds)
                .with("peak", peak)
                .with("left", left as f64)
                .with("held", held)
                .with("dropped", dropped as f64)
        })
    }
}
