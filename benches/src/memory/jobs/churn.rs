//! [`Churn`]: uploads that are deleted and begun again, during small reads.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Instant,
};

use serde::{Deserialize, Serialize};

use super::{
    IDLE,
    under_load::{UPLOADS, WORKERS, put_small, read, upload_rounds},
};
use crate::{
    harness::{Figures, clock::Times, process, runtime},
    memory::Subject,
};

/// Eight tasks on two workers, each of which uploads a blob, deletes it and begins again, in copied chunks of 64 KiB,
/// after each of which it yields. Another task reads small objects.
///
/// - `rate`: MiB a second, of all uploads together, from the second of each task on.
/// - `p99`: microseconds of a read.
/// - `poll_p99`: microseconds of a poll of any task; `poll`: milliseconds of the longest.
/// - `left`: bytes that are resident 1.5 s after the last deletion.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Churn {
    /// How large each blob is.
    pub size: u64,
    /// How many each task uploads.
    pub rounds: usize,
}

impl Churn {
    /// Measures a store.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let runtime = runtime::workers(WORKERS);
        runtime.block_on(async {
            let before = process::resident();
            let store = Arc::new(S::new(None));
            let keys = put_small(&*store).await;
            // The first of each brings the memory.
            upload_rounds(&store, self.size, 1).await;
            let times = Times::new(1 << 20);
            runtime::forget_polls();
            let over = Arc::new(AtomicBool::new(false));
            let reads = read(Arc::clone(&store), keys, times, Arc::clone(&over));
            let reads = tokio::spawn(runtime::timed(reads));
            let start = Instant::now();
            upload_rounds(&store, self.size, self.rounds).await;
            let seconds = start.elapsed().as_secs_f64();
            over.store(true, Relaxed);
            let mut times = reads.await.expect("it does not panic");
            let (poll, poll_p99) = (runtime::longest_poll(), runtime::poll_quantile(0.99));
            thread::sleep(IDLE);
            let left = process::resident().saturating_sub(before);
            let bytes = (self.size * UPLOADS * self.rounds as u64) as f64;
            Figures::default()
                .with("rate", bytes / f64::from(1 << 20) / seconds)
                .with("p99", times.quantile(0.99) / 1e3)
                .with("poll_p99", poll_p99 / 1e3)
                .with("poll", poll / 1e6)
                .with("left", left as f64)
        })
    }
}
