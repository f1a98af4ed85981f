//! The promise about memory: it does not grow with the content.

#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use bytes::Bytes;
use futures::StreamExt;
use storage_driver::{Path, ReadRange, StorageDriver, StorageDriverExt};
use storage_driver_filesystem::{Durability, Filesystem};

/// Counts for all threads, because accepted data is freed by another thread than the writer's.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator unchanged; counting has no part in what is
// returned.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        PEAK.fetch_max(LIVE.fetch_add(layout.size(), Relaxed) + layout.size(), Relaxed);
        LARGEST.fetch_max(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The allocations since a moment.
struct Measurement {
    before: usize,
}

impl Measurement {
    fn begin() -> Self {
        let before = LIVE.load(Relaxed);
        PEAK.store(before, Relaxed);
        LARGEST.store(0, Relaxed);
        Self { before }
    }

    fn largest(&self) -> usize {
        LARGEST.load(Relaxed)
    }

    fn peak(&self) -> usize {
        PEAK.load(Relaxed) - self.before
    }
}

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// One test, because it counts for the whole process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_memory_of_a_stream_in_and_out_is_bounded_at_any_size() {
    let root = tempfile::tempdir().unwrap();
    let builder = Filesystem::builder().durability(Durability::None);
    let driver = builder.open(root.path()).await.unwrap();
    let path = Path::parse("/blobs/large").unwrap();
    for size in [16 * MIB, 256 * MIB] {
        let measurement = Measurement::begin();
        let mut writer = driver.create(&path).await.unwrap();
        for number in 0..size / (64 * KIB) {
            // A new buffer for each piece, as from a socket.
            writer.write_bytes(vec![number as u8; 64 * KIB]).await.unwrap();
        }
        writer.commit().await.unwrap();
        // A queue of 1 MiB, as much being written, a piece more of each, and the runtime.
        let (largest, peak) = (measurement.largest(), measurement.peak());
        assert!(largest <= 128 * KIB, "one allocation of {largest} bytes for {size}");
        assert!(peak <= 3 * MIB, "{peak} bytes at the peak for {size}");

        let measurement = Measurement::begin();
        let reader = driver.reader(&path, ReadRange::Full).await.unwrap();
        let read =
            reader.fold(0, async |read, piece: Result<Bytes, _>| read + piece.unwrap().len());
        assert_eq!(read.await, size);
        let (largest, peak) = (measurement.largest(), measurement.peak());
        assert!(largest <= 256 * KIB, "one allocation of {largest} bytes for {size}");
        assert!(peak <= MIB, "{peak} bytes at the peak for {size}");
    }
}
