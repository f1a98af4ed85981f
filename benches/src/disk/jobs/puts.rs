//! [`Puts`]: many small files.

use std::{
    any::TypeId,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{executor::block_on, future::join_all};
use serde::{Deserialize, Serialize};

use super::Root;
use crate::{
    disk::{
        subject::Subject,
        subjects::{Plain, sync},
    },
    harness::{Figures, Random, process, runtime},
};

const DIR: &str = "small";
const SIZE: usize = 1 << 10;
const SEED: u64 = 9;

/// Puts new files of 1 KiB, by tasks that each wait for one put before the next.
///
/// - `rate`: how many a second.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Puts {
    /// Where the root is made.
    pub dir: PathBuf,
    /// Whether the disk has a file when the put returns.
    pub durable: bool,
    /// How many tasks, or threads, there are.
    pub tasks: usize,
    /// Whether each file is put into its own directory, as in a registry.
    pub apart: bool,
    /// Whether the files stay until all is measured: there are file systems that take long to make
    /// a file when many were removed before.
    pub left: bool,
    /// How long they run.
    pub milliseconds: u64,
}

impl Puts {
    /// Measures a store.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let root = Root::new(&self.dir, DIR, !self.left);
        let content = Bytes::from(Random::new(SEED).bytes(SIZE));
        let runtime = runtime::workers(2);
        let store = Arc::new(runtime.block_on(S::open(root.path.clone(), self.durable)));
        // What others have left to be written is not to be waited for.
        sync(&root.path);
        process::forget_peak();
        let start = Instant::now();
        let end = start + Duration::from_millis(self.milliseconds);
        let tasks = (0..self.tasks).map(|task| {
            let (store, content, apart) = (Arc::clone(&store), content.clone(), self.apart);
            async move {
                let mut count = 0_usize;
                while Instant::now() < end {
                    let file = if apart { "/data" } else { "" };
                    store.put(&format!("{DIR}/{task:02}-{count:08}{file}"), &content).await;
                    count += 1;
                }
                count
            }
        });
        // Who waits in a thread has one for each.
        let count: usize = if TypeId::of::<S>() == TypeId::of::<Plain>() {
            let threads: Vec<_> = tasks.map(|task| thread::spawn(move || block_on(task))).collect();
            threads.into_iter().map(|thread| thread.join().expect("it ends")).sum()
        } else {
            runtime.block_on(async {
                let tasks: Vec<_> = tasks.map(tokio::spawn).collect();
                join_all(tasks).await.into_iter().map(|count| count.expect("it ends")).sum()
            })
        };
        let rate = count as f64 / start.elapsed().as_secs_f64();
        let peak = process::peak();
        let store = Arc::into_inner(store).expect("the tasks have ended");
        runtime.block_on(store.close());
        Figures::default().with("rate", rate).with("peak", peak as f64)
    }
}
