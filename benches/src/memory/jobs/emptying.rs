//! [`Emptying`]: a store that is filled, half emptied, and emptied.

use std::{thread, time::Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{IDLE, mean, shuffle};
use crate::{
    harness::{Figures, process, runtime},
    memory::{Subject, key},
};

/// One object in so many is left, before the last are deleted too.
const THINNED: usize = 100;

/// Fills an empty store with objects that are named as in a registry, exchanges half of them, and deletes all in random
/// order. Paths are parsed before.
///
/// - `fill`: nanoseconds a put into the empty store, new memory included.
/// - `half`: nanoseconds an operation, half puts and half deletions, while half of the objects are there.
/// - `empty`: nanoseconds a deletion, until the store is empty.
/// - `thinned`, `left`: bytes that are resident 1.5 s after all but every hundredth were deleted, and all.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Emptying {
    /// How many objects there are.
    pub count: usize,
    /// How large each is.
    pub content: usize,
}

impl Emptying {
    /// Measures a store.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let content = Bytes::from(vec![1; self.content]);
        runtime::single().block_on(async {
            let mut keys: Vec<S::Key> =
                (0..self.count).map(|number| S::key(&key(number as u64))).collect();
            let before = process::resident();
            let resident = || process::resident().saturating_sub(before) as f64;
            let store = S::new(None);
            let start = Instant::now();
            for key in &keys {
                store.put(key, &content).await;
            }
            let fill = mean(start, self.count);

            // The second half goes first, so that one half is there from then on.
            shuffle(&mut keys);
            let (first, second) = keys.split_at(self.count / 2);
            for key in second {
                store.delete(key).await;
            }
            let start = Instant::now();
            for (old, new) in first.iter().zip(second) {
                store.delete(old).await;
                store.put(new, &content).await;
            }
            let half = mean(start, first.len() * 2);
            for key in first {
                store.put(key, &content).await;
            }

            shuffle(&mut keys);
            let thinned = self.count / THINNED;
            let start = Instant::now();
            for key in &keys[thinned..] {
                store.delete(key).await;
            }
            let most = start.elapsed();
            thread::sleep(IDLE);
            let left_of_thinned = resident();
            let start = Instant::now();
            for key in &keys[..thinned] {
                store.delete(key).await;
            }
            let empty = (most + start.elapsed()).as_nanos() as f64 / self.count as f64;
            thread::sleep(IDLE);
            Figures::default()
                .with("fill", fill)
                .with("half", half)
                .with("empty", empty)
                .with("thinned", left_of_thinned)
                .with("left", resident())
        })
    }
}
