//! [`Objects`]: operations on small objects, by how many there are.

use std::time::Instant;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{mean, shuffle};
use crate::{
    harness::{Figures, Random, clock::median, process, runtime},
    memory::{ABOVE, Subject, key},
};

const SEED: u64 = 4;
/// So many operations are timed of each kind.
const WINDOW: usize = 100_000;
/// What is added and taken away at a time is at most this part of what is there.
const PART: usize = 10;
/// And at most so many.
const BATCH: usize = 10_000;
/// Listings of the directories.
const LISTINGS: usize = 5;

/// Fills a store with objects that are named as in a registry, and then times operations on it in
/// random order. Paths are parsed before the clock starts.
///
/// - `put`, `get`, `stat`, `delete`: nanoseconds an operation, the mean of 100,000.
/// - `fresh`: of `put`, those for which the process had to find new memory, which are left out there.
/// - `extra`: bytes that are resident for an object, its content taken off.
/// - `list`: microseconds to list the 256 directories above the objects.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Objects {
    /// How many objects are there.
    pub count: usize,
    /// How large each is.
    pub content: usize,
}

impl Objects {
    /// Measures a store.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let content = Bytes::from(vec![1; self.content]);
        runtime::single().block_on(async {
            let before = process::resident();
            let store = S::new(None);
            for number in 0..self.count {
                // The path is gone afterwards: what is kept of it is the store's.
                store.put(&S::key(&key(number as u64)), &content).await;
            }
            let taken = process::resident().saturating_sub(before) as f64;
            let extra = taken / self.count as f64 - self.content as f64;

            let turnover = self.turn_over(&store, &content).await;
            let mut random = Random::new(SEED);
            let there: Vec<S::Key> =
                (0..WINDOW).map(|_| S::key(&key(random.below(self.count) as u64))).collect();
            let start = Instant::now();
            for key in &there {
                assert_eq!(store.get(key).await, self.content);
            }
            let get = mean(start, WINDOW);
            let start = Instant::now();
            for key in &there {
                assert_eq!(store.stat(key).await, self.content as u64);
            }
            let stat = mean(start, WINDOW);

            let list = median(LISTINGS, async || {
                let start = Instant::now();
                assert!(store.list(ABOVE).await <= 256);
                start.elapsed().as_nanos() as f64 / 1e3
            });
            Figures::default()
                .with("put", turnover.put)
                .with("fresh", turnover.fresh)
                .with("get", get)
                .with("stat", stat)
                .with("delete", turnover.delete)
                .with("extra", extra)
                .with("list", list.await)
        })
    }

    /// Adds and takes away a part of them, again and again, so that there are always about as many
    /// as there should be. Names are hashes, so that the order of numbers is random.
    ///
    /// The first round brings new memory into the process, the others use it again: what the
    /// kernel takes for the one is kept apart from what the store takes.
    async fn turn_over<S: Subject>(&self, store: &S, content: &Bytes) -> Turnover {
        let batch = (self.count / PART).clamp(1, BATCH);
        let rounds = WINDOW.div_ceil(batch);
        let (mut fresh, mut put, mut delete) = (0.0, 0.0, 0.0);
        for round in 0..=rounds {
            let numbers = self.count + round * batch..self.count + (round + 1) * batch;
            let mut keys: Vec<S::Key> = numbers.map(|number| S::key(&key(number as u64))).collect();
            let start = Instant::now();
            for key in &keys {
                store.put(key, content).await;
            }
            match round {
                0 => fresh = mean(start, batch),
                _ => put += mean(start, batch * rounds),
            }
            shuffle(&mut keys);
            let start = Instant::now();
            for key in &keys {
                store.delete(key).await;
            }
            if round > 0 {
                delete += mean(start, batch * rounds);
            }
        }
        Turnover { fresh, put, delete }
    }
}

/// Nanoseconds an operation.
struct Turnover {
    fresh: f64,
    put: f64,
    delete: f64,
}
