//! [`Listing`]: many objects.

use std::time::Instant;

use bytes::Bytes;
use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};

use crate::{
    bucket::subject::Subject,
    harness::{Figures, clock::milliseconds, process},
};

const DIR: &str = "many";
/// How many directories the objects are in.
const DIRS: usize = 100;
/// How many puts run at once while the bucket is filled.
const FILLING: usize = 64;

/// Lists and walks objects of a few bytes: one directory of half of them, and all.
///
/// - `list`: milliseconds to list the directory;
/// - `walk`: milliseconds to walk everything, in a hundred directories and that one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Listing {
    /// How many objects there are.
    pub count: usize,
}

impl Listing {
    pub(super) async fn run<S: Subject>(&self, store: S) -> Figures {
        let content = Bytes::from_static(b"content");
        let half = self.count / 2;
        let path = |number: usize| match number < half {
            true => format!("{DIR}/one/{number:08}"),
            false => format!("{DIR}/{:03}/{number:08}", number % DIRS),
        };
        let puts = stream::iter(0..self.count).map(|number| {
            let (store, content) = (&store, &content);
            async move { store.put(&path(number), content).await }
        });
        puts.buffer_unordered(FILLING).collect::<()>().await;

        process::forget_peak();
        let start = Instant::now();
        assert_eq!(store.list(&format!("{DIR}/one")).await, half);
        let list = milliseconds(start);
        let start = Instant::now();
        assert_eq!(store.walk(DIR).await, self.count);
        Figures::default().with("list", list).with("walk", milliseconds(start))
    }
}
