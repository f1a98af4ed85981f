//! [`Download`]: one large blob, that the system has in memory.

use std::{hint::black_box, path::PathBuf, time::Instant};

use futures::executor::block_on;
use serde::{Deserialize, Serialize};

use crate::{
    disk::{
        fixture::{self, BLOB},
        subject::Subject,
        subjects::Plain,
    },
    harness::{Figures, clock::median, process, runtime},
};

/// Of so many the median is taken.
const ROUNDS: usize = 3;

/// Reads a blob as a stream.
///
/// - `seconds`: from the opening to the end.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Download {
    /// Where what is read is made.
    pub dir: PathBuf,
    /// How large the blob is.
    pub size: u64,
}

impl Download {
    /// Measures a store.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let root = fixture::blob(&self.dir, self.size);
        block_on(async { Plain::open(root.clone(), false).await.read(BLOB).await });
        runtime::workers(2).block_on(async {
            let store = S::open(root, false).await;
            process::forget_peak();
            let seconds = median(ROUNDS, async || {
                let start = Instant::now();
                assert_eq!(black_box(store.read(BLOB).await), self.size);
                start.elapsed().as_secs_f64()
            });
            let seconds = seconds.await;
            let peak = process::peak();
            store.close().await;
            Figures::default().with("seconds", seconds).with("peak", peak as f64)
        })
    }
}
