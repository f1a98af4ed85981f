//! [`Small`]: small objects.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::future::join_all;
use serde::{Deserialize, Serialize};

use crate::{
    bucket::subject::Subject,
    harness::{Figures, Random},
};

const SIZE: usize = 1 << 10;
const SEED: u64 = 13;

/// Puts new objects of 1 KiB, by tasks that each wait for one before the next; then reads them in the same way.
///
/// - `put`, `get`: how many a second.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Small {
    /// How many tasks there are.
    pub tasks: usize,
    /// How long they put, and then read.
    pub milliseconds: u64,
}

impl Small {
    pub(super) async fn run<S: Subject>(&self, store: S) -> Figures {
        let store = Arc::new(store);
        let content = Bytes::from(Random::new(SEED).bytes(SIZE));
        let to = Arc::clone(&store);
        let put = move |task, number| {
            let (store, content) = (Arc::clone(&to), content.clone());
            async move { store.put(&path(task, number), &content).await }
        };
        let (put, counts) = self.load(put).await;
        let counts = Arc::new(counts);
        let get = move |task, number| {
            let (store, counts): (_, Arc<Vec<usize>>) = (Arc::clone(&store), Arc::clone(&counts));
            async move {
                let size = store.get(&path(task, number % counts[task])).await;
                assert_eq!(size, SIZE);
            }
        };
        let (get, _) = self.load(get).await;
        Figures::default().with("put", put).with("get", get)
    }

    /// Each task makes one request after the other. The rate of all together, and how many each has made.
    async fn load<T>(
        &self,
        request: impl Fn(usize, usize) -> T + Clone + Send + 'static,
    ) -> (f64, Vec<usize>)
    where
        T: Future<Output = ()> + Send + 'static,
    {
        let start = Instant::now();
        let end = start + Duration::from_millis(self.milliseconds);
        let tasks = (0..self.tasks).map(|task| {
            let request = request.clone();
            tokio::spawn(async move {
                let mut count = 0;
                // Each task makes one at least, so that there is something to read.
                while count == 0 || Instant::now() < end {
                    request(task, count).await;
                    count += 1;
                }
                count
            })
        });
        let counts = join_all(tasks).await.into_iter();
        let counts: Vec<usize> = counts.map(|count| count.expect("it ends")).collect();
        (counts.iter().sum::<usize>() as f64 / start.elapsed().as_secs_f64(), counts)
    }
}

fn path(task: usize, number: usize) -> String {
    format!("small/{task:02}/{number:08}")
}
