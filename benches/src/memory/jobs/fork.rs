//! [`Fork`]: a twin of a store, and the first writes after it.

use std::time::Instant;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    harness::{Figures, Random, clock::Times, runtime},
    memory::{Subject, key},
};

const SEED: u64 = 8;
const CONTENT: &[u8] = b"sixteen bytes, 1";
/// So many are written afterwards.
const WRITES: usize = 100_000;

/// Forks a store of many objects, and writes to it in random places while the twin lives.
///
/// - `fork`: microseconds.
/// - `slowest`, `p999`, `mean`: microseconds a write.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fork {
    /// How many objects are there.
    pub count: usize,
}

impl Fork {
    /// Measures a store, unless it cannot.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let content = Bytes::from_static(CONTENT);
        runtime::single().block_on(async {
            let store = S::new(None);
            for number in 0..self.count as u64 {
                store.put(&S::key(&key(number)), &content).await;
            }
            let mut random = Random::new(SEED);
            let mut draw = || S::key(&key(random.below(self.count) as u64));
            let keys: Vec<S::Key> = (0..WRITES).map(|_| draw()).collect();

            let start = Instant::now();
            let Some(twin) = store.fork() else { return Figures::default() };
            let fork = start.elapsed().as_nanos() as f64 / 1e3;
            let mut times = Times::new(WRITES);
            for key in &keys {
                let start = Instant::now();
                store.put(key, &content).await;
                times.add(start);
            }
            drop(twin);
            Figures::default()
                .with("fork", fork)
                .with("slowest", times.quantile(1.0) / 1e3)
                .with("p999", times.quantile(0.999) / 1e3)
                .with("mean", times.mean() / 1e3)
        })
    }
}
