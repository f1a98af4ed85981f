//! [`Growing`]: GitLab's benchmarks of its in-memory driver.

use std::{hint::black_box, time::Instant};

use bytes::Bytes;
use inmemory::InMemory;
use serde::{Deserialize, Serialize};
use storage_driver::{Path, StorageDriver, StorageDriverExt};

use super::BLOB;
use crate::harness::{Figures, KIB, Source, allocator, runtime};

/// What is written at a time.
const CHUNK: usize = 32 * KIB as usize;
/// How many appends are measured.
const APPENDS: usize = 1000;

/// `BenchmarkWriteAt` and `BenchmarkAppends` of GitLab's container registry: a file of this size is written in chunks of
/// 32 KiB, and then chunks of 32 KiB are appended to it, each in a commit of its own. A growing vector is the stand-in
/// for the driver that GitLab replaced.
///
/// - `write`: seconds to write the file; `write_bytes`: bytes that are allocated for that.
/// - `append`: microseconds an append; `append_bytes`: bytes that are allocated for one.
/// - `largest`: the largest single allocation of the appends, in bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Growing {
    /// How large the file is.
    pub size: u64,
}

impl Growing {
    /// Measures our driver. What it maps from the system counts as allocated.
    pub(crate) fn ours(&self) -> Figures {
        runtime::single().block_on(async {
            let (source, store) = (Source::new(), InMemory::new());
            let key = Path::parse(format!("/{BLOB}")).expect("it is a path");
            let chunk: Bytes = source.shared(CHUNK as u64, CHUNK).next().expect("there is one");
            let watch = allocator::Watch::begin();
            let start = Instant::now();
            let mut writer = store.create(&key).await.expect("it can be created");
            for _ in 0..self.size / CHUNK as u64 {
                writer.write_bytes(chunk.clone()).await.expect("there is room");
            }
            writer.commit().await.expect("nothing is in the way");
            let write = start.elapsed().as_secs_f64();
            let write_bytes = watch.end().bytes as f64 + store.usage().committed as f64;

            let before = store.usage().committed;
            let watch = allocator::Watch::begin();
            let start = Instant::now();
            for _ in 0..APPENDS {
                let mut writer = store.append(&key).await.expect("it is there");
                writer.write_bytes(chunk.clone()).await.expect("there is room");
                writer.commit().await.expect("nothing is in the way");
            }
            let append = start.elapsed().as_nanos() as f64 / 1e3 / APPENDS as f64;
            let watched = watch.end();
            let mapped = (store.usage().committed - before) as f64;
            store.shutdown().await.expect("it ends");
            figures(write, write_bytes, append, watched.bytes as f64 + mapped, watched.largest)
        })
    }

    /// Measures the stand-in.
    pub(crate) fn vec(&self) -> Figures {
        let source = Source::new();
        let chunk: Bytes = source.shared(CHUNK as u64, CHUNK).next().expect("there is one");
        let mut file = Vec::new();
        let watch = allocator::Watch::begin();
        let start = Instant::now();
        for _ in 0..self.size / CHUNK as u64 {
            file.extend_from_slice(black_box(&chunk));
        }
        let write = start.elapsed().as_secs_f64();
        let write_bytes = watch.end().bytes as f64;
        let watch = allocator::Watch::begin();
        let start = Instant::now();
        for _ in 0..APPENDS {
            file.extend_from_slice(black_box(&chunk));
        }
        let append = start.elapsed().as_nanos() as f64 / 1e3 / APPENDS as f64;
        drop(black_box(file));
        let watched = watch.end();
        figures(write, write_bytes, append, watched.bytes as f64, watched.largest)
    }
}

fn figures(write: f64, write_bytes: f64, append: f64, bytes: f64, largest: usize) -> Figures {
    Figures::default()
        .with("write", write)
        .with("write_bytes", write_bytes)
        .with("append", append)
        .with("append_bytes", bytes / APPENDS as f64)
        .with("largest", largest as f64)
}
