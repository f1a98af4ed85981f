//! [`Upload`]: one large blob.

use std::{path::PathBuf, time::Instant};

use serde::{Deserialize, Serialize};

use super::Root;
use crate::{
    disk::{subject::Subject, subjects::sync},
    harness::{Figures, Source, process, runtime},
};

const DIR: &str = "blobs";
const BLOB: &str = "blobs/blob";

/// Uploads a blob in chunks.
///
/// - `seconds`: from the opening to the end of the commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Upload {
    /// Where the root is made.
    pub dir: PathBuf,
    /// How large the blob is.
    pub size: u64,
    /// How large a chunk is.
    pub chunk: usize,
    /// Whether the disk has it when the commit returns.
    pub durable: bool,
    /// Whether the caller keeps the chunks, as one that reads into a buffer does; otherwise they
    /// are handed over, as what comes from a server for HTTP.
    pub copied: bool,
}

impl Upload {
    /// Measures a store.
    pub(crate) fn run<S: Subject>(&self) -> Figures {
        let root = Root::new(&self.dir, DIR, true);
        let source = Source::new();
        runtime::workers(2).block_on(async {
            let store = S::open(root.path.clone(), self.durable).await;
            // What others have left to be written is not to be waited for.
            sync(&root.path);
            process::forget_peak();
            let start = Instant::now();
            let mut upload = store.begin(BLOB).await;
            if self.copied {
                for chunk in source.chunks(self.size, self.chunk) {
                    store.write(&mut upload, chunk).await;
                }
            } else {
                for chunk in source.shared(self.size, self.chunk) {
                    store.write_owned(&mut upload, chunk).await;
                }
            }
            store.commit(upload).await;
            let seconds = start.elapsed().as_secs_f64();
            let peak = process::peak();
            assert_eq!(root.path.join(BLOB).metadata().expect("it is there").len(), self.size);
            store.close().await;
            Figures::default().with("seconds", seconds).with("peak", peak as f64)
        })
    }
}
