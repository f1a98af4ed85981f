//! The promise about memory: it does not grow with the content.

use bytes::Bytes;
use counting_alloc::{Counting, OfProcess};
use futures::StreamExt;
use storage_driver::{Path, ReadRange, StorageDriver, StorageDriverExt};
use storage_driver_filesystem::{Durability, Filesystem};

// Of all threads, because accepted data is freed by another thread than the writer's.
#[global_allocator]
static ALLOCATOR: Counting = Counting;

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
        let measurement = OfProcess::begin();
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

        let measurement = OfProcess::begin();
        let reader = driver.reader(&path, ReadRange::Full).await.unwrap();
        let read =
            reader.fold(0, async |read, piece: Result<Bytes, _>| read + piece.unwrap().len());
        assert_eq!(read.await, size);
        let (largest, peak) = (measurement.largest(), measurement.peak());
        assert!(largest <= 256 * KIB, "one allocation of {largest} bytes for {size}");
        assert!(peak <= MIB, "{peak} bytes at the peak for {size}");
    }
}
