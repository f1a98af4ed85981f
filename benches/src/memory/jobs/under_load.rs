//! [`UnderLoad`]: small reads during a large operation.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{BLOB, OBJECT, upload};
use crate::{
    harness::{
        Figures, GIB, KIB, Random, Source,
        clock::Times,
        runtime::{self, timed},
        table,
    },
    memory::{ABOVE, Subject, key},
};

const SEED: u64 = 7;
/// The small objects that are read.
const SMALL: usize = 1000;
const CONTENT: &[u8] = b"sixteen bytes, 1";
pub(super) const WORKERS: usize = 2;
pub(super) const UPLOADS: u64 = 8;
pub(super) const CHUNK: usize = 64 * KIB as usize;
/// The least number of reads, even if the load ends before.
const READS: usize = 20_000;
/// The time of reads before the load begins.
const WARM: Duration = Duration::from_millis(20);
/// How fine the histogram is: so many buckets for each doubling of the time.
pub const HISTOGRAM_PER_OCTAVE: usize = 4;
/// How many buckets it has, from 1 ns to 4 s.
pub const HISTOGRAM_BUCKETS: usize = 32 * HISTOGRAM_PER_OCTAVE;

/// The operation during the reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Load {
    /// Eight uploads in copied chunks of 64 KiB, of this size together. A task yields after each chunk, as a
    /// task does that waits for the next one.
    Uploads(u64),
    /// A walk over so many objects.
    Walk(usize),
    /// The deletion of a directory of so many objects.
    Delete(usize),
    /// The renaming of one.
    Rename(usize),
    /// The deletion of a blob of this size.
    Drop(u64),
}

/// Reads small objects, one after the other, on a runtime with two workers, while that runtime also runs the
/// load.
///
/// - `p99`: microseconds of a read, from its call to its end.
/// - `poll`: milliseconds of the longest poll of any task, of the load or of the reads.
/// - `histogram`: how many reads took how long.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UnderLoad {
    /// The load.
    pub load: Load,
}

impl UnderLoad {
    /// Measures a store, unless it does not support the load.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let runtime = runtime::workers(WORKERS);
        runtime.block_on(async {
            let store = Arc::new(S::new(None));
            let keys = put_small(&*store).await;
            prepare(&*store, self.load).await;
            let times = Times::new(1 << 20);
            runtime::forget_polls();
            let over = Arc::new(AtomicBool::new(false));
            let reads = read(Arc::clone(&store), keys, times, Arc::clone(&over));
            let reads = tokio::spawn(timed(reads));
            tokio::time::sleep(WARM).await;
            let can = run_load(&store, self.load).await;
            over.store(true, Relaxed);
            let mut times = reads.await.expect("it does not panic");
            if !can {
                return Figures::default();
            }
            Figures::default()
                .with("p99", times.quantile(0.99) / 1e3)
                .with("p50", times.quantile(0.5) / 1e3)
                .with("longest", times.quantile(1.0) / 1e3)
                .with("poll", runtime::longest_poll() / 1e6)
                .with("reads", times.len() as f64)
                .with_series("histogram", times.histogram(HISTOGRAM_PER_OCTAVE, HISTOGRAM_BUCKETS))
        })
    }
}

/// Stores the small objects; returns their keys.
pub(super) async fn put_small<S: Subject>(store: &S) -> Vec<S::Key> {
    let keys: Vec<S::Key> = (0..SMALL).map(|number| S::key(&format!("small/{number}"))).collect();
    for key in &keys {
        store.put(key, &Bytes::from(vec![1; OBJECT])).await;
    }
    keys
}

/// Reads small objects in random order until it is over.
pub(super) async fn read<S: Subject>(
    store: Arc<S>,
    keys: Vec<S::Key>,
    mut times: Times,
    over: Arc<AtomicBool>,
) -> Times {
    let mut random = Random::new(SEED);
    while !over.load(Relaxed) || times.len() < READS {
        let key = &keys[random.below(SMALL)];
        let start = Instant::now();
        assert_eq!(store.get(key).await, OBJECT);
        times.add(start);
        tokio::task::yield_now().await;
    }
    times
}

/// Stores what the load works on.
async fn prepare<S: Subject>(store: &S, load: Load) {
    match load {
        Load::Uploads(_) => {}
        Load::Walk(count) | Load::Delete(count) | Load::Rename(count) => {
            for number in 0..count as u64 {
                store.put(&S::key(&key(number)), &Bytes::from_static(CONTENT)).await;
            }
        }
        Load::Drop(size) => upload(store, &S::key(BLOB), &Source::new(), size, CHUNK).await,
    }
}

/// Runs the load. Returns whether the store supports it.
async fn run_load<S: Subject>(store: &Arc<S>, load: Load) -> bool {
    let spawn = |store: Arc<S>| async move {
        match load {
            Load::Uploads(_) => false,
            Load::Walk(count) => store.walk(ABOVE).await >= count,
            Load::Delete(_) => {
                store.delete_all(ABOVE).await;
                true
            }
            Load::Rename(_) => store.rename_all(ABOVE, "elsewhere").await,
            Load::Drop(_) => {
                store.delete(&S::key(BLOB)).await;
                true
            }
        }
    };
    let Load::Uploads(size) = load else {
        let task = tokio::spawn(timed(spawn(Arc::clone(store))));
        return task.await.expect("it does not panic");
    };
    upload_rounds(store, size / UPLOADS, 1).await;
    true
}

/// [`UPLOADS`] tasks, each of which uploads a blob in copied chunks, yields after each chunk, deletes the blob, and begins
/// again, so many times.
pub(super) async fn upload_rounds<S: Subject>(store: &Arc<S>, size: u64, rounds: usize) {
    let source = Arc::new(Source::new());
    let tasks: Vec<_> = (0..UPLOADS)
        .map(|number| {
            let (store, source) = (Arc::clone(store), Arc::clone(&source));
            tokio::spawn(timed(async move {
                let key = S::key(&format!("uploaded/{number}"));
                for _ in 0..rounds {
                    let mut upload = store.begin(&key, false).await;
                    for chunk in source.chunks(size, CHUNK) {
                        store.write(&mut upload, chunk).await;
                        tokio::task::yield_now().await;
                    }
                    store.commit(upload).await;
                    store.delete(&key).await;
                }
            }))
        })
        .collect();
    for task in tasks {
        task.await.expect("it does not panic");
    }
}

impl Load {
    /// In words.
    pub fn name(self) -> String {
        match self {
            Self::Uploads(_) => format!("{UPLOADS} uploads"),
            Self::Walk(count) => format!("a walk of {}", table::count(count)),
            Self::Delete(count) => format!("a delete of {}", table::count(count)),
            Self::Rename(count) => format!("a rename of {}", table::count(count)),
            Self::Drop(size) => format!("the drop of {} GiB", size as f64 / GIB as f64),
        }
    }
}
