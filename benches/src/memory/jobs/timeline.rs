//! [`Timeline`]: what is resident, moment by moment.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::{BLOB, upload};
use crate::{
    harness::{Figures, KIB, MIB, Source, process, runtime},
    memory::Subject,
};

const CHUNK: usize = 64 * KIB as usize;
/// How often it is looked at.
const PERIOD: Duration = Duration::from_millis(5);
/// How long nothing is done, before, between, and after.
const REST: Duration = Duration::from_millis(300);

/// Uploads a blob in copied chunks, lets it lie, deletes it, and waits.
///
/// - `seconds`, `resident`: two series, the second in MiB.
/// - `uploaded`, `deleted`: when that was over, in seconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Timeline {
    /// How large the blob is.
    pub size: u64,
}

impl Timeline {
    /// Measures a store.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let (source, key) = (Source::new(), S::key(BLOB));
        let start = Instant::now();
        let since = move || start.elapsed().as_secs_f64();
        let over = Arc::new(AtomicBool::new(false));
        let sampler = thread::spawn({
            let over = Arc::clone(&over);
            move || {
                let (mut seconds, mut resident) = (Vec::new(), Vec::new());
                while !over.load(Relaxed) {
                    seconds.push(since());
                    resident.push(process::resident() as f64 / MIB as f64);
                    thread::sleep(PERIOD);
                }
                (seconds, resident)
            }
        });
        let (uploaded, deleted) = runtime::single().block_on(async {
            thread::sleep(REST);
            let store = S::new(None);
            upload(&store, &key, &source, self.size, CHUNK).await;
            let uploaded = since();
            thread::sleep(REST);
            store.delete(&key).await;
            let deleted = since();
            thread::sleep(REST);
            (uploaded, deleted)
        });
        over.store(true, Relaxed);
        let (seconds, resident) = sampler.join().expect("it does not panic");
        Figures::default()
            .with("uploaded", uploaded)
            .with("deleted", deleted)
            .with_series("seconds", seconds)
            .with_series("resident", resident)
    }
}
