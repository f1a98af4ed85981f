//! [`Listing`]: what is there.

use std::{path::PathBuf, time::Instant};

use serde::{Deserialize, Serialize};

use crate::{
    disk::{
        fixture::{self, DIRS, FLAT, NESTED},
        subject::Subject,
    },
    harness::{Figures, clock::milliseconds, process, runtime},
};

/// How long a page is.
const PAGE: usize = 1000;

/// Lists and walks many files, once each, in one directory or in a thousand.
///
/// - `list`: milliseconds to list the directory, or the thousand.
/// - `names`: milliseconds to list the names in it.
/// - `first`: milliseconds for the first page of it, in order. Of the one directory only.
/// - `walk`: milliseconds to walk everything.
/// - `peak`: in bytes, as for all jobs; of the listing and the walk alone, for a first page is of
///   another kind with those who cannot give one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listing {
    /// Where what is read is made.
    pub dir: PathBuf,
    /// How many files there are.
    pub count: usize,
    /// Whether they are in a thousand directories.
    pub nested: bool,
}

impl Listing {
    /// Measures a store.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let root = fixture::files(&self.dir, self.count);
        let (dir, children) = if self.nested { (NESTED, DIRS) } else { (FLAT, self.count) };
        runtime::workers(2).block_on(async {
            let store = S::open(root, false).await;
            process::forget_peak();
            let start = Instant::now();
            assert_eq!(store.list(dir).await, children);
            let list = milliseconds(start);
            let start = Instant::now();
            assert_eq!(store.names(dir).await, children);
            let names = milliseconds(start);
            let start = Instant::now();
            assert_eq!(store.walk(dir).await, self.count);
            let walk = milliseconds(start);
            let peak = process::peak();
            let first = if self.nested {
                f64::NAN
            } else {
                let start = Instant::now();
                assert_eq!(store.first(dir, PAGE).await, PAGE);
                milliseconds(start)
            };
            store.close().await;
            Figures::default()
                .with("list", list)
                .with("names", names)
                .with("first", first)
                .with("walk", walk)
                .with("peak", peak as f64)
        })
    }
}
