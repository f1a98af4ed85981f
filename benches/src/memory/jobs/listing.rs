//! [`Listing`]: what is there.

use std::time::Instant;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    harness::{Figures, clock::median, runtime},
    memory::{ABOVE, Subject, key},
};

/// Of so many the median is taken.
const ROUNDS: usize = 3;
const CONTENT: &[u8] = b"sixteen bytes, 1";
const FLAT: &str = "flat";

/// Lists and walks a store of many objects, named as in a registry, and as many again in one
/// directory.
///
/// - `dirs`: microseconds to list the 256 directories above all the objects.
/// - `walk`: nanoseconds an entry to walk everything below them. Who has directories gives those
///   too; `walk_file` is the time a file.
/// - `flat`: nanoseconds an entry to list the one directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listing {
    /// How many objects are there, and how many more in the one directory.
    pub count: usize,
}

impl Listing {
    /// Measures a store.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let content = Bytes::from_static(CONTENT);
        runtime::single().block_on(async {
            let store = S::new(None);
            for number in 0..self.count as u64 {
                store.put(&S::key(&key(number)), &content).await;
            }
            let dirs = median(ROUNDS, async || {
                let start = Instant::now();
                assert_eq!(store.list(ABOVE).await, 256);
                nanoseconds(start) / 1e3
            });
            let dirs = dirs.await;
            let mut entries = 0;
            let walk = median(ROUNDS, async || {
                let start = Instant::now();
                entries = store.walk(ABOVE).await;
                nanoseconds(start)
            });
            let walk = walk.await;
            assert!(entries >= self.count);

            for number in 0..self.count as u64 {
                let name = &key(number)[40..60];
                store.put(&S::key(&format!("{FLAT}/{name}")), &content).await;
            }
            let flat = median(ROUNDS, async || {
                let start = Instant::now();
                assert_eq!(store.list(FLAT).await, self.count);
                nanoseconds(start) / self.count as f64
            });
            Figures::default()
                .with("dirs", dirs)
                .with("walk", walk / entries as f64)
                .with("walk_file", walk / self.count as f64)
                .with("flat", flat.await)
        })
    }
}

fn nanoseconds(start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64
}
