//! [`Range`]: small parts of one large blob, that the system has in memory.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use futures::executor::block_on;
use serde::{Deserialize, Serialize};

use crate::{
    disk::{
        fixture::{self, BLOB},
        subject::Subject,
        subjects::Plain,
    },
    harness::{Figures, Random, clock::Times, process, runtime},
};

/// After this it ends, however many were drawn.
const LONGEST: Duration = Duration::from_secs(20);
const SEED: u64 = 7;

/// Reads ranges of a blob, one after another, each by its path.
///
/// - `rate`: how many a second.
/// - `p50`, `p99`: microseconds of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Range {
    /// Where what is read is made.
    pub dir: PathBuf,
    /// How large the blob is.
    pub size: u64,
    /// How large a range is.
    pub range: u64,
    /// How many are drawn.
    pub draws: usize,
}

impl Range {
    /// Measures a store.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let root = fixture::blob(&self.dir, self.size);
        block_on(async { Plain::open(root.clone(), false).await.read(BLOB).await });
        let mut random = Random::new(SEED);
        runtime::workers(2).block_on(async {
            let store = S::open(root, false).await;
            let mut times = Times::new(self.draws);
            process::forget_peak();
            let begin = Instant::now();
            for _ in 0..self.draws {
                let from = random.below((self.size - self.range) as usize) as u64;
                let start = Instant::now();
                let size = store.range(BLOB, from..from + self.range).await;
                times.add(start);
                assert_eq!(size as u64, self.range);
                if start - begin > LONGEST {
                    break;
                }
            }
            let rate = times.len() as f64 / begin.elapsed().as_secs_f64();
            let peak = process::peak();
            store.close().await;
            Figures::default()
                .with("rate", rate)
                .with("p50", times.quantile(0.5) / 1e3)
                .with("p99", times.quantile(0.99) / 1e3)
                .with("peak", peak as f64)
        })
    }
}
