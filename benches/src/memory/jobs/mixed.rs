//! [`Mixed`]: a registry at work.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::OBJECT;
use crate::{
    harness::{Figures, Random, runtime},
    memory::{Subject, key},
};

const SEED: u64 = 6;
/// How many of a hundred operations read.
const READS: usize = 80;
/// After so many operations a task yields to others.
const YIELD_EVERY: u64 = 64;

/// Tasks that read a small object four times out of five and replace one the fifth time.
///
/// - `rate`: thousands of operations a second, of all tasks together.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mixed {
    /// How many objects there are.
    pub objects: usize,
    /// How many tasks.
    pub tasks: u64,
    /// How many workers they run on.
    pub workers: usize,
    /// For how long.
    pub milliseconds: u64,
}

impl Mixed {
    /// Measures a store.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let content = Bytes::from(vec![1; OBJECT]);
        runtime::workers(self.workers).block_on(async {
            let store = Arc::new(S::new(None));
            let keys: Arc<[S::Key]> = (0..self.objects as u64).map(|n| S::key(&key(n))).collect();
            for key in &*keys {
                store.put(key, &content).await;
            }
            let start = Instant::now();
            let end = start + Duration::from_millis(self.milliseconds);
            let tasks: Vec<_> = (0..self.tasks)
                .map(|task| {
                    let (store, keys) = (Arc::clone(&store), Arc::clone(&keys));
                    // Nothing is shared but the store.
                    let content = Bytes::from(vec![1; OBJECT]);
                    tokio::spawn(work(task, store, keys, content, end))
                })
                .collect();
            let mut done = 0;
            for task in tasks {
                done += task.await.expect("it does not panic");
            }
            let rate = done as f64 / start.elapsed().as_secs_f64() / 1e3;
            Figures::default().with("rate", rate)
        })
    }
}

async fn work<S: Subject>(
    task: u64,
    store: Arc<S>,
    keys: Arc<[S::Key]>,
    content: Bytes,
    end: Instant,
) -> u64 {
    let mut random = Random::new(SEED + task);
    let mut done = 0;
    while Instant::now() < end {
        for _ in 0..YIELD_EVERY {
            let key = &keys[random.below(keys.len())];
            if random.below(100) < READS {
                assert_eq!(store.get(key).await, OBJECT);
            } else {
                store.put(key, &content).await;
            }
        }
        done += YIELD_EVERY;
        tokio::task::yield_now().await;
    }
    done
}
